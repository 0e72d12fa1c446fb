"""Batch normalisation, alone and followed by relu.

The statistics are taken row by row, while a row is in the first cache, and those of the rows are
combined. A row is summed in the dtype of x, in `lanes`, and after every STRETCH numbers in float64.

Where relu let a pixel through is computed again from x, exactly as the forward pass computed it:
that is quicker than reading y.
"""

from __future__ import annotations

import math

import numpy as np

from minise.arrays import Array
from minise.kernels.numba.compile import compiled
from minise.kernels.numba.lanes import LANES, fill, load, positive, sum_of
from minise.kernels.numba.layout import batch_first, batch_last, maps, parts, rows
from minise.kernels.numba.memory import empty
from minise.kernels.numba.tasks import invite, tasks
from minise.kernels.numba.team import compiled_parallel

PASS = 2 * LANES  # numbers that are added at once
STRETCH = 16 * PASS

Statistics = tuple[Array, Array]


def batch_norm(
    x: Array, w: Array, b: Array, statistics: Statistics | None, eps: float
) -> tuple[Array, Array, Array]:
    """(y, mean, var): y (N, C, H, W) = w · (x − mean) / √(var + eps) + b.

    mean and var (C,) are the `statistics`, or where there are none those of x (var biased).
    """
    return _forward(x, w, b, statistics, eps, -math.inf)


def batch_norm_relu(
    x: Array, w: Array, b: Array, statistics: Statistics | None, eps: float
) -> tuple[Array, Array, Array]:
    """The same, with y = max(…, 0)."""
    return _forward(x, w, b, statistics, eps, 0.0)


def batch_norm_backward(
    dy: Array, x: Array, w: Array, mean: Array, var: Array, eps: float, from_batch: bool
) -> tuple[Array, Array, Array]:
    """(dx, dw, db); see `ops.batch_norm_backward`."""
    return _backward(dy, x, w, None, mean, var, eps, from_batch)


def batch_norm_relu_backward(
    dy: Array, b: Array, x: Array, w: Array, mean: Array, var: Array, eps: float, from_batch: bool
) -> tuple[Array, Array, Array]:
    """(dx, dw, db); see `ops.batch_norm_relu_backward`."""
    return _backward(dy, x, w, b, mean, var, eps, from_batch)


def _forward(
    x: Array, w: Array, b: Array, statistics: Statistics | None, eps: float, lowest: float
) -> tuple[Array, Array, Array]:
    x, w, b = batch_last(x), batch_last(w), batch_last(b)  # (C, H, W, N), (C,), (C,)
    if statistics is None:
        mean, var = empty(w.shape, w.dtype), empty(w.shape, w.dtype)
        of_rows = empty((2, *x.shape[:2]), np.float64)
        _row_statistics(rows(x), of_rows, parts(x.shape[1]))
        _statistics(of_rows, x.shape[2] * x.shape[3], mean, var)
    else:
        mean, var = (batch_last(s) for s in statistics)
    y, low, scale = empty(x.shape, x.dtype), x.dtype.type(lowest), empty(w.shape, w.dtype)
    _scale(w, var, eps, scale)
    _normalise(maps(x), mean, scale, b, low, maps(y), parts(maps(x).shape[1]))
    return batch_first(y), mean, var


def _backward(
    dy: Array,
    x: Array,
    w: Array,
    b: Array | None,
    mean: Array,
    var: Array,
    eps: float,
    from_batch: bool,
) -> tuple[Array, Array, Array]:
    dy, x, w = batch_last(dy), batch_last(x), batch_last(w)
    mean, var, shift = batch_last(mean), batch_last(var), batch_last(w if b is None else b)
    relu, images, of_row = b is not None, (rows(dy), rows(x)), parts(x.shape[1])
    scale, of_rows = empty(w.shape, w.dtype), empty((2, *x.shape[:2]), np.float64)
    _scale(w, var, eps, scale)
    _row_sums(*images, mean, scale, shift, relu, of_rows, of_row)
    # of the values in a channel, how many move its statistics
    M = math.prod(x.shape[1:]) if from_batch else math.inf
    db, dw, lost, along = empty((4, len(w)), w.dtype)
    _gradients(of_rows, var, eps, M, db, dw, lost, along)
    dx = empty(x.shape, x.dtype)
    _normalise_backward(*images, mean, scale, shift, relu, lost, along, rows(dx), of_row)
    return batch_first(dx), dw, db


@compiled_parallel
def _row_statistics(team: int, x: Array, of_rows: Array, parts: int) -> None:
    """The mean of each row of each channel, and the sum of squares around it: (2, C, H)."""
    C, H, L = x.shape
    for task in tasks(invite(team), H * parts):
        h, part = task // parts, task % parts
        for c in range(part * C // parts, (part + 1) * C // parts):
            # around its first number: where all are far from 0, little is rounded off
            centre = x[c, h, 0]
            mean = centre + _sum(x[c, h], centre, False) / L
            of_rows[0, c, h] = mean
            of_rows[1, c, h] = _sum(x[c, h], x.dtype.type(mean), True)


@compiled
def _sum(row: Array, centre: float, squared: bool) -> float:
    """Of the differences from `centre`, or of their squares."""
    zero, all_of_it, m = row.dtype.type(0), 0.0, fill(centre)
    for start in range(0, row.size, STRETCH):
        end = min(start + STRETCH, row.size)
        whole = end - (end - start) % PASS
        s, t, rest = fill(zero), fill(zero), zero
        for k in range(start, whole, PASS):
            p, q = load(row, k) - m, load(row, k + LANES) - m
            s, t = (s + p * p, t + q * q) if squared else (s + p, t + q)
        for k in range(whole, end):
            d = row[k] - centre
            rest += d * d if squared else d
        all_of_it += sum_of(s + t) + rest
    return all_of_it


@compiled_parallel
def _statistics(team: int, of_rows: Array, length: int, mean: Array, var: Array) -> None:
    """Of each channel; its variance is that within its rows plus that between them."""
    _, C, H = of_rows.shape
    for c in tasks(invite(team), C):
        total = 0.0
        for h in range(H):
            total += of_rows[0, c, h]
        centre = total / H
        squares = 0.0
        for h in range(H):
            between = of_rows[0, c, h] - centre
            squares += of_rows[1, c, h] + length * between * between
        mean[c], var[c] = centre, squares / (H * length)


@compiled_parallel
def _scale(team: int, w: Array, var: Array, eps: float, scale: Array) -> None:
    """What differences from the mean are multiplied by: in one place, so always the same bits."""
    for _ in tasks(invite(team), 1):
        for c in range(scale.size):
            scale[c] = w[c] / math.sqrt(var[c] + eps)


@compiled_parallel
def _normalise(
    team: int,
    x: Array,
    mean: Array,
    scale: Array,
    shift: Array,
    lowest: float,
    y: Array,
    parts: int,
) -> None:
    C, H, _ = x.shape
    for task in tasks(invite(team), H * parts):
        h, part = task // parts, task % parts
        for c in range(part * C // parts, (part + 1) * C // parts):
            source, target, centre, by, to = x[c, h], y[c, h], mean[c], scale[c], shift[c]
            for k in range(target.size):
                v = (source[k] - centre) * by + to
                target[k] = lowest if v <= lowest else v  # a comparison with NaN is never true


@compiled_parallel
def _row_sums(
    team: int,
    dy: Array,
    x: Array,
    mean: Array,
    scale: Array,
    shift: Array,
    relu: bool,
    of_rows: Array,
    parts: int,
) -> None:
    """Σ dy and Σ dy · (x − mean) of each row of each channel, with `relu` only where y > 0."""
    C, H, _ = x.shape
    for task in tasks(invite(team), H * parts):
        h, part = task // parts, task % parts
        for c in range(part * C // parts, (part + 1) * C // parts):
            sums = _two_sums(dy[c, h], x[c, h], mean[c], scale[c], shift[c], relu)
            of_rows[0, c, h], of_rows[1, c, h] = sums


@compiled
def _two_sums(
    above: Array, source: Array, centre: float, scale: float, shift: float, relu: bool
) -> tuple[float, float]:
    zero, sum_of_all, along_all = source.dtype.type(0), 0.0, 0.0
    m, by, to = fill(centre), fill(scale), fill(shift)
    for start in range(0, source.size, STRETCH):
        end = min(start + STRETCH, source.size)
        whole = end - (end - start) % PASS
        s = t = along = along_too = fill(zero)
        rest = along_rest = zero
        for k in range(start, whole, PASS):
            d, e = load(source, k) - m, load(source, k + LANES) - m
            p, q = load(above, k), load(above, k + LANES)
            if relu:
                p, q = positive(d * by + to, p), positive(e * by + to, q)
            s, t = s + p, t + q
            along, along_too = along + p * d, along_too + q * e
        for k in range(whole, end):
            v = source[k] - centre
            passed = above[k] if not relu or v * scale + shift > zero else zero
            rest += passed
            along_rest += passed * v
        sum_of_all += sum_of(s + t) + rest
        along_all += sum_of(along + along_too) + along_rest
    return sum_of_all, along_all


@compiled_parallel
def _gradients(
    team: int,
    of_rows: Array,
    var: Array,
    eps: float,
    M: float,
    db: Array,
    dw: Array,
    lost: Array,
    along: Array,
) -> None:
    """Of b and w, and what dy loses as each pixel moves its channel's mean and variance."""
    _, C, H = of_rows.shape
    for c in tasks(invite(team), C):
        total, total_x = 0.0, 0.0
        for h in range(H):
            total += of_rows[0, c, h]
            total_x += of_rows[1, c, h]
        spread = math.sqrt(var[c] + eps)
        db[c], dw[c] = total, total_x / spread
        lost[c] = along[c] = 0
        if M < math.inf:  # else a NaN in one pixel would reach them all
            lost[c], along[c] = total / M, total_x / (spread * spread * M)


@compiled_parallel
def _normalise_backward(
    team: int,
    dy: Array,
    x: Array,
    mean: Array,
    scale: Array,
    shift: Array,
    relu: bool,
    lost: Array,
    along: Array,
    dx: Array,
    parts: int,
) -> None:
    C, H, _ = x.shape
    zero = x.dtype.type(0)
    for task in tasks(invite(team), H * parts):
        h, part = task // parts, task % parts
        for c in range(part * C // parts, (part + 1) * C // parts):
            above, source, target = dy[c, h], x[c, h], dx[c, h]
            centre, by, to, less, slope = mean[c], scale[c], shift[c], lost[c], along[c]
            for k in range(target.size):
                d = source[k] - centre
                passed = above[k] if not relu or d * by + to > zero else zero
                target[k] = (passed - less - d * slope) * by
