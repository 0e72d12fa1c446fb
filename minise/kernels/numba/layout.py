"""Batch-last memory: arrays are logically (N, C, H, W), in memory they run C, H, W, N.

A row of an image, over all images of the batch, is then one contiguous run of W·N numbers, and a
channel is one contiguous block. An array in another order is copied once.
"""

from __future__ import annotations

import numpy as np

from minise.backend import Array

# the axes of an array, the first last, and back again
_TO_LAST = [(*range(1, ndim), 0)[:ndim] for ndim in range(6)]
_TO_FIRST = [(ndim - 1, *range(ndim - 1))[:ndim] for ndim in range(6)]


def batch_last(x: Array) -> Array:
    """(N, …) -> (…, N), contiguous and writable: a view of x where its memory runs so already."""
    x = x.transpose(_TO_LAST[x.ndim])
    # writable, because Numba would compile a second version of each kernel for read-only arrays
    return x if x.flags.carray else np.require(x, requirements=["C", "A", "W"])


def batch_first(x: Array) -> Array:
    """(…, N) -> (N, …), a view."""
    return x.transpose(_TO_FIRST[x.ndim])
