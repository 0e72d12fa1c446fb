"""Convolution as a sum of stretches: the forward pass, and the gradient of the input.

For one row of the output every tap (c, i, j) of a filter meets one stretch of a source row, W·N
numbers long where the memory is batch-last. So a convolution is

    y[f, stretch] = b[f] + Σ over the taps t of w[f, t] · x[stretch moved by tap t]

and the gradient of the input is the same sum with the weights transposed. The tables of `taps` list
the stretches. They are taken in `lanes`, a register full of neighbouring numbers: four
filters over three lanes are twelve sums that stay in registers, so that each pixel that is loaded
is used four times and each weight three times. The gradient of the weights is in `conv_weights`,
other forms of a convolution in `conv`.
"""

from __future__ import annotations

import numpy as np

from minise.arrays import Array
from minise.kernels.numba.compile import compiled
from minise.kernels.numba.lanes import LANES, fill, load, store
from minise.kernels.numba.layout import parts
from minise.kernels.numba.memory import empty, zeros
from minise.kernels.numba.taps import NONE, Taps
from minise.kernels.numba.tasks import invite, tasks
from minise.kernels.numba.team import compiled_parallel

FILTERS = 4  # whose sums are in registers at once


def sum_of_stretches(x: Array, w: Array, b: Array | None, table: Taps) -> Array:
    """y (F, OH, OW, N) for x (C, H, W, N) with N >= LANES, w (G, F/G, terms), b (F,)."""
    G, F = w.shape[:2]
    OH, OW = len(table.source), int(table.runs[:, 3].sum())
    y = empty((G * F, OH, OW, x.shape[3]), x.dtype)
    b = zeros((G * F,), x.dtype) if b is None else np.require(b, requirements=["C", "W"])
    w = np.require(w, requirements=["C", "W"])
    blocks = G * -(-F // FILTERS)
    _sum_rows(x, w, b, y, *table, min(blocks, parts(OH)))
    return y


@compiled
def _sum_four(
    x: Array,
    at: Array,
    slot: Array,
    terms: int,
    moved: int,
    w: Array,
    b: Array,
    f: int,
    y: Array,
    to: int,
    stride: int,
) -> None:
    """Three lanes of four filters f …: b[f] + Σ over terms of w[f, term] · x[at[term] + moved…]."""
    w0, w1, w2, w3 = w[f], w[f + 1], w[f + 2], w[f + 3]
    a0 = a1 = a2 = fill(b[f])
    b0 = b1 = b2 = fill(b[f + 1])
    c0 = c1 = c2 = fill(b[f + 2])
    d0 = d1 = d2 = fill(b[f + 3])
    for t in range(terms):
        n, k = at[t] + moved, slot[t]
        p, q, r = load(x, n), load(x, n + LANES), load(x, n + 2 * LANES)
        a0, a1, a2 = a0 + w0[k] * p, a1 + w0[k] * q, a2 + w0[k] * r
        b0, b1, b2 = b0 + w1[k] * p, b1 + w1[k] * q, b2 + w1[k] * r
        c0, c1, c2 = c0 + w2[k] * p, c1 + w2[k] * q, c2 + w2[k] * r
        d0, d1, d2 = d0 + w3[k] * p, d1 + w3[k] * q, d2 + w3[k] * r
    _store_three(y, to, a0, a1, a2)
    _store_three(y, to + stride, b0, b1, b2)
    _store_three(y, to + 2 * stride, c0, c1, c2)
    _store_three(y, to + 3 * stride, d0, d1, d2)


@compiled
def _store_three(y: Array, to: int, p: Array, q: Array, r: Array) -> None:
    store(y, to, p)
    store(y, to + LANES, q)
    store(y, to + 2 * LANES, r)


@compiled
def _sum_four_short(
    x: Array,
    at: Array,
    slot: Array,
    terms: int,
    moved: int,
    w: Array,
    b: Array,
    f: int,
    y: Array,
    to: int,
    stride: int,
) -> None:
    """The same, one of lanes."""
    w0, w1, w2, w3 = w[f], w[f + 1], w[f + 2], w[f + 3]
    s0, s1, s2, s3 = fill(b[f]), fill(b[f + 1]), fill(b[f + 2]), fill(b[f + 3])
    for t in range(terms):
        p, k = load(x, at[t] + moved), slot[t]
        s0, s1, s2, s3 = s0 + w0[k] * p, s1 + w1[k] * p, s2 + w2[k] * p, s3 + w3[k] * p
    store(y, to, s0)
    store(y, to + stride, s1)
    store(y, to + 2 * stride, s2)
    store(y, to + 3 * stride, s3)


@compiled
def _sum_one(
    x: Array,
    at: Array,
    slot: Array,
    terms: int,
    moved: int,
    w: Array,
    b: Array,
    f: int,
    y: Array,
    to: int,
    length: int,
) -> None:
    """A whole stretch of the filter f alone, by four lanes as long as that goes."""
    low = 0
    while low < length:
        if length - low >= 4 * LANES:
            s0 = s1 = s2 = s3 = fill(b[f])
            for t in range(terms):
                n, v = at[t] + moved + low, w[f, slot[t]]
                s0, s1 = s0 + v * load(x, n), s1 + v * load(x, n + LANES)
                s2, s3 = s2 + v * load(x, n + 2 * LANES), s3 + v * load(x, n + 3 * LANES)
            _store_three(y, to + low, s0, s1, s2)
            store(y, to + low + 3 * LANES, s3)
            low += 4 * LANES
        else:
            low = min(low, length - LANES)  # the last lanes may compute some numbers again
            s = fill(b[f])
            for t in range(terms):
                s = s + w[f, slot[t]] * load(x, at[t] + moved + low)
            store(y, to + low, s)
            low += LANES


@compiled
def _list_terms(source: Array, channels: int, pixels: int, N: int, at: Array, slot: Array) -> int:
    """Where the stretch that each tap meets begins, and which weight is the tap's; how many."""
    terms = 0
    for c in range(channels):
        for tap in range(source.size):
            if source[tap] != NONE:
                at[terms] = (c * pixels + source[tap]) * N
                slot[terms] = c * source.size + tap
                terms += 1
    return terms


@compiled_parallel
def _sum_rows(
    team: int, x: Array, w: Array, b: Array, y: Array, source: Array, runs: Array, parts: int
) -> None:
    """One owner for a part of the filters of one row."""
    groups, F, all_terms = w.shape
    C, N, blocks = x.shape[0] // groups, x.shape[3], (F + FILTERS - 1) // FILTERS
    OH, OW, pixels = y.shape[1], y.shape[2], x.shape[1] * x.shape[2]
    stride, from_x, to_y = OH * OW * N, x.reshape(-1), y.reshape(-1)
    for task in tasks(invite(team), OH * parts):
        row, part = task // parts, task % parts
        # blocks of filters are counted over all groups
        first, last = part * groups * blocks // parts, (part + 1) * groups * blocks // parts
        at, slot = np.empty(all_terms, np.intp), np.empty(all_terms, np.uintp)
        for run in range(len(runs)):
            terms = _list_terms(source[row, run], C, pixels, N, at, slot)
            # neighbours on both sides make one long stretch, else each column is one
            column, step, source_step = runs[run, 0], runs[run, 1], runs[run, 2]
            together = step == 1 and source_step == 1
            pieces, length = (1, runs[run, 3] * N) if together else (runs[run, 3], N)
            for g in range(first // blocks, (last - 1) // blocks + 1):
                begin = max(first - g * blocks, 0) * FILTERS
                end = min((last - g * blocks) * FILTERS, F)
                fours = begin + (end - begin) // FILTERS * FILTERS
                weights, bias = w[g], b[g * F : g * F + F]
                for piece in range(pieces):
                    moved = (g * C * pixels + piece * source_step) * N
                    to = ((g * F * OH + row) * OW + column + piece * step) * N
                    threes = length // (3 * LANES) * 3 * LANES
                    for n in range(0, threes, 3 * LANES):
                        for f in range(begin, fours, FILTERS):
                            _sum_four(
                                from_x, at, slot, terms, moved + n, weights, bias, f,
                                to_y, to + n + f * stride, stride,
                            )  # fmt: skip
                    for low in range(threes, length, LANES):
                        n = min(low, length - LANES)  # the last may compute some numbers again
                        for f in range(begin, fours, FILTERS):
                            _sum_four_short(
                                from_x, at, slot, terms, moved + n, weights, bias, f,
                                to_y, to + n + f * stride, stride,
                            )  # fmt: skip
                    for f in range(fours, end):
                        _sum_one(
                            from_x, at, slot, terms, moved, weights, bias, f,
                            to_y, to + f * stride, length,
                        )  # fmt: skip
