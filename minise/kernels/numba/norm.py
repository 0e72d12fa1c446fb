"""Batch normalisation: a channel is one block of memory, and every pass runs straight over it.

Sums are taken over short stretches in the dtype of x, and the stretches are added in float64.
"""

from __future__ import annotations

import math

import numpy as np
from numba import prange

from minise.backend import Array
from minise.kernels.numba.compile import compiled, compiled_parallel
from minise.kernels.numba.layout import batch_first, batch_last

STRETCH = 1024


def batch_statistics(x: Array) -> tuple[Array, Array]:
    """(mean, biased variance) of each channel of x (N, C, H, W), both (C,)."""
    x = batch_last(x)
    mean, var = np.empty(x.shape[0], x.dtype), np.empty(x.shape[0], x.dtype)
    _statistics(x.reshape(x.shape[0], math.prod(x.shape[1:])), mean, var)
    return mean, var


def batch_norm(x: Array, w: Array, b: Array, mean: Array, var: Array, eps: float) -> Array:
    """y (N, C, H, W) = w · (x − mean) / √(var + eps) + b."""
    x, w, b, mean, var = map(batch_last, (x, w, b, mean, var))  # x (C, H, W, N), the others (C,)
    y, channel = np.empty_like(x), (x.shape[0], math.prod(x.shape[1:]))
    _normalise(x.reshape(channel), w, b, mean, var, eps, y.reshape(channel))
    return batch_first(y)


def batch_norm_backward(
    dy: Array, x: Array, w: Array, mean: Array, var: Array, eps: float, from_batch: bool
) -> tuple[Array, Array, Array]:
    """(dx, dw, db); see `ops.batch_norm_backward`."""
    dy, x, w, mean, var = map(batch_last, (dy, x, w, mean, var))
    dx, dw, db = np.empty_like(x), np.empty_like(w), np.empty_like(w)
    channel = (x.shape[0], math.prod(x.shape[1:]))
    flat_dy, flat_x, flat_dx = dy.reshape(channel), x.reshape(channel), dx.reshape(channel)
    _normalise_backward(flat_dy, flat_x, w, mean, var, eps, from_batch, flat_dx, dw, db)
    return batch_first(dx), dw, db


@compiled
def _sum(x: Array) -> float:
    total = 0.0
    for low in range(0, x.size, STRETCH):
        part = x[low : low + STRETCH]
        partial = x.dtype.type(0)
        for k in range(part.size):
            partial += part[k]
        total += partial
    return total


@compiled
def _sum_of_squares(x: Array, centre: float) -> float:
    total = 0.0
    for low in range(0, x.size, STRETCH):
        part = x[low : low + STRETCH]
        partial = x.dtype.type(0)
        for k in range(part.size):
            partial += (part[k] - centre) * (part[k] - centre)
        total += partial
    return total


@compiled
def _dot(dy: Array, x: Array, centre: float) -> float:
    total = 0.0
    for low in range(0, x.size, STRETCH):
        above, part = dy[low : low + STRETCH], x[low : low + STRETCH]
        partial = x.dtype.type(0)
        for k in range(part.size):
            partial += above[k] * (part[k] - centre)
        total += partial
    return total


@compiled_parallel
def _statistics(x: Array, mean: Array, var: Array) -> None:
    M = x.shape[1]  # values in a channel, N·H·W
    for c in prange(x.shape[0]):
        mean[c] = _sum(x[c]) / M
        var[c] = _sum_of_squares(x[c], mean[c]) / M


@compiled_parallel
def _normalise(x: Array, w: Array, b: Array, mean: Array, var: Array, eps: float, y: Array) -> None:
    number = x.dtype.type
    for c in prange(x.shape[0]):
        source, target = x[c], y[c]
        scale = number(w[c] / math.sqrt(var[c] + eps))
        shift, centre = b[c], mean[c]
        for k in range(source.size):
            target[k] = (source[k] - centre) * scale + shift


@compiled_parallel
def _normalise_backward(
    dy: Array,
    x: Array,
    w: Array,
    mean: Array,
    var: Array,
    eps: float,
    from_batch: bool,
    dx: Array,
    dw: Array,
    db: Array,
) -> None:
    number = x.dtype.type
    M = x.shape[1]
    for c in prange(x.shape[0]):
        above, source, target = dy[c], x[c], dx[c]
        inverse = 1 / math.sqrt(var[c] + eps)
        centre, scale = mean[c], number(w[c] * inverse)
        sum_dy = _sum(above)
        sum_dy_x_hat = _dot(above, source, centre) * inverse
        db[c], dw[c] = sum_dy, sum_dy_x_hat
        lost, along = number(0), number(0)
        if from_batch:
            lost, along = number(sum_dy / M), number(sum_dy_x_hat * inverse / M)
        for k in range(source.size):
            target[k] = (above[k] - lost - (source[k] - centre) * along) * scale
