"""Batch-last memory: arrays are logically (N, C, H, W), in memory they run C, H, W, N.

A row of an image, over all images of the batch, is then one contiguous run of W·N numbers, and a
channel is one contiguous block. An array in another order is copied once, to memory that begins at
a cache line: in other memory each load of 16 numbers would touch two of them.

Most kernels divide their work between threads in the same way: by rows of the image, and where they
are few, by parts of the channels of one row. So a thread finds in its own cache what it wrote in
the previous kernel. Where two cores do not share a cache, taking turns between rows and channels
took eight times as long.
"""

from __future__ import annotations

import numpy as np

from minise.arrays import Array
from minise.kernels.numba.memory import empty
from minise.kernels.numba.watch import by_numpy

MOST_AXES = 64  # of an array of NumPy
TASKS = 8  # at least: more than the threads of most machines

# the axes of an array, the first last, and back again
_TO_LAST = [(*range(1, ndim), 0)[:ndim] for ndim in range(MOST_AXES + 1)]
_TO_FIRST = [(ndim - 1, *range(ndim - 1))[:ndim] for ndim in range(MOST_AXES + 1)]


def batch_last(x: Array) -> Array:
    """(N, …) -> (…, N), contiguous and writable: a view of x where memory runs so already."""
    x = x.transpose(_TO_LAST[x.ndim])
    # writable, because Numba would compile a second version of each kernel for read-only arrays
    if x.flags.carray:
        return x
    copy = empty(x.shape, x.dtype)
    by_numpy(np.copyto, copy, x)
    return copy


def batch_first(x: Array) -> Array:
    """(…, N) -> (N, …), a view."""
    return x.transpose(_TO_FIRST[x.ndim])


def rows(x: Array) -> Array:
    """(C, H, W, N) -> (C, H, W·N), a view; fewer axes than four count as images of one pixel."""
    if x.ndim == 4:
        C, H, W, N = x.shape
        return x.reshape(C, H, W * N)
    return x.reshape(len(x) if x.ndim > 1 else 1, 1, -1) if x.size else x.reshape(0, 0, 0)


def maps(x: Array) -> Array:
    """The same for number by number: one image, whose rows are short, has a long row for a map."""
    return x.reshape(len(x), 1, -1) if x.ndim == 4 and x.shape[3] == 1 and x.size else rows(x)


def parts(height: int) -> int:
    """Into how many parts the channels of each row are divided, so that there are enough tasks."""
    return -(-TASKS // height) if height else 1
