"""Convolution as a sum of stretches: the forward pass, and the gradient of the input.

For one row of the output every tap (c, i, j) of a filter meets one stretch of a source row, W·N
numbers long where the memory is batch-last. So a convolution is

    y[f, stretch] = b[f] + Σ over the taps t of w[f, t] · x[stretch moved by tap t]

and the gradient of the input is the same sum with the weights transposed. The tables of `taps` say
which stretches there are. They are taken in `lanes`, a register full of neighbouring numbers, with
eight sums in registers at once, so that each number that is loaded is used eight times. The
gradient of the weights is in `conv_weights`, other forms of a convolution in `forms`.
"""

from __future__ import annotations

import numpy as np
from numba import prange

from minise.backend import Array
from minise.kernels.numba.compile import compiled, compiled_parallel
from minise.kernels.numba.lanes import LANES, fill, load, store
from minise.kernels.numba.layout import parts
from minise.kernels.numba.memory import empty
from minise.kernels.numba.taps import NONE, Taps

FEW = 2  # filters in a group, up to which they are better computed one by one
FILTERS = 8  # sums in flight when stretches are added up: each number loaded is used so often


def sum_of_stretches(x: Array, w: Array, b: Array | None, table: Taps) -> Array:
    """y (F, OH, OW, N) for x (C, H, W, N) with N >= LANES, w (G, F/G, terms), b (F,)."""
    G, F = w.shape[:2]
    OH, OW = len(table.source), int(table.runs[:, 3].sum())
    y = empty((G * F, OH, OW, x.shape[3]), x.dtype)
    b = np.zeros(G * F, x.dtype) if b is None else np.require(b, requirements=["C", "W"])
    w = np.require(w, requirements=["C", "W"])
    blocks = G * -(-F // FILTERS)
    _sum_rows(x, w, b, y, *table, min(blocks, parts(OH)))
    return y


@compiled
def _sum_eight(
    x: Array,
    at: Array,
    slot: Array,
    terms: int,
    moved: int,
    w: Array,
    b: Array,
    f: int,
    filters: int,
    y: Array,
    to: int,
    stride: int,
) -> None:
    """Lanes of eight filters f …: b[f] + Σ over the terms of w[f, term] · x[at[term] + moved…]."""
    f1, f2, f3 = f + min(1, filters - 1), f + min(2, filters - 1), f + min(3, filters - 1)
    f4, f5 = f + min(4, filters - 1), f + min(5, filters - 1)
    f6, f7 = f + min(6, filters - 1), f + min(7, filters - 1)
    w0, w1, w2, w3, w4, w5, w6, w7 = w[f], w[f1], w[f2], w[f3], w[f4], w[f5], w[f6], w[f7]
    s0, s1, s2, s3 = fill(b[f]), fill(b[f1]), fill(b[f2]), fill(b[f3])
    s4, s5, s6, s7 = fill(b[f4]), fill(b[f5]), fill(b[f6]), fill(b[f7])
    for t in range(terms):
        p, k = load(x, at[t] + moved), slot[t]
        s0, s1 = s0 + w0[k] * p, s1 + w1[k] * p
        s2, s3 = s2 + w2[k] * p, s3 + w3[k] * p
        s4, s5 = s4 + w4[k] * p, s5 + w5[k] * p
        s6, s7 = s6 + w6[k] * p, s7 + w7[k] * p
    sums = (s0, s1, s2, s3, s4, s5, s6, s7)
    for number in range(filters):
        store(y, to + number * stride, sums[number])


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
    """The same for the filter f alone over a whole stretch: each weight is used four times."""
    low = 0
    while low < length:
        if length - low >= 4 * LANES:
            s0 = s1 = s2 = s3 = fill(b[f])
            for t in range(terms):
                k, v = at[t] + moved + low, w[f, slot[t]]
                s0, s1 = s0 + v * load(x, k), s1 + v * load(x, k + LANES)
                s2, s3 = s2 + v * load(x, k + 2 * LANES), s3 + v * load(x, k + 3 * LANES)
            store(y, to + low, s0)
            store(y, to + low + LANES, s1)
            store(y, to + low + 2 * LANES, s2)
            store(y, to + low + 3 * LANES, s3)
            low += 4 * LANES
        else:
            low = min(low, length - LANES)
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
    x: Array, w: Array, b: Array, y: Array, source: Array, runs: Array, parts: int
) -> None:
    """One owner for a part of the filters of one row."""
    groups, F, all_terms = w.shape
    C, N, blocks = x.shape[0] // groups, x.shape[3], (F + FILTERS - 1) // FILTERS
    OH, OW, pixels = y.shape[1], y.shape[2], x.shape[1] * x.shape[2]
    stride, from_x, to_y = OH * OW * N, x.reshape(-1), y.reshape(-1)
    for task in prange(OH * parts):
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
                begin, end = max(first - g * blocks, 0), min(last - g * blocks, blocks)
                weights, bias = w[g], b[g * F : g * F + F]
                for piece in range(pieces):
                    moved = (g * C * pixels + piece * source_step) * N
                    to = ((g * F * OH + row) * OW + column + piece * step) * N
                    if F <= FEW:
                        for f in range(F):
                            _sum_one(
                                from_x, at, slot, terms, moved, weights, bias, f,
                                to_y, to + f * stride, length,
                            )  # fmt: skip
                        continue
                    for low in range(0, length, LANES):
                        n = min(low, length - LANES)  # the last may compute some numbers again
                        for f in range(begin * FILTERS, min(end * FILTERS, F), FILTERS):
                            _sum_eight(
                                from_x, at, slot, terms, moved + n, weights, bias, f,
                                min(FILTERS, F - f), to_y, to + n + f * stride, stride,
                            )  # fmt: skip
