"""Batch normalisation, alone and followed by relu.

The statistics are taken row by row, while a row is in the first cache, and those of the rows are
combined. A row is summed in the dtype of x, as WIDTH sums side by side, which a processor adds many
at a time, in the order written here; after every STRETCH numbers they go into one float64.
"""

from __future__ import annotations

import math

import numpy as np

from minise.arrays import Array
from minise.kernels.numba.compile import compiled, compiled_serial
from minise.kernels.numba.layout import batch_first, batch_last, maps, parts, rows
from minise.kernels.numba.memory import empty
from minise.kernels.numba.tasks import invite, tasks
from minise.kernels.numba.team import compiled_parallel

WIDTH = 128
STRETCH = 16 * WIDTH

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
    return _backward(dy, x, x, w, mean, var, eps, from_batch, relu=False)


def batch_norm_relu_backward(
    dy: Array, y: Array, x: Array, w: Array, mean: Array, var: Array, eps: float, from_batch: bool
) -> tuple[Array, Array, Array]:
    """(dx, dw, db); see `ops.batch_norm_relu_backward`."""
    return _backward(dy, y, x, w, mean, var, eps, from_batch, relu=True)


def _forward(
    x: Array, w: Array, b: Array, statistics: Statistics | None, eps: float, lowest: float
) -> tuple[Array, Array, Array]:
    x, w, b = batch_last(x), batch_last(w), batch_last(b)  # (C, H, W, N), (C,), (C,)
    if statistics is None:
        mean, var = np.empty_like(w), np.empty_like(w)
        of_rows = np.empty((2, *x.shape[:2]))
        _row_statistics(rows(x), of_rows, parts(x.shape[1]))
        _statistics(of_rows, x.shape[2] * x.shape[3], mean, var)
    else:
        mean, var = (batch_last(s) for s in statistics)
    y, low = empty(x.shape, x.dtype), x.dtype.type(lowest)
    _normalise(maps(x), w, b, mean, var, eps, low, maps(y), parts(maps(x).shape[1]))
    return batch_first(y), mean, var


def _backward(
    dy: Array,
    y: Array,
    x: Array,
    w: Array,
    mean: Array,
    var: Array,
    eps: float,
    from_batch: bool,
    *,
    relu: bool,
) -> tuple[Array, Array, Array]:
    dy, y, x = batch_last(dy), batch_last(y), batch_last(x)
    w, mean, var = batch_last(w), batch_last(mean), batch_last(var)
    images, of_row = (rows(dy), rows(y), rows(x)), parts(x.shape[1])
    of_rows, sums = np.empty((2, *x.shape[:2])), np.empty((2, x.shape[0]))
    _row_sums(*images, mean, relu, of_rows, of_row)
    _add_rows(of_rows, sums)
    dx = empty(x.shape, x.dtype)
    M = (
        math.prod(x.shape[1:]) if from_batch else math.inf
    )  # values in a channel that move its statistics
    _normalise_backward(*images, w, mean, var, eps, sums, M, relu, rows(dx), of_row)
    dw, db = sums[1] / np.sqrt(var + eps, dtype=np.float64), sums[0]
    return batch_first(dx), dw.astype(w.dtype), db.astype(w.dtype)


@compiled_parallel
def _row_statistics(team: int, x: Array, of_rows: Array, parts: int) -> None:
    """The mean of each row of each channel, and the sum of squares around it: (2, C, H)."""
    C, H, L = x.shape
    for task in tasks(invite(team), H * parts):
        h, part = task // parts, task % parts
        sums = np.zeros(WIDTH, x.dtype)
        for c in range(part * C // parts, (part + 1) * C // parts):
            row, total, squares = x[c, h], 0.0, 0.0
            for start in range(0, L, STRETCH):
                for low in range(start, min(start + STRETCH, L), WIDTH):
                    block = row[low : low + WIDTH]
                    for k in range(block.size):
                        sums[k] += block[k]
                total += _taken(sums)
            mean = x.dtype.type(total / L)
            for start in range(0, L, STRETCH):
                for low in range(start, min(start + STRETCH, L), WIDTH):
                    block = row[low : low + WIDTH]
                    for k in range(block.size):
                        sums[k] += (block[k] - mean) * (block[k] - mean)
                squares += _taken(sums)
            of_rows[0, c, h], of_rows[1, c, h] = total / L, squares


@compiled
def _taken(sums: Array) -> float:
    """The sum of WIDTH numbers, half of them added to the other half and so on; they become 0."""
    width = WIDTH // 2
    while width > 0:
        lower, upper = sums[:width], sums[width : 2 * width]
        for k in range(lower.size):
            lower[k] += upper[k]
        width //= 2
    total = float(sums[0])
    sums[:] = 0
    return total


@compiled_serial
def _statistics(of_rows: Array, length: int, mean: Array, var: Array) -> None:
    """Of each channel; its variance is that within its rows plus that between them."""
    _, C, H = of_rows.shape
    for c in range(C):
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
def _normalise(
    team: int,
    x: Array,
    w: Array,
    b: Array,
    mean: Array,
    var: Array,
    eps: float,
    lowest: float,
    y: Array,
    parts: int,
) -> None:
    C, H, _ = x.shape
    for task in tasks(invite(team), H * parts):
        h, part = task // parts, task % parts
        for c in range(part * C // parts, (part + 1) * C // parts):
            source, target = x[c, h], y[c, h]
            scale = x.dtype.type(w[c] / math.sqrt(var[c] + eps))
            shift, centre = b[c], mean[c]
            for k in range(target.size):
                v = (source[k] - centre) * scale + shift
                target[k] = lowest if v <= lowest else v  # a comparison with NaN is never true


@compiled_parallel
def _row_sums(
    team: int, dy: Array, y: Array, x: Array, mean: Array, relu: bool, of_rows: Array, parts: int
) -> None:
    """Σ dy and Σ dy · (x − mean) of each row of each channel, with `relu` only where y > 0."""
    C, H, L = x.shape
    zero = x.dtype.type(0)
    for task in tasks(invite(team), H * parts):
        h, part = task // parts, task % parts
        sums, sums_x = np.zeros(WIDTH, x.dtype), np.zeros(WIDTH, x.dtype)
        for c in range(part * C // parts, (part + 1) * C // parts):
            centre, total, total_x = mean[c], 0.0, 0.0
            for start in range(0, L, STRETCH):
                for low in range(start, min(start + STRETCH, L), WIDTH):
                    here = slice(low, low + WIDTH)
                    above, output, source = dy[c, h, here], y[c, h, here], x[c, h, here]
                    for k in range(source.size):
                        passed = above[k] if not relu or output[k] > zero else zero
                        sums[k] += passed
                        sums_x[k] += passed * (source[k] - centre)
                total += _taken(sums)
                total_x += _taken(sums_x)
            of_rows[0, c, h], of_rows[1, c, h] = total, total_x


@compiled_serial
def _add_rows(of_rows: Array, sums: Array) -> None:
    """(2, C, H) -> (2, C)."""
    for k in range(2):
        for c in range(sums.shape[1]):
            total = 0.0
            for h in range(of_rows.shape[2]):
                total += of_rows[k, c, h]
            sums[k, c] = total


@compiled_parallel
def _normalise_backward(
    team: int,
    dy: Array,
    y: Array,
    x: Array,
    w: Array,
    mean: Array,
    var: Array,
    eps: float,
    sums: Array,
    M: float,
    relu: bool,
    dx: Array,
    parts: int,
) -> None:
    C, H, _ = x.shape
    number, zero = x.dtype.type, x.dtype.type(0)
    for task in tasks(invite(team), H * parts):
        h, part = task // parts, task % parts
        for c in range(part * C // parts, (part + 1) * C // parts):
            above, output, source, target = dy[c, h], y[c, h], x[c, h], dx[c, h]
            inverse = 1 / math.sqrt(var[c] + eps)
            centre, scale = mean[c], number(w[c] * inverse)
            # what dy loses because each pixel moves the mean and the variance of its channel
            lost, along = number(sums[0, c] / M), number(sums[1, c] * inverse * inverse / M)
            for k in range(target.size):
                passed = above[k] if not relu or output[k] > zero else zero
                target[k] = (passed - lost - (source[k] - centre) * along) * scale
