"""Batch normalisation, alone and with relu behind it.

A channel is one block of memory. Its statistics, and what is made of them, are straight passes over
that block; all but the first find it in the cache. Sums are taken over short stretches in the dtype
of x, and the stretches are added in float64.
"""

from __future__ import annotations

import math

import numpy as np
from numba import prange

from minise.backend import Array
from minise.kernels.numba.compile import compiled, compiled_parallel
from minise.kernels.numba.layout import batch_first, batch_last
from minise.kernels.numba.memory import empty

STRETCH = 1024

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
    else:
        mean, var = (batch_last(s) for s in statistics)
    y, channel = empty(x.shape, x.dtype), (x.shape[0], math.prod(x.shape[1:]))
    low = x.dtype.type(lowest)
    _normalise(
        x.reshape(channel), w, b, mean, var, statistics is None, eps, low, y.reshape(channel)
    )
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
    x = batch_last(x)
    channel = (x.shape[0], math.prod(x.shape[1:]))
    images = (batch_last(dy).reshape(channel), batch_last(y).reshape(channel), x.reshape(channel))
    w, mean, var = batch_last(w), batch_last(mean), batch_last(var)
    dx, dw, db = empty(x.shape, x.dtype), np.empty_like(w), np.empty_like(w)
    _normalise_backward(*images, w, mean, var, eps, from_batch, relu, dx.reshape(channel), dw, db)
    return batch_first(dx), dw, db


@compiled
def _mean(x: Array) -> float:
    total = 0.0
    for low in range(0, x.size, STRETCH):
        part = x[low : low + STRETCH]
        partial = x.dtype.type(0)
        for k in range(part.size):
            partial += part[k]
        total += partial
    return total / x.size


@compiled
def _variance(x: Array, mean: float) -> float:
    total = 0.0
    for low in range(0, x.size, STRETCH):
        part = x[low : low + STRETCH]
        partial = x.dtype.type(0)
        for k in range(part.size):
            partial += (part[k] - mean) * (part[k] - mean)
        total += partial
    return total / x.size


@compiled_parallel
def _normalise(
    x: Array,
    w: Array,
    b: Array,
    mean: Array,
    var: Array,
    from_batch: bool,
    eps: float,
    lowest: float,
    y: Array,
) -> None:
    number = x.dtype.type
    for c in prange(x.shape[0]):
        source, target = x[c], y[c]
        if from_batch:
            mean[c] = _mean(source)
            var[c] = _variance(source, mean[c])
        scale = number(w[c] / math.sqrt(var[c] + eps))
        shift, centre = b[c], mean[c]
        for k in range(source.size):
            v = (source[k] - centre) * scale + shift
            target[k] = lowest if v <= lowest else v  # a comparison with NaN is never true


@compiled
def _sums(dy: Array, y: Array, x: Array, centre: float, relu: bool) -> tuple[float, float]:
    """Σ dy and Σ dy · (x − centre), with `relu` over the pixels whose y is above 0."""
    zero = x.dtype.type(0)
    total, total_x = 0.0, 0.0
    for low in range(0, x.size, STRETCH):
        above, output, part = (
            dy[low : low + STRETCH],
            y[low : low + STRETCH],
            x[low : low + STRETCH],
        )
        partial = partial_x = zero
        for k in range(part.size):
            passed = above[k] if not relu or output[k] > zero else zero
            partial += passed
            partial_x += passed * (part[k] - centre)
        total += partial
        total_x += partial_x
    return total, total_x


@compiled_parallel
def _normalise_backward(
    dy: Array,
    y: Array,
    x: Array,
    w: Array,
    mean: Array,
    var: Array,
    eps: float,
    from_batch: bool,
    relu: bool,
    dx: Array,
    dw: Array,
    db: Array,
) -> None:
    number, zero = x.dtype.type, x.dtype.type(0)
    M = x.shape[1]  # values in a channel, N·H·W
    for c in prange(x.shape[0]):
        above, output, source, target = dy[c], y[c], x[c], dx[c]
        inverse = 1 / math.sqrt(var[c] + eps)
        centre, scale = mean[c], number(w[c] * inverse)
        sum_dy, sum_dy_x = _sums(above, output, source, centre, relu)
        db[c], dw[c] = sum_dy, sum_dy_x * inverse
        lost, along = zero, zero
        if from_batch:
            lost, along = number(sum_dy / M), number(sum_dy_x * inverse * inverse / M)
        for k in range(source.size):
            passed = above[k] if not relu or output[k] > zero else zero
            target[k] = (passed - lost - (source[k] - centre) * along) * scale
