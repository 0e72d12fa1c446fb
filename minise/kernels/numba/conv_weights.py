"""The gradient of a convolution's weights: dot products of stretches.

    dw[f, t] = Σ over rows and columns of dy[f, stretch] · x[stretch moved by tap t]

for every filter f and tap t = (c, i, j). For one row of dy and one j, a stretch is all the columns
where tap j meets x. Four filters and three taps are in flight at once, twelve sums in registers, so
that each number of dy that is loaded is used three times and each of x four times.
"""

from __future__ import annotations

import functools
from typing import NamedTuple

import numpy as np

from minise.arrays import Array
from minise.kernels.numba.compile import compiled
from minise.kernels.numba.lanes import LANES, load, store
from minise.kernels.numba.layout import TASKS
from minise.kernels.numba.taps import Integers
from minise.kernels.numba.tasks import invite, tasks
from minise.kernels.numba.team import compiled_parallel
from minise.shapes import Pair, Window

TAPS = 3  # in flight at once
STRETCH = 1024  # numbers: as many of three taps and four filters stay in the first cache


class Meetings(NamedTuple):
    """Where each tap of a window first meets x, seen from dy and from x, and how often."""

    down: Integers  # (KH, 3)
    across: Integers  # (KW, 3)
    stride: Pair


def dots_of_stretches(dy: Array, x: Array, shape: tuple[int, ...], meetings: Meetings) -> Array:
    """dw of the given shape (F, C/G, KH, KW), for dy (F, OH, OW, N) and x (C, H, W, N)."""
    groups = x.shape[0] // shape[1]
    F, C = shape[0] // groups, shape[1]
    # a task is a block of filters and one of channels: large, to read dy and x less often
    filters, channels = min(16, F), min(8, C)
    while groups * -(-F // filters) * -(-C // channels) < TASKS and max(filters // 4, channels) > 1:
        if filters > 4:
            filters //= 2
        else:
            channels //= 2
    dw = np.empty(shape, x.dtype)
    _dot_blocks(dy, x, dw, groups, filters, channels, *meetings)
    return dw


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
def _load_four(total: Array, k: int) -> tuple[Array, ...]:
    return (
        load(total, k),
        load(total, k + LANES),
        load(total, k + 2 * LANES),
        load(total, k + 3 * LANES),
    )


@compiled
def _store_four(total: Array, k: int, a: Array, b: Array, c: Array, d: Array) -> None:
    store(total, k, a)
    store(total, k + LANES, b)
    store(total, k + 2 * LANES, c)
    store(total, k + 3 * LANES, d)


@compiled
def _dot_four(
    dy: Array,
    to: int,
    to_step: int,
    stride: int,
    x: Array,
    at: Array,
    at_step: int,
    pieces: int,
    length: int,
    total: Array,
    slot: Array,
    t: int,
) -> None:
    """total[slot[u], f] += dy[to + f·stride…] · x[at[u]…], for the terms u = t … t + 2, four f.

    Each stretch is made of pieces, a step apart. `total` (slots · 4 · LANES,) has lanes for each
    dot product, which are added up at the end.
    """
    k0, k1, k2 = slot[t] * 4 * LANES, slot[t + 1] * 4 * LANES, slot[t + 2] * 4 * LANES
    a0, b0, c0, d0 = _load_four(total, k0)
    a1, b1, c1, d1 = _load_four(total, k1)
    a2, b2, c2, d2 = _load_four(total, k2)
    for piece in range(pieces):
        n, m = piece * at_step, to + piece * to_step
        n0, n1, n2 = at[t] + n, at[t + 1] + n, at[t + 2] + n
        for k in range(0, length, LANES):
            x0, x1, x2 = load(x, n0 + k), load(x, n1 + k), load(x, n2 + k)
            p = load(dy, m + k)
            a0, a1, a2 = a0 + p * x0, a1 + p * x1, a2 + p * x2
            p = load(dy, m + stride + k)
            b0, b1, b2 = b0 + p * x0, b1 + p * x1, b2 + p * x2
            p = load(dy, m + 2 * stride + k)
            c0, c1, c2 = c0 + p * x0, c1 + p * x1, c2 + p * x2
            p = load(dy, m + 3 * stride + k)
            d0, d1, d2 = d0 + p * x0, d1 + p * x1, d2 + p * x2
    _store_four(total, k0, a0, b0, c0, d0)
    _store_four(total, k1, a1, b1, c1, d1)
    _store_four(total, k2, a2, b2, c2, d2)


@compiled
def _dot_one(
    dy: Array,
    to: int,
    to_step: int,
    f: int,
    x: Array,
    at: Array,
    at_step: int,
    pieces: int,
    length: int,
    total: Array,
    slot: Array,
    t: int,
) -> None:
    """The same for one of the four filters alone."""
    k0, k1 = (slot[t] * 4 + f) * LANES, (slot[t + 1] * 4 + f) * LANES
    k2 = (slot[t + 2] * 4 + f) * LANES
    s0, s1, s2 = load(total, k0), load(total, k1), load(total, k2)
    for piece in range(pieces):
        n, m = piece * at_step, to + piece * to_step
        n0, n1, n2 = at[t] + n, at[t + 1] + n, at[t + 2] + n
        for k in range(0, length, LANES):
            p = load(dy, m + k)
            s0, s1, s2 = (
                s0 + p * load(x, n0 + k),
                s1 + p * load(x, n1 + k),
                s2 + p * load(x, n2 + k),
            )
    store(total, k0, s0)
    store(total, k1, s1)
    store(total, k2, s2)


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
def _list_terms(
    x: Array,
    c: int,
    channels: int,
    down: Array,
    row: int,
    row_stride: int,
    column: int,
    taps: Pair,
    at: Array,
    slot: Array,
) -> int:
    """The taps (c, i) that meet x at this row of dy, for one j = taps[1] of KW = taps[0]; how many.

    `at` says where the stretch that each meets begins, `slot` which tap it is.
    """
    H, W, N = x.shape[1], x.shape[2], x.shape[3]
    terms = 0
    for channel in range(channels):
        for i in range(len(down)):
            first_row, source_row, rows = down[i, 0], down[i, 1], down[i, 2]
            if first_row <= row < first_row + rows:
                h = source_row + (row - first_row) * row_stride
                at[terms] = (((c + channel) * H + h) * W + column) * N
                slot[terms] = (channel * len(down) + i) * taps[0] + taps[1]
                terms += 1
    return terms


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
    from_x, from_dy, stride = x.reshape(-1), dy.reshape(-1), OH * OW * N
    f_blocks = (F + most_filters - 1) // most_filters
    c_blocks = (C + most_channels - 1) // most_channels
    for task in tasks(invite(team), groups * f_blocks * c_blocks):
        g, rest = task // (f_blocks * c_blocks), task % (f_blocks * c_blocks)
        f, c = rest // c_blocks * most_filters, rest % c_blocks * most_channels
        filters, channels = min(most_filters, F - f), min(most_channels, C - c)
        f += g * F
        at = np.empty(channels * KH + 2, np.intp)
        slot = np.empty(channels * KH + 2, np.intp)
        spare = channels * KH * KW  # one slot more than there are taps
        total = np.zeros(((filters + 3) // 4, (spare + 1) * 4 * LANES), x.dtype)
        for row in range(OH):
            for j in range(KW):
                column, source_column, count = across[j, 0], across[j, 1], across[j, 2]
                terms = _list_terms(
                    x, g * C + c, channels, down, row, strides[0], source_column, (KW, j), at, slot
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
                    length = min(longest, whole - low)
                    for k in range(filters):
                        to = begin + k * stride + low
                        if k % 4 == 0 and filters - k >= 4:
                            for t in range(0, terms, TAPS):
                                _dot_four(
                                    from_dy, to, to_step, stride, from_x, at, at_step,
                                    pieces, length, total[k // 4], slot, t,
                                )  # fmt: skip
                        elif k >= filters // 4 * 4:
                            for t in range(0, terms, TAPS):
                                _dot_one(
                                    from_dy, to, to_step, k % 4, from_x, at, at_step,
                                    pieces, length, total[k // 4], slot, t,
                                )  # fmt: skip
                    for t in range(terms):
                        at[t] += length
                if whole < piece:
                    for k in range(filters):
                        for t in range(terms):
                            n = (slot[t] * 4 + k % 4) * LANES
                            _dot_rest(
                                from_dy, begin + k * stride, to_step, from_x, at[t] - whole,
                                at_step, pieces, whole, piece, total[k // 4, n : n + LANES],
                            )  # fmt: skip
        for k in range(filters):
            for channel in range(channels):
                for tap in range(KH * KW):
                    n, dot = ((channel * KH * KW + tap) * 4 + k % 4) * LANES, x.dtype.type(0)
                    for lane in range(LANES):
                        dot += total[k // 4, n + lane]
                    dw[f + k, c + channel, tap // KW, tap % KW] = dot
