"""Convolution: the forward pass, the gradient of the input, and that of the weights.

For one row of the output every tap (c, i, j) of a filter meets one stretch of a source row, W·N
numbers long where the memory is batch-last. So a convolution is a sum of stretches:

    y[f, stretch] += w[f, t] · x[stretch moved by tap t]           for every filter f and tap t

Four filters and four taps are in flight at once, so that each number that is loaded is used four
times. The gradient of the input is the same sum with the weights transposed; that of the weights
has dot products of stretches instead. The tables of `taps` say which stretches there are.
"""

from __future__ import annotations

import numpy as np
from numba import prange

from minise.backend import Array
from minise.kernels.numba.compile import compiled, compiled_parallel
from minise.kernels.numba.layout import batch_first, batch_last
from minise.kernels.numba.taps import rows_and_runs
from minise.shapes import Pair, Window

STRETCH = 512  # numbers: four rows of them and four sources stay in the first cache

# Unsigned, because a signed index may be negative, and to look for that stops vectorisation.
ROW_1, ROW_2, ROW_3 = np.uintp(STRETCH), np.uintp(2 * STRETCH), np.uintp(3 * STRETCH)


def conv2d(x: Array, w: Array, b: Array | None, window: Window, groups: int, output: Pair) -> Array:
    """y (N, F, OH, OW); see `ops.conv2d`."""
    F = w.shape[0]
    w = w.reshape(groups, F // groups, *w.shape[1:])  # (G, F/G, C/G, KH, KW)
    b = np.zeros(F, x.dtype) if b is None else np.ascontiguousarray(b)
    return _sum_of_stretches(batch_last(x), w, b, window, output, transposed=False)


def conv2d_backward(
    dy: Array, x: Array, w: Array, window: Window, groups: int
) -> tuple[Array, Array]:
    """(dx, dw); see `ops.conv2d_backward`."""
    (F, C), (H, W) = w.shape[:2], x.shape[2:]
    dy, x = batch_last(dy), batch_last(x)
    by_channel = w.reshape(groups, F // groups, *w.shape[1:]).swapaxes(1, 2)
    no_bias = np.zeros(C * groups, x.dtype)
    dx = _sum_of_stretches(dy, by_channel, no_bias, window, (H, W), transposed=True)
    dw = np.empty((F, *w.shape[1:]), w.dtype)
    rows, runs = rows_and_runs(window, (H, W), (dy.shape[1], dy.shape[2]), False)
    _dots(dy, x, dw, groups, *rows, *runs)
    return dx, dw


def _sum_of_stretches(
    x: Array, w: Array, b: Array, window: Window, output: Pair, *, transposed: bool
) -> Array:
    """x is (C, H, W, N), w (G, F/G, C/G, KH, KW), b (F,); the result (N, F, OH, OW)."""
    y = np.empty((b.size, *output, x.shape[3]), x.dtype)
    rows, runs = rows_and_runs(window, (x.shape[1], x.shape[2]), output, transposed)
    _sum_rows(x, np.require(w, requirements=["C", "A", "W"]), b, y, *rows, *runs)
    return batch_first(y)


@compiled
def _add_four(acc: Array, x: Array, at: Array, w: Array, t: int, length: int) -> None:
    """acc[f] += Σ over the terms t … t+3 of w[term, f] · x[at[term]…], for four rows f."""
    x0, x1 = x[at[t] : at[t] + length], x[at[t + 1] : at[t + 1] + length]
    x2, x3 = x[at[t + 2] : at[t + 2] + length], x[at[t + 3] : at[t + 3] + length]
    a0, b0, c0, d0 = w[t, 0], w[t, 1], w[t, 2], w[t, 3]
    a1, b1, c1, d1 = w[t + 1, 0], w[t + 1, 1], w[t + 1, 2], w[t + 1, 3]
    a2, b2, c2, d2 = w[t + 2, 0], w[t + 2, 1], w[t + 2, 2], w[t + 2, 3]
    a3, b3, c3, d3 = w[t + 3, 0], w[t + 3, 1], w[t + 3, 2], w[t + 3, 3]
    for k in range(np.uintp(length)):
        p, q, r, s = x0[k], x1[k], x2[k], x3[k]
        acc[k] += a0 * p + a1 * q + a2 * r + a3 * s
        acc[k + ROW_1] += b0 * p + b1 * q + b2 * r + b3 * s
        acc[k + ROW_2] += c0 * p + c1 * q + c2 * r + c3 * s
        acc[k + ROW_3] += d0 * p + d1 * q + d2 * r + d3 * s


@compiled
def _add_one(acc: Array, x: Array, at: Array, w: Array, t: int, length: int) -> None:
    """The same with the one term t."""
    x0 = x[at[t] : at[t] + length]
    a, b, c, d = w[t, 0], w[t, 1], w[t, 2], w[t, 3]
    for k in range(np.uintp(length)):
        p = x0[k]
        acc[k] += a * p
        acc[k + ROW_1] += b * p
        acc[k + ROW_2] += c * p
        acc[k + ROW_3] += d * p


@compiled
def _sum_row(
    x: Array,
    w: Array,
    b: Array,
    y: Array,
    g: int,
    f: int,
    oh: int,
    rows: tuple[Array, ...],
    runs: tuple[Array, ...],
) -> None:
    """Row oh of the four filters from f on (fewer at the end) of group g."""
    row_first, row_tap, row_source = rows
    start, step, source_step, pieces_of, run_first, run_tap, run_source = runs
    per_group, C = w.shape[1], w.shape[2]
    H, W, N = x.shape[1], x.shape[2], x.shape[3]
    filters = min(4, per_group - f)
    flat = x.reshape(-1)
    out = y.reshape(y.shape[0], y.shape[1], -1)[:, oh]  # (F, OW·N)
    acc = np.empty(4 * STRETCH, x.dtype)
    at = np.empty(C * w.shape[3] * w.shape[4], np.intp)  # where each term's stretch begins
    moved = np.empty_like(at)
    weights = np.zeros((at.size, 4), x.dtype)  # of each term, for each of the four filters
    for run in range(start.size):
        terms = 0
        for c in range(C):
            for i in range(row_first[oh], row_first[oh + 1]):
                for j in range(run_first[run], run_first[run + 1]):
                    at[terms] = (((g * C + c) * H + row_source[i]) * W + run_source[j]) * N
                    for k in range(filters):
                        weights[terms, k] = w[g, f + k, c, row_tap[i], run_tap[j]]
                    terms += 1
        # neighbours on both sides make one long piece, else each column is a piece of N numbers
        together = step[run] == 1 and source_step[run] == 1
        pieces, length = (1, pieces_of[run] * N) if together else (pieces_of[run], N)
        for piece in range(pieces):
            to = (start[run] + piece * step[run]) * N
            for low in range(0, length, STRETCH):
                size = min(STRETCH, length - low)
                for t in range(terms):
                    moved[t] = at[t] + piece * source_step[run] * N + low
                for k in range(filters):
                    acc[k * STRETCH : k * STRETCH + size] = b[g * per_group + f + k]
                by_four = terms // 4 * 4
                for t in range(0, by_four, 4):
                    _add_four(acc, flat, moved, weights, t, size)
                for t in range(by_four, terms):
                    _add_one(acc, flat, moved, weights, t, size)
                for k in range(filters):
                    result = acc[k * STRETCH : k * STRETCH + size]
                    out[g * per_group + f + k, to + low : to + low + size] = result


@compiled_parallel
def _sum_rows(
    x: Array,
    w: Array,
    b: Array,
    y: Array,
    r0: Array,
    r1: Array,
    r2: Array,
    c0: Array,
    c1: Array,
    c2: Array,
    c3: Array,
    c4: Array,
    c5: Array,
    c6: Array,
) -> None:
    """One owner for each four filters of one row; neighbours in time share the source rows."""
    blocks = (w.shape[1] + 3) // 4
    per_row = w.shape[0] * blocks
    for task in prange(y.shape[1] * per_row):
        oh, rest = task // per_row, task % per_row
        g, f = rest // blocks, rest % blocks * 4
        _sum_row(x, w, b, y, g, f, oh, (r0, r1, r2), (c0, c1, c2, c3, c4, c5, c6))


@compiled
def _dot_four(
    total: Array, slot: Array, t: int, dy: Array, to: Array, x: Array, at: Array, length: int
) -> None:
    """total[f, slot[term]] += dy[to[f]…] · x[at[term]…], for four rows f and terms t … t+3."""
    y0, y1 = dy[to[0] : to[0] + length], dy[to[1] : to[1] + length]
    y2, y3 = dy[to[2] : to[2] + length], dy[to[3] : to[3] + length]
    x0, x1 = x[at[t] : at[t] + length], x[at[t + 1] : at[t + 1] + length]
    x2, x3 = x[at[t + 2] : at[t + 2] + length], x[at[t + 3] : at[t + 3] + length]
    zero = x.dtype.type(0)
    a0 = a1 = a2 = a3 = b0 = b1 = b2 = b3 = zero
    c0 = c1 = c2 = c3 = d0 = d1 = d2 = d3 = zero
    for k in range(length):
        p, q, r, s = x0[k], x1[k], x2[k], x3[k]
        a, b, c, d = y0[k], y1[k], y2[k], y3[k]
        a0, a1, a2, a3 = a0 + a * p, a1 + a * q, a2 + a * r, a3 + a * s
        b0, b1, b2, b3 = b0 + b * p, b1 + b * q, b2 + b * r, b3 + b * s
        c0, c1, c2, c3 = c0 + c * p, c1 + c * q, c2 + c * r, c3 + c * s
        d0, d1, d2, d3 = d0 + d * p, d1 + d * q, d2 + d * r, d3 + d * s
    sums = ((a0, a1, a2, a3), (b0, b1, b2, b3), (c0, c1, c2, c3), (d0, d1, d2, d3))
    for f in range(4):
        for term in range(4):
            total[f, slot[t + term]] += sums[f][term]


@compiled
def _dot_one(
    total: Array, slot: Array, t: int, dy: Array, to: Array, x: Array, at: Array, length: int
) -> None:
    """The same with the one term t."""
    y0, y1 = dy[to[0] : to[0] + length], dy[to[1] : to[1] + length]
    y2, y3 = dy[to[2] : to[2] + length], dy[to[3] : to[3] + length]
    x0 = x[at[t] : at[t] + length]
    a = b = c = d = x.dtype.type(0)
    for k in range(length):
        p = x0[k]
        a, b, c, d = a + y0[k] * p, b + y1[k] * p, c + y2[k] * p, d + y3[k] * p
    sums = (a, b, c, d)
    for f in range(4):
        total[f, slot[t]] += sums[f]


@compiled
def _dot_block(
    dy: Array,
    x: Array,
    dw: Array,
    g: int,
    f: int,
    c_low: int,
    per_group: int,
    rows: tuple[Array, ...],
    runs: tuple[Array, ...],
) -> None:
    """dw of the four filters from f on and the four channels from c_low on, of group g."""
    row_first, row_tap, row_source = rows
    start, step, source_step, pieces_of, run_first, run_tap, run_source = runs
    C, KH, KW = dw.shape[1], dw.shape[2], dw.shape[3]
    H, W, N = x.shape[1], x.shape[2], x.shape[3]
    OH, OW = dy.shape[1], dy.shape[2]
    filters, channels = min(4, per_group - f), min(4, C - c_low)
    flat_dy, flat_x = dy.reshape(-1), x.reshape(-1)
    total = np.zeros((4, channels * KH * KW))  # in float64: it adds up many short sums
    slot = np.empty(total.shape[1], np.intp)  # which of them a term belongs to
    at, moved, to = np.empty_like(slot), np.empty_like(slot), np.empty(4, np.intp)
    for oh in range(OH):
        for run in range(start.size):
            terms = 0
            for c in range(channels):
                for i in range(row_first[oh], row_first[oh + 1]):
                    for j in range(run_first[run], run_first[run + 1]):
                        row = (g * C + c_low + c) * H + row_source[i]
                        at[terms] = (row * W + run_source[j]) * N
                        slot[terms] = (c * KH + row_tap[i]) * KW + run_tap[j]
                        terms += 1
            together = step[run] == 1 and source_step[run] == 1
            pieces, length = (1, pieces_of[run] * N) if together else (pieces_of[run], N)
            for piece in range(pieces):
                for low in range(0, length, STRETCH):
                    size = min(STRETCH, length - low)
                    for k in range(4):  # at the end the last filter stands in for missing ones
                        row = (g * per_group + f + min(k, filters - 1)) * OH + oh
                        to[k] = (row * OW + start[run] + piece * step[run]) * N + low
                    for t in range(terms):
                        moved[t] = at[t] + piece * source_step[run] * N + low
                    by_four = terms // 4 * 4
                    for t in range(0, by_four, 4):
                        _dot_four(total, slot, t, flat_dy, to, flat_x, moved, size)
                    for t in range(by_four, terms):
                        _dot_one(total, slot, t, flat_dy, to, flat_x, moved, size)
    for k in range(filters):
        for c in range(channels):
            for i in range(KH):
                for j in range(KW):
                    result = total[k, (c * KH + i) * KW + j]
                    dw[g * per_group + f + k, c_low + c, i, j] = result


@compiled_parallel
def _dots(
    dy: Array,
    x: Array,
    dw: Array,
    groups: int,
    r0: Array,
    r1: Array,
    r2: Array,
    c0: Array,
    c1: Array,
    c2: Array,
    c3: Array,
    c4: Array,
    c5: Array,
    c6: Array,
) -> None:
    """One owner for each four filters and four channels."""
    per_group = dw.shape[0] // groups
    f_blocks, c_blocks = (per_group + 3) // 4, (dw.shape[1] + 3) // 4
    for task in prange(groups * f_blocks * c_blocks):
        g, rest = task // (f_blocks * c_blocks), task % (f_blocks * c_blocks)
        f, c = rest // c_blocks * 4, rest % c_blocks * 4
        rows, runs = (r0, r1, r2), (c0, c1, c2, c3, c4, c5, c6)
        _dot_block(dy, x, dw, g, f, c, per_group, rows, runs)
