"""Batch-last memory: arrays are logically (N, C, H, W), in memory they run C, H, W, N.

A row of an image, over all images of the batch, is then one contiguous run of W·N numbers, and a
channel is one contiguous block. An array in another order is copied once.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from minise.backend import Array

CACHE_LINE = 64  # bytes


def batch_last(x: Array) -> Array:
    """(N, …) -> (…, N), contiguous and writable: a view of x where its memory runs so already."""
    # writable, because Numba would compile a second version of each kernel for read-only arrays
    return np.require(x if x.ndim < 2 else np.moveaxis(x, 0, -1), requirements=["C", "A", "W"])


def batch_first(x: Array) -> Array:
    """(…, N) -> (N, …), a view."""
    return x if x.ndim < 2 else np.moveaxis(x, -1, 0)


def empty(shape: tuple[int, ...], dtype: npt.DTypeLike) -> Array:
    """A new array that begins with a cache line, so that no load of neighbours straddles two."""
    dtype = np.dtype(dtype)
    size = math.prod(shape) * dtype.itemsize
    memory = np.empty(size + CACHE_LINE, np.uint8)
    start = -memory.ctypes.data % CACHE_LINE
    return memory[start : start + size].view(dtype).reshape(shape)
