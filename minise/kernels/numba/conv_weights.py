"""The gradient of a convolution's weights: dot products of stretches; and that of its bias.

    dw[f, t] = Σ over rows and columns of dy[f, stretch] · x[stretch moved by tap t]

for every filter f and tap t = (c, i, j). For one row of dy and one j, a stretch is all the columns
where tap j meets x; the taps are then the pairs (c, i), three at a time. A tile has a row for each
of ROWS filters and a column for each of three taps, and each of its sums is LANES sums, which are
added up at the end. So each number of dy that is loaded is used three times, each of x ROWS times.
"""

from __future__ import annotations

import functools
from typing import Any, NamedTuple

import numpy as np

from minise.arrays import Array
from minise.kernels.numba import layout
from minise.kernels.numba.compile import compiled
from minise.kernels.numba.lanes import LANES, fill, load, sum_of
from minise.kernels.numba.memory import empty
from minise.kernels.numba.taps import Integers
from minise.kernels.numba.tasks import invite, tasks
from minise.kernels.numba.team import compiled_parallel
from minise.kernels.numba.tiles import FEW, ROWS, dots, keep, tile
from minise.shapes import Pair, Sizes, Window

TAPS = 3  # columns of a tile
STRETCH = 1024  # numbers: stretches of so many, of three taps and ROWS filters, stay in the cache


class Meetings(NamedTuple):
    """Where each tap of a window first meets x, seen from dy and from x, and how often."""

    down: Integers  # (KH, 3): the first row of dy that the tap meets, that of x, how many rows
    across: Integers  # (KW, 3): the same of columns
    stride: Pair  # of the window: so far apart are the next ones in x


def dots_of_stretches(dy: Array, x: Array, shape: tuple[int, ...], meetings: Meetings) -> Array:
    """dw of the given shape (F, C/G, KH, KW), for dy (F, OH, OW, N) and x (C, H, W, N)."""
    groups = x.shape[0] // shape[1]
    F, C = shape[0] // groups, shape[1]
    # a task is a block of filters and one of channels: large, to read dy and x less often
    filters, channels = min(16, F), min(8, C)
    while (
        groups * -(-F // filters) * -(-C // channels) < layout.TASKS
        and max(filters - ROWS, channels - 1) > 0
    ):
        if filters > ROWS:
            filters = ROWS
        else:
            channels = (channels + 1) // 2
    dw = empty(shape, x.dtype)
    _dot_blocks(dy, x, dw, groups, filters, channels, *meetings)
    return dw


def sums_of_maps(dy: Array) -> Array:
    """db (F,), for dy (F, OH, OW, N)."""
    of_rows = empty(dy.shape[:2], np.float64)
    _sum_rows_of_maps(layout.rows(dy), of_rows, layout.parts(dy.shape[1]))
    db = empty((len(dy),), dy.dtype)
    _add_rows_of_maps(of_rows, db)
    return db


@compiled_parallel
def _add_rows_of_maps(team: int, of_rows: Array, db: Array) -> None:
    for f in tasks(invite(team), len(db)):
        total = 0.0
        for h in range(of_rows.shape[1]):
            total += of_rows[f, h]
        db[f] = total


@compiled_parallel
def _sum_rows_of_maps(team: int, dy: Array, of_rows: Array, parts: int) -> None:
    """The sum of each row of each map (F, OH, OW·N)."""
    F, OH, length = dy.shape
    whole = length // LANES * LANES
    for task in tasks(invite(team), OH * parts):
        h, part = task // parts, task % parts
        for f in range(part * F // parts, (part + 1) * F // parts):
            row, s = dy[f, h], fill(dy.dtype.type(0))
            for k in range(0, whole, LANES):
                s = s + load(row, k)
            total = sum_of(s)
            for k in range(whole, length):
                total += row[k]
            of_rows[f, h] = total


@functools.lru_cache(maxsize=1024)
def meetings(window: Window, source: Pair, target: Pair) -> Meetings:
    """For images of size `source` (H, W) and an output of size `target`."""
    down, across = (_meetings(window, axis, source[axis], target[axis]) for axis in (0, 1))
    return Meetings(down, across, window.stride)


def _meetings(window: Window, axis: int, source: int, target: int) -> Integers:
    kernel, stride, padding, dilation = (field[axis] for field in window)
    begins = np.arange(kernel) * dilation - padding  # where output 0 looks for x
    first = np.maximum(0, -(begins // stride))  # rounded up
    last = np.minimum(target - 1, (source - 1 - begins) // stride)
    return np.stack([first, begins + first * stride, np.maximum(0, last - first + 1)], axis=1)


@compiled
def _dot(
    s: Any,
    dy: Array,
    to: int,
    to_step: int,
    map_: int,
    x: Array,
    at: Array,
    at_step: int,
    pieces: int,
    low: int,
    high: int,
    total: Array,
    slot: Array,
    t: int,
) -> None:
    """total[slot[t + c], r] += dy[to + r·map_ …] · x[at[t + c] …] for a tile.

    Each stretch is made of pieces, a step apart; these are their numbers low … high − 1.
    """
    for piece in range(pieces):
        for k in range(low, high, LANES):
            s = dots(s, dy, to + piece * to_step + k, map_, x, at, t, piece * at_step + k)
    keep(s, total, slot, t)


@compiled
def _dot_rest(
    dy: Array,
    to: int,
    to_step: int,
    x: Array,
    at: int,
    at_step: int,
    pieces: int,
    whole: int,
    length: int,
    lanes: Array,
) -> None:
    """What is left at the end of each piece, fewer than LANES numbers."""
    for piece in range(pieces):
        above = dy[to + piece * to_step : to + piece * to_step + length]
        below = x[at + piece * at_step : at + piece * at_step + length]
        for k in range(whole, length):
            lanes[k - whole] += above[k] * below[k]


@compiled
def _list_taps_of_row(
    shape: Sizes,
    c: int,
    channels: int,
    down: Array,
    row: int,
    row_stride: int,
    source_column: int,
    KW: int,
    j: int,
    at: Array,
    slot: Array,
) -> int:
    """The taps (c, i) that meet x (C, H, W, N) at this row of dy, for one j; how many.

    `at` says where the stretch that each meets begins, `slot` which tap it is.
    """
    _, H, W, N = shape
    terms = 0
    for channel in range(channels):
        for i in range(len(down)):
            first_row, source_row, count = down[i, 0], down[i, 1], down[i, 2]
            if first_row <= row < first_row + count:
                h = source_row + (row - first_row) * row_stride
                at[terms] = (((c + channel) * H + h) * W + source_column) * N
                slot[terms] = (channel * len(down) + i) * KW + j
                terms += 1
    return terms


@compiled
def _filters(block: int, full: int, few: int, filters: int) -> Pair:
    """The first filter of a block, and how many it has: the last may repeat some of another."""
    if block < full:
        return block * ROWS, ROWS
    return min(full * ROWS + (block - full) * few, filters - few), few


@compiled_parallel
def _dot_blocks(
    team: int,
    dy: Array,
    x: Array,
    dw: Array,
    groups: int,
    most_filters: int,
    most_channels: int,
    down: Array,
    across: Array,
    strides: Pair,
) -> None:
    """One owner for a block of filters and one of channels."""
    F, C, KH, KW = dw.shape[0] // groups, dw.shape[1], dw.shape[2], dw.shape[3]
    OH, OW, N = dy.shape[1], dy.shape[2], dy.shape[3]
    from_x, from_dy, map_ = x.reshape(-1), dy.reshape(-1), OH * OW * N
    zero = x.dtype.type(0)
    f_blocks = (F + most_filters - 1) // most_filters
    c_blocks = (C + most_channels - 1) // most_channels
    for task in tasks(invite(team), groups * f_blocks * c_blocks):
        g, rest = task // (f_blocks * c_blocks), task % (f_blocks * c_blocks)
        f, c = rest // c_blocks * most_filters, rest % c_blocks * most_channels
        filters, channels = min(most_filters, F - f), min(most_channels, C - c)
        f += g * F
        at = np.empty(channels * KH + TAPS - 1, np.intp)
        slot = np.empty(channels * KH + TAPS - 1, np.intp)
        spare = channels * KH * KW  # one slot more than there are taps
        few = FEW if filters >= FEW else 1  # rows of the tiles for what is left of the filters
        full = filters // ROWS
        blocks = full + (filters - full * ROWS + few - 1) // few
        total = np.zeros((blocks, (spare + 1) * ROWS * LANES), x.dtype)  # slots, rows, lanes
        for row in range(OH):
            for j in range(KW):
                column, source, count = across[j, 0], across[j, 1], across[j, 2]
                terms = _list_taps_of_row(
                    x.shape, g * C + c, channels, down, row, strides[0], source, KW, j, at, slot
                )
                if terms == 0 or count == 0:
                    continue
                while terms % TAPS:  # fill up the last of them
                    at[terms], slot[terms] = at[terms - 1], spare
                    terms += 1
                begin = ((f * OH + row) * OW + column) * N
                # neighbours on both sides make one long piece, cut into stretches
                together = strides[1] == 1
                pieces, piece = (1, count * N) if together else (count, N)
                longest = STRETCH if together else piece
                to_step, at_step = N, strides[1] * N
                whole = piece // LANES * LANES
                for low in range(0, whole, longest):
                    high = min(low + longest, whole)
                    for block in range(blocks):
                        first, rows = _filters(block, full, few, filters)
                        to = begin + first * map_
                        for t in range(0, terms, TAPS):
                            if rows == ROWS:
                                _dot(
                                    tile(zero, ROWS, TAPS), from_dy, to, to_step, map_, from_x,
                                    at, at_step, pieces, low, high, total[block], slot, t,
                                )  # fmt: skip
                            elif rows == FEW:
                                _dot(
                                    tile(zero, FEW, TAPS), from_dy, to, to_step, map_, from_x,
                                    at, at_step, pieces, low, high, total[block], slot, t,
                                )  # fmt: skip
                            else:
                                _dot(
                                    tile(zero, 1, TAPS), from_dy, to, to_step, map_, from_x,
                                    at, at_step, pieces, low, high, total[block], slot, t,
                                )  # fmt: skip
                if whole < piece:
                    for block in range(blocks):
                        first, rows = _filters(block, full, few, filters)
                        for r in range(rows):
                            for t in range(terms):
                                n = (slot[t] * rows + r) * LANES
                                _dot_rest(
                                    from_dy, begin + (first + r) * map_, to_step, from_x, at[t],
                                    at_step, pieces, whole, piece, total[block, n : n + LANES],
                                )  # fmt: skip
        for block in range(blocks):
            first, rows = _filters(block, full, few, filters)
            for r in range(rows):
                for tap in range(channels * KH * KW):
                    n = (tap * rows + r) * LANES
                    channel, i, j = tap // (KH * KW), tap // KW % KH, tap % KW
                    dw[f + first + r, c + channel, i, j] = sum_of(load(total[block], n))
