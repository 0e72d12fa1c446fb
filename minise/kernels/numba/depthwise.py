"""Convolution where each filter sees one channel, its own (depthwise): y; and dx together with dw.

There are few products, KH·KW for each number, so the time goes by in waiting for memory. Hence a
channel is done from its first row to its last, and a row of x that has come into the cache serves
for all rows of y that meet it. Going back, each pixel of x meets one of dy by each tap t, or none:

    dx[pixel] = Σ over the taps t of w[t] · dy[met by t]        dw[t] += x[pixel] · dy[met by t]

so a row of dy that has come in serves for both. Rows are stretches of lanes, as in `stretches`.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from minise.arrays import Array
from minise.kernels.numba.compile import compiled
from minise.kernels.numba.lanes import LANES, load, sum_of
from minise.kernels.numba.layout import TASKS
from minise.kernels.numba.memory import empty
from minise.kernels.numba.taps import listed
from minise.kernels.numba.tasks import invite, tasks
from minise.kernels.numba.team import compiled_parallel, get_num_threads
from minise.kernels.numba.tiles import dots, keep, outer, put, tile
from minise.shapes import Pair, Window

LONG = 4  # columns of a tile of y or dx
TAPS = 9  # columns of a tile of dw


def suits(w: Array, groups: int) -> bool:
    """Whether each group is one channel and one filter, and there are enough to share out."""
    return w.shape[1] == 1 and len(w) == groups >= TASKS


def conv2d(x: Array, w: Array, b: Array | None, window: Window, output: Pair) -> Array:
    """y (C, OH, OW, N) for x (C, H, W, N), w (C, 1, KH, KW), b (C,); N is at least LANES."""
    C, H, W, N = x.shape
    y = empty((C, *output, N), x.dtype)
    b = empty((0,), x.dtype) if b is None else np.require(b, requirements=["C", "W"])
    w = np.require(w, requirements=["C", "W"]).reshape(C, -1)
    table = listed(window, (H, W), output, False, N, TAPS)
    _convolve(x, w, b, y, *table, min(output[0], get_num_threads()))
    return y


def conv2d_backward(dy: Array, x: Array, w: Array, window: Window) -> tuple[Array, Array]:
    """dx and dw, for dy (C, OH, OW, N), x (C, H, W, N) and w (C, 1, KH, KW)."""
    (_, OH, OW, N), (C, H, W, _) = dy.shape, x.shape
    dx, dw = empty(x.shape, x.dtype), empty(w.shape, w.dtype)
    of_taps = np.require(w, requirements=["C", "W"]).reshape(C, -1)
    table = listed(window, (OH, OW), (H, W), True, N, TAPS)
    _gradients(dy, x, of_taps, dx, dw.reshape(C, -1), *table)
    return dx, dw


@compiled
def _stretches(run: Array, N: int) -> tuple[int, int, int, int, int]:
    """Of a run: its first column, its steps in the result and the source, its pieces, their length.

    Where neighbours meet neighbours it is one long piece, else each column is one.
    """
    first, step, source_step, columns = run
    if step == 1 and source_step == 1:
        return first, step, source_step, 1, columns * N
    return first, step, source_step, columns, N


@compiled
def _put_sums(
    s: Any, x: Array, at: Array, tap: Array, terms: int, moved: int, w: Array, y: Array, to: int
) -> None:
    """y[to …] = s + Σ over the terms t of w[tap[t]] · x[at[t] + moved …]."""
    for t in range(terms):
        s = outer(s, w, tap[t], 1, x, at[t] + moved)
    put(s, y, to, 0, 1)


@compiled
def sum_taps(
    x: Array,
    at: Array,
    tap: Array,
    terms: int,
    moved: int,
    w: Array,
    b: float,
    y: Array,
    to: int,
    length: int,
) -> None:
    """The same for a stretch of any length from LANES on, with s = b."""
    wide = length // (LONG * LANES) * (LONG * LANES)
    for n in range(0, wide, LONG * LANES):
        _put_sums(tile(b, 1, LONG), x, at, tap, terms, moved + n, w, y, to + n)
    for low in range(wide, length, LANES):
        n = min(low, length - LANES)  # the last may compute some numbers again
        _put_sums(tile(b, 1, 1), x, at, tap, terms, moved + n, w, y, to + n)


@compiled_parallel
def _convolve(
    team: int,
    x: Array,
    w: Array,
    b: Array,
    y: Array,
    at: Array,
    tap: Array,
    terms: Array,
    runs: Array,
    bands: int,
) -> None:
    """One owner for a band of rows of a channel; w is (C, KH·KW)."""
    (C, OH, OW, N), zero = y.shape, y.dtype.type(0)
    from_x, to_y, map_ = x.reshape(-1), y.reshape(-1), x.shape[1] * x.shape[2] * N
    for task in tasks(invite(team), bands * C):
        band, c = task // C, task % C
        bias = b[c] if b.size else zero
        for row in range(band * OH // bands, (band + 1) * OH // bands):
            for run in range(len(runs)):
                first, step, source_step, pieces, length = _stretches(runs[run], N)
                for piece in range(pieces):
                    moved = c * map_ + piece * source_step * N
                    to = ((c * OH + row) * OW + first + piece * step) * N
                    sum_taps(
                        from_x, at[row, run], tap[row, run], terms[row, run], moved,
                        w[c], bias, to_y, to, length,
                    )  # fmt: skip


@compiled_parallel
def _gradients(
    team: int,
    dy: Array,
    x: Array,
    w: Array,
    dx: Array,
    dw: Array,
    at: Array,
    tap: Array,
    terms: Array,
    runs: Array,
) -> None:
    """One owner for a channel; w and dw are (C, KH·KW)."""
    (C, H, W, N), taps, zero = x.shape, w.shape[1], x.dtype.type(0)
    from_dy, from_x, to_dx = dy.reshape(-1), x.reshape(-1), dx.reshape(-1)
    map_ = dy.shape[1] * dy.shape[2] * N
    for c in tasks(invite(team), C):
        total = np.zeros((taps + 1) * LANES, x.dtype)
        for row in range(H):
            for run in range(len(runs)):
                first, step, source_step, pieces, length = _stretches(runs[run], N)
                here, which, count = at[row, run], tap[row, run], terms[row, run]
                whole = length // LANES * LANES
                for piece in range(pieces):
                    moved = c * map_ + piece * source_step * N
                    to = ((c * H + row) * W + first + piece * step) * N
                    for t in range(0, count, TAPS):
                        s = tile(zero, 1, TAPS)
                        for n in range(0, whole, LANES):
                            s = dots(s, from_x, to + n, 0, from_dy, here, t, moved + n)
                        keep(s, total, which, t)
                    for t in range(count):
                        for n in range(whole, length):
                            product = from_x[to + n] * from_dy[here[t] + moved + n]
                            total[which[t] * LANES + n - whole] += product
                    sum_taps(from_dy, here, which, count, moved, w[c], zero, to_dx, to, length)
        for t in range(taps):
            dw[c, t] = sum_of(load(total, t * LANES))
