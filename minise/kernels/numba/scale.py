"""Scale: each map times its gate; the gradients of both factors in one pass."""

from __future__ import annotations

import numpy as np
from numba import prange

from minise.backend import Array
from minise.kernels.numba.compile import compiled_parallel
from minise.kernels.numba.layout import batch_first, batch_last


def channel_scale(x: Array, s: Array) -> Array:
    """y (N, C, H, W) = s · x."""
    x = batch_last(x)  # (C, H, W, N)
    C, H, W, N = x.shape
    y = np.empty_like(x)
    _scale(x.reshape(C, H * W, N), batch_last(s), y.reshape(C, H * W, N))
    return batch_first(y)


def channel_scale_backward(dy: Array, x: Array, s: Array) -> tuple[Array, Array]:
    """(dx, ds): dx = s · dy, and ds (N, C) the sum of dy · x over each map."""
    dy, x = batch_last(dy), batch_last(x)
    C, H, W, N = x.shape
    maps = (C, H * W, N)
    dx, ds = np.empty_like(x), np.empty((C, N), x.dtype)
    _scale_backward(dy.reshape(maps), x.reshape(maps), batch_last(s), dx.reshape(maps), ds)
    return batch_first(dx), batch_first(ds)


@compiled_parallel
def _scale(x: Array, s: Array, y: Array) -> None:
    for c in prange(x.shape[0]):
        gate = s[c]
        for pixel in range(x.shape[1]):
            source, target = x[c, pixel], y[c, pixel]
            for n in range(gate.size):
                target[n] = gate[n] * source[n]


@compiled_parallel
def _scale_backward(dy: Array, x: Array, s: Array, dx: Array, ds: Array) -> None:
    for c in prange(x.shape[0]):
        gate = s[c]
        total = np.zeros(gate.size)  # float64: thousands of pixels may be added up
        for pixel in range(x.shape[1]):
            above, source, target = dy[c, pixel], x[c, pixel], dx[c, pixel]
            for n in range(gate.size):
                target[n] = gate[n] * above[n]
                total[n] += above[n] * source[n]
        result = ds[c]
        for n in range(result.size):
            result[n] = total[n]
