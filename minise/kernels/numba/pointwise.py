"""Convolution 1×1 of stride 1: a product of matrices, y (F, pixels) = w (F, C) · x (C, pixels).

A panel is a stretch of a few pixels, of all channels. It is copied first, so that its rows lie next
to each other: in x they are a whole map apart, each in a page of memory of its own. Then it stays
in the cache while the filters pass by, ROWS of them at a time. Weights are read as they are. The
gradient of the input is the same product with filters and channels exchanged.
"""

from __future__ import annotations

import numpy as np

from minise.arrays import Array
from minise.kernels.numba.lanes import LANES, copy
from minise.kernels.numba.memory import empty
from minise.kernels.numba.tasks import invite, tasks
from minise.kernels.numba.team import compiled_parallel, get_num_threads
from minise.kernels.numba.tiles import COLUMNS, ROWS, column, outer, put, tile
from minise.shapes import POINT, Window

PANEL = 2**15  # numbers, about, which stay in the second cache


def suits(x: Array, w: Array, window: Window, groups: int) -> bool:
    """Whether it is such a convolution of x (C, H, W, N), with enough pixels and filters."""
    return (
        window == POINT and groups == 1 and min(len(w), w.shape[1]) >= ROWS and x[0].size >= LANES
    )


def conv1x1(x: Array, w: Array, b: Array | None, *, transposed: bool = False) -> Array:
    """y (F, H, W, N) for x (C, H, W, N), w (F, C, 1, 1) and b (F,).

    `transposed` is the gradient of the input: x is then dy, and y is dx.
    """
    F, C = w.shape[:2][::-1] if transposed else w.shape[:2]
    of_filter, of_channel = (1, F) if transposed else (C, 1)
    y = empty((F, *x.shape[1:]), x.dtype)
    b = empty((0,), x.dtype) if b is None else np.require(b, requirements=["C", "W"])
    w = np.require(w, requirements=["C", "W"]).reshape(-1)
    wide = max(1, PANEL // (C * COLUMNS * LANES)) * COLUMNS * LANES
    panels = -(-y[0].size // wide)
    # few panels are shared by threads that do some of the filters each
    parts = min(F // ROWS, -(-2 * get_num_threads() // panels))
    _multiply(x.reshape(-1), w, of_filter, of_channel, b, y.reshape(F, -1), wide, parts)
    return y


@compiled_parallel
def _multiply(
    team: int,
    x: Array,
    w: Array,
    of_filter: int,
    of_channel: int,
    b: Array,
    y: Array,
    wide: int,
    parts: int,
) -> None:
    """One owner for a panel of `wide` pixels and a part of the filters.

    The weights of a filter, and those of a channel, are so far apart.
    """
    (F, pixels), zero, to_y = y.shape, y.dtype.type(0), y.reshape(-1)
    C = x.size // pixels
    panels, blocks = -(-pixels // wide), -(-F // ROWS)
    for task in tasks(invite(team), panels * parts):
        part = task % parts
        n = min(task // parts * wide, pixels - LANES)  # the last may compute some numbers again
        length = min(wide, pixels - n)
        panel = np.empty(C * length, x.dtype)
        for c in range(C):
            copy(x, c * pixels + n, panel, c * length, length)
        for block in range(part * blocks // parts, (part + 1) * blocks // parts):
            f = min(block * ROWS, F - ROWS)
            of_w, to = f * of_filter, f * pixels + n
            tiles = length // (COLUMNS * LANES) * (COLUMNS * LANES)
            for k in range(0, tiles, COLUMNS * LANES):
                s = tile(zero, ROWS, COLUMNS)
                if b.size:
                    s = column(s, b, f)
                for c in range(C):
                    s = outer(s, w, of_w + c * of_channel, of_filter, panel, c * length + k)
                put(s, to_y, to + k, pixels, ROWS)
            for low in range(tiles, length, LANES):
                k = min(low, length - LANES)
                t = tile(zero, ROWS, 1)
                if b.size:
                    t = column(t, b, f)
                for c in range(C):
                    t = outer(t, w, of_w + c * of_channel, of_filter, panel, c * length + k)
                put(t, to_y, to + k, pixels, ROWS)
