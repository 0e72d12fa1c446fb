"""A graph as one module of JavaScript."""
