"""The gradient of a convolution's weights: dot products of stretches.

    dw[f, t] = Σ over the stretches of dy[f, stretch] · x[stretch moved by tap t]

for every filter f and tap t = (c, i, j). Four filters and four taps are in flight at once, so that
each number that is loaded is used four times. See `conv` for stretches and taps.
"""

from __future__ import annotations

import numpy as np
from numba import prange

from minise.backend import Array
from minise.kernels.numba.compile import compiled, compiled_parallel
from minise.kernels.numba.lanes import LANES, load, store
from minise.kernels.numba.taps import NONE, Taps

STRETCH = 2048  # numbers: what four filters and four taps meet stays in the second cache
TASKS = 8  # at least, where the work can be divided: more than the threads of most machines


def dots_of_stretches(
    dy: Array, x: Array, shape: tuple[int, ...], groups: int, table: Taps
) -> Array:
    """dw of the given shape (F, C/G, KH, KW), for dy (F, OH, OW, N) and x (C, H, W, N)."""
    F, C = shape[0] // groups, shape[1]
    # a task is a block of filters and one of channels: large, to read dy and x less often
    filters, channels = min(16, F), min(8, C)
    while groups * -(-F // filters) * -(-C // channels) < TASKS and max(filters // 4, channels) > 1:
        if filters > 4:
            filters //= 2
        else:
            channels //= 2
    dw = np.empty(shape, x.dtype)
    _dot_blocks(dy, x, dw, groups, filters, channels, *table)
    return dw


@compiled
def _stretches(run: Array, N: int) -> tuple[int, int]:
    """How many stretches a run of columns has, and their length: neighbours make one long one."""
    together = run[1] == 1 and run[2] == 1
    return (1, run[3] * N) if together else (run[3], N)


@compiled
def _load_four(total: Array, k: int) -> tuple[Array, ...]:
    one, two, three = np.uintp(LANES), np.uintp(2 * LANES), np.uintp(3 * LANES)
    return load(total, k), load(total, k + one), load(total, k + two), load(total, k + three)


@compiled
def _store_four(total: Array, k: int, a: Array, b: Array, c: Array, d: Array) -> None:
    store(total, k, a)
    store(total, k + np.uintp(LANES), b)
    store(total, k + np.uintp(2 * LANES), c)
    store(total, k + np.uintp(3 * LANES), d)


@compiled
def _dot_four(
    dy: Array,
    to: int,
    stride: int,
    x: Array,
    at: Array,
    slot: Array,
    moved: int,
    length: int,
    total: Array,
) -> None:
    """total[slot[t], f] += dy[to + f·stride…] · x[at[t] + moved…], for four terms t and filters f.

    `total` (slots · 4 · LANES,) has lanes for each dot product, which are added up at the end.
    """
    lanes_of_four = np.uintp(4 * LANES)
    k0, k1, k2, k3 = (
        slot[0] * lanes_of_four,
        slot[1] * lanes_of_four,
        slot[2] * lanes_of_four,
        slot[3] * lanes_of_four,
    )
    a0, b0, c0, d0 = _load_four(total, k0)
    a1, b1, c1, d1 = _load_four(total, k1)
    a2, b2, c2, d2 = _load_four(total, k2)
    a3, b3, c3, d3 = _load_four(total, k3)
    n0, n1, n2, n3 = at[0] + moved, at[1] + moved, at[2] + moved, at[3] + moved
    for k in range(0, length, LANES):
        x0, x1, x2, x3 = load(x, n0 + k), load(x, n1 + k), load(x, n2 + k), load(x, n3 + k)
        p = load(dy, to + k)
        a0, a1, a2, a3 = a0 + p * x0, a1 + p * x1, a2 + p * x2, a3 + p * x3
        p = load(dy, to + stride + k)
        b0, b1, b2, b3 = b0 + p * x0, b1 + p * x1, b2 + p * x2, b3 + p * x3
        p = load(dy, to + 2 * stride + k)
        c0, c1, c2, c3 = c0 + p * x0, c1 + p * x1, c2 + p * x2, c3 + p * x3
        p = load(dy, to + 3 * stride + k)
        d0, d1, d2, d3 = d0 + p * x0, d1 + p * x1, d2 + p * x2, d3 + p * x3
    _store_four(total, k0, a0, b0, c0, d0)
    _store_four(total, k1, a1, b1, c1, d1)
    _store_four(total, k2, a2, b2, c2, d2)
    _store_four(total, k3, a3, b3, c3, d3)


@compiled
def _dot_one(
    dy: Array,
    to: int,
    x: Array,
    at: Array,
    slot: Array,
    f: int,
    moved: int,
    length: int,
    total: Array,
) -> None:
    """The same for the filter f alone."""
    k0, k1 = (slot[0] * 4 + f) * LANES, (slot[1] * 4 + f) * LANES
    k2, k3 = (slot[2] * 4 + f) * LANES, (slot[3] * 4 + f) * LANES
    s0, s1, s2, s3 = load(total, k0), load(total, k1), load(total, k2), load(total, k3)
    n0, n1, n2, n3 = at[0] + moved, at[1] + moved, at[2] + moved, at[3] + moved
    for k in range(0, length, LANES):
        p = load(dy, to + k)
        s0, s1 = s0 + p * load(x, n0 + k), s1 + p * load(x, n1 + k)
        s2, s3 = s2 + p * load(x, n2 + k), s3 + p * load(x, n3 + k)
    store(total, k0, s0)
    store(total, k1, s1)
    store(total, k2, s2)
    store(total, k3, s3)


@compiled
def _dot_block(
    dy: Array,
    x: Array,
    dw: Array,
    source: Array,
    runs: Array,
    f: int,
    filters: int,
    c: int,
    from_c: int,
    channels: int,
) -> None:
    """dw of filters f, f + 1, … and channels c, c + 1, …, which are from_c, … in x."""
    KH, KW, N = dw.shape[2], dw.shape[3], x.shape[3]
    OH, OW = dy.shape[1], dy.shape[2]
    stride, all_terms = OH * OW * N, channels * KH * KW
    pixels, from_x, from_dy = x.shape[1] * x.shape[2], x.reshape(-1), dy.reshape(-1)
    at, slot = np.empty(all_terms + 3, np.intp), np.empty(all_terms + 3, np.intp)
    fours = (filters + 3) // 4
    total = np.zeros((fours, (all_terms + 1) * 4 * LANES), x.dtype)  # one slot more, never read
    for row in range(OH):
        for run in range(len(runs)):
            terms = 0
            for channel in range(channels):
                for tap in range(KH * KW):
                    if source[row, run, tap] != NONE:
                        at[terms] = ((from_c + channel) * pixels + source[row, run, tap]) * N
                        slot[terms] = channel * KH * KW + tap
                        terms += 1
            while terms % 4:  # fill up the last four
                at[terms], slot[terms] = at[terms - 1], all_terms
                terms += 1
            pieces, length = _stretches(runs[run], N)
            whole = length // LANES * LANES
            for piece in range(pieces):
                moved = piece * runs[run, 2] * N
                begin = (row * OW + runs[run, 0] + piece * runs[run, 1]) * N
                for low in range(0, length, STRETCH):
                    size = min(STRETCH, whole - low)
                    for k in range(filters):
                        to = (f + k) * stride + begin + low
                        if k % 4 == 0 and filters - k >= 4:
                            for t in range(0, terms, 4):
                                _dot_four(
                                    from_dy, to, stride, from_x, at[t : t + 4], slot[t : t + 4],
                                    moved + low, size, total[k // 4],
                                )  # fmt: skip
                        elif k >= filters // 4 * 4:
                            for t in range(0, terms, 4):
                                _dot_one(
                                    from_dy, to, from_x, at[t : t + 4], slot[t : t + 4], k % 4,
                                    moved + low, size, total[k // 4],
                                )  # fmt: skip
                for k in range(filters):
                    above = from_dy[(f + k) * stride + begin : (f + k) * stride + begin + length]
                    for t in range(terms):
                        below = from_x[at[t] + moved : at[t] + moved + length]
                        for n in range(whole, length):  # less than lanes
                            lanes = (slot[t] * 4 + k % 4) * LANES
                            total[k // 4, lanes + n - whole] += above[n] * below[n]
    for k in range(filters):
        for t in range(all_terms):
            lanes = (t * 4 + k % 4) * LANES
            tap = t % (KH * KW)
            dw[f + k, c + t // (KH * KW), tap // KW, tap % KW] = total[
                k // 4, lanes : lanes + LANES
            ].sum()


@compiled_parallel
def _dot_blocks(
    dy: Array,
    x: Array,
    dw: Array,
    groups: int,
    filters: int,
    channels: int,
    source: Array,
    runs: Array,
) -> None:
    """One owner for a block of filters and one of channels."""
    F, C = dw.shape[0] // groups, dw.shape[1]
    f_blocks, c_blocks = (F + filters - 1) // filters, (C + channels - 1) // channels
    for task in prange(groups * f_blocks * c_blocks):
        g, rest = task // (f_blocks * c_blocks), task % (f_blocks * c_blocks)
        f, c = rest // c_blocks * filters, rest % c_blocks * channels
        _dot_block(
            dy, x, dw, source, runs,
            g * F + f, min(filters, F - f), c, g * C + c, min(channels, C - c),
        )  # fmt: skip
