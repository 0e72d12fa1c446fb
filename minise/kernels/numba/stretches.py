"""Convolution as a sum of stretches: the forward pass, and the gradient of the input.

A row of x is W·N numbers, the batch last. For one row of the output each tap (c, i, j) of a filter
meets a stretch of such a row, and the next j meets it N numbers further. So a convolution is

    y[f, stretch] = b[f] + Σ over the taps t of w[f, t] · x[stretch moved by tap t]

At the edges some taps meet nothing: the columns of y are divided into runs, those that meet the
same taps. With padding 1 these are the first column, the inner ones, and the last. Where neighbours
meet neighbours a run is one stretch; with stride 2 each column is one.

The gradient of the input is the same sum with filters and channels exchanged. No kernel is turned
round and dy is not spread: the table of `taps` says which taps meet. With stride 2 the even columns
of dx are one run, the odd ones another. The sums are products of matrices, done in `tiles`; the
gradient of the weights is in `conv_weights`, other forms of a convolution in `conv`.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from minise.arrays import Array
from minise.kernels.numba.compile import compiled
from minise.kernels.numba.lanes import LANES
from minise.kernels.numba.layout import parts
from minise.kernels.numba.memory import empty
from minise.kernels.numba.taps import NONE, Taps
from minise.kernels.numba.tasks import invite, tasks
from minise.kernels.numba.team import compiled_parallel
from minise.kernels.numba.tiles import COLUMNS, FEW, ROWS, column, outer, put, tile, width
from minise.shapes import Sizes

LONG = 8  # columns of a tile for a filter that is alone in its block, as in a depthwise convolution


def sum_of_stretches(
    x: Array, w: Array, b: Array | None, groups: int, table: Taps, *, transposed: bool = False
) -> Array:
    """y (F, OH, OW, N) for x (C, H, W, N), w (F, C/G, KH, KW), b (F,) and a table of `taps`.

    Each stretch has at least LANES numbers. `transposed` is the gradient of the input: x is then
    dy, with the F channels that w makes, and y is dx, with C.
    """
    of_group = w.shape[1] if transposed else len(w) // groups  # channels of y
    packed = pack(w, b, groups, transposed=transposed)
    OH, OW = len(table.source), int(table.runs[:, 3].sum())  # a column is in just one run
    y = empty((groups * of_group, OH, OW, x.shape[3]), x.dtype)
    _sum_rows(x, packed, of_group, y, *table, min(groups * packed.shape[1], parts(OH)))
    return y


def pack(
    w: Array, b: Array | None, groups: int, *, transposed: bool, taps_first: bool = False
) -> Array:
    """The weights in blocks of ROWS filters, side by side: (G, blocks, 1 + C/G·KH·KW, ROWS).

    Zeros fill up the last block. Term 0 is the bias, a weight of a pixel that is always 1; the
    others are ordered (c, i, j), or with `taps_first` (i, j, c). `transposed` exchanges the filters
    and the channels of w (F, C/G, KH, KW), but turns no kernel round.
    """
    w = np.require(w, requirements=["C", "W"])
    by_group = w.reshape(groups, len(w) // groups, w.shape[1], -1)  # (G, F/G, C/G, KH·KW)
    if transposed:
        by_group = by_group.swapaxes(1, 2)  # (G, C/G, F/G, KH·KW)
    if taps_first:
        by_group = by_group.swapaxes(2, 3)
    _, F, outer_terms, inner_terms = by_group.shape
    terms = outer_terms * inner_terms
    packed = empty((groups, -(-F // ROWS), 1 + terms, ROWS), w.dtype)
    b = empty((0,), w.dtype) if b is None else np.require(b, requirements=["C", "W"])
    strides = tuple(stride // w.itemsize for stride in by_group.strides)
    _pack(w.reshape(-1), strides, by_group.shape, b, packed)
    return packed


@compiled_parallel
def _pack(team: int, w: Array, strides: Sizes, shape: Sizes, b: Array, packed: Array) -> None:
    groups, F, outer_terms, inner_terms = shape
    blocks = packed.shape[1]
    for task in tasks(invite(team), groups * blocks):
        g, first, to = task // blocks, task % blocks * ROWS, packed[task // blocks, task % blocks]
        rows, at = min(ROWS, F - first), g * strides[0] + first * strides[1]
        for r in range(ROWS):
            to[0, r] = b[g * F + first + r] if r < rows and b.size else 0
        for i in range(outer_terms):
            for j in range(inner_terms):
                source = w[at + i * strides[2] + j * strides[3] :]
                term = to[1 + i * inner_terms + j]
                if rows == ROWS:  # most blocks: no question for each weight
                    for r in range(ROWS):
                        term[r] = source[r * strides[1]]
                else:
                    for r in range(ROWS):
                        term[r] = source[r * strides[1]] if r < rows else 0


@compiled
def _list_terms(source: Array, channels: int, pixels: int, N: int, at: Array, slot: Array) -> int:
    """Where in x each tap's stretch begins, and where its weights; returns how many taps meet."""
    terms = 0
    for c in range(channels):
        for tap in range(source.size):
            if source[tap] != NONE:
                at[terms] = (c * pixels + source[tap]) * N
                slot[terms] = (1 + c * source.size + tap) * ROWS
                terms += 1
    return terms


@compiled
def _put_sums(
    s: Any,
    x: Array,
    at: Array,
    slot: Array,
    terms: int,
    moved: int,
    w: Array,
    k: int,
    y: Array,
    to: int,
    map_: int,
    rows: int,
) -> None:
    """A tile of y: w[k + r], the bias, plus the sum of w[k + slot[t] + r] · x[at[t] + moved …]."""
    s = column(s, w, k)
    for t in range(terms):
        s = outer(s, w, k + slot[t], 1, x, at[t] + moved)
    put(s, y, to, map_, rows)


@compiled
def _sum_blocks(
    wide: Any,
    narrow: Any,
    x: Array,
    at: Array,
    slot: Array,
    terms: int,
    moved: int,
    w: Array,
    of_group: int,
    size: int,
    first: int,
    last: int,
    F: int,
    y: Array,
    to: int,
    map_: int,
    length: int,
) -> None:
    """A stretch of the filters in blocks first … last − 1, by wide tiles as far as they fit.

    Of `wide` and `narrow` only the shapes count. The weights of the group begin at `of_group`, each
    block has `size` numbers, and filters of y are `map_` numbers apart.
    """
    widths = length // width(wide) * width(wide)
    for block in range(first, last):
        k, rows, here = of_group + block * size, F - block * ROWS, to + block * ROWS * map_
        for n in range(0, widths, width(wide)):
            _put_sums(wide, x, at, slot, terms, moved + n, w, k, y, here + n, map_, rows)
        for low in range(widths, length, LANES):
            n = min(low, length - LANES)  # the last may compute some numbers again
            _put_sums(narrow, x, at, slot, terms, moved + n, w, k, y, here + n, map_, rows)


@compiled_parallel
def _sum_rows(
    team: int,
    x: Array,
    w: Array,
    F: int,
    y: Array,
    source: Array,
    runs: Array,
    parts: int,
) -> None:
    """One owner for a part of the filters of one row.

    x (G·C, H, W, N), w from `pack`, y (G·F, OH, OW, N), source and runs of `Taps`.
    """
    groups, blocks, size = w.shape[0], w.shape[1], w.shape[2] * ROWS
    C, N, zero = x.shape[0] // groups, x.shape[3], x.dtype.type(0)
    OH, OW, pixels = y.shape[1], y.shape[2], x.shape[1] * x.shape[2]
    map_, from_x, from_w, to_y = OH * OW * N, x.reshape(-1), w.reshape(-1), y.reshape(-1)
    # blocks before `full` take tiles of ROWS rows, a last one of at most FEW filters does not
    full = blocks if ROWS * blocks - F < max(1, ROWS - FEW) else blocks - 1
    for task in tasks(invite(team), OH * parts):
        row, part = task // parts, task % parts
        # blocks of filters are counted over all groups
        first, last = part * groups * blocks // parts, (part + 1) * groups * blocks // parts
        at, slot = np.empty(w.shape[2], np.intp), np.empty(w.shape[2], np.intp)
        for run in range(len(runs)):
            terms = _list_terms(source[row, run], C, pixels, N, at, slot)
            # neighbours on both sides make one long stretch, else each column is one
            begins, step, source_step = runs[run, 0], runs[run, 1], runs[run, 2]
            together = step == 1 and source_step == 1
            pieces, length = (1, runs[run, 3] * N) if together else (runs[run, 3], N)
            for g in range(first // blocks, (last - 1) // blocks + 1):
                begin, end = max(first - g * blocks, 0), min(last - g * blocks, blocks)
                for piece in range(pieces):
                    moved = (g * C * pixels + piece * source_step) * N
                    to = ((g * F * OH + row) * OW + begins + piece * step) * N
                    # three calls, since the shape of a tile is compiled in
                    if begin < full:
                        _sum_blocks(
                            tile(zero, ROWS, COLUMNS), tile(zero, ROWS, 1),
                            from_x, at, slot, terms, moved, from_w, g * blocks * size, size,
                            begin, min(end, full), F, to_y, to, map_, length,
                        )  # fmt: skip
                    if end > full and F % ROWS > 1:
                        _sum_blocks(
                            tile(zero, FEW, COLUMNS), tile(zero, FEW, 1),
                            from_x, at, slot, terms, moved, from_w, g * blocks * size, size,
                            full, end, F, to_y, to, map_, length,
                        )  # fmt: skip
                    elif end > full:
                        _sum_blocks(
                            tile(zero, 1, LONG), tile(zero, 1, 1),
                            from_x, at, slot, terms, moved, from_w, g * blocks * size, size,
                            full, end, F, to_y, to, map_, length,
                        )  # fmt: skip
