"""The version, here alone: the package and its wheel read it from this file."""

__version__ = "0.1.0"
