"""A graph as one header in C99."""
