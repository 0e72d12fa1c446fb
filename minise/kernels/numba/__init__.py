"""Compiled loops for the processor, each named after the operation it computes.

Every kernel takes arrays in any memory order and gives batch-last ones; see `layout`. The caller
has checked shapes and dtypes: a compiled loop checks no bounds.
"""

from minise.kernels.numba import ahead, memory, tape, team, watch

__all__ = [
    "ahead",
    "memory",
    "tape",
    "team",
    "watch",
]  # what `minise.backend` asks of them besides the kernels
