"""Scale: each map times its gate, alone and as the tail of an SE residual block.

The gradients of all factors and terms are computed in one pass.
"""

from __future__ import annotations

import numpy as np
from numba import prange

from minise.backend import Array
from minise.kernels.numba.compile import compiled_parallel
from minise.kernels.numba.layout import batch_first, batch_last
from minise.kernels.numba.memory import empty


def channel_scale(x: Array, s: Array) -> Array:
    """y (N, C, H, W) = s · x."""
    x = batch_last(x)
    y = empty(x.shape, x.dtype)
    _scale(_maps(x), batch_last(s), _maps(y))
    return batch_first(y)


def channel_scale_backward(dy: Array, x: Array, s: Array) -> tuple[Array, Array]:
    """(dx, ds): dx = s · dy, and ds (N, C) the sum of dy · x over each map."""
    dy, x, s = batch_last(dy), batch_last(x), batch_last(s)
    dx, ds = empty(x.shape, x.dtype), np.empty_like(s)
    _scale_backward(_maps(dy), _maps(x), s, _maps(dx), ds)
    return batch_first(dx), batch_first(ds)


def scale_add_relu(x: Array, s: Array, r: Array) -> Array:
    """y (N, C, H, W) = max(s · x + r, 0)."""
    x = batch_last(x)
    y = empty(x.shape, x.dtype)
    _scale_add_relu(_maps(x), batch_last(s), _maps(batch_last(r)), _maps(y))
    return batch_first(y)


def scale_add_relu_backward(dy: Array, x: Array, s: Array, y: Array) -> tuple[Array, Array, Array]:
    """(dx, ds, dr): dr is dy where y > 0, else 0; dx and ds as those of `channel_scale`, of dr."""
    dy, x, s, y = map(batch_last, (dy, x, s, y))
    dx, ds, dr = empty(x.shape, x.dtype), np.empty_like(s), empty(x.shape, x.dtype)
    _scale_add_relu_backward(_maps(dy), _maps(x), s, _maps(y), _maps(dx), ds, _maps(dr))
    return batch_first(dx), batch_first(ds), batch_first(dr)


def _maps(x: Array) -> Array:
    """(C, H, W, N) -> (C, H·W, N)."""
    C, H, W, N = x.shape
    return x.reshape(C, H * W, N)


@compiled_parallel
def _scale(x: Array, s: Array, y: Array) -> None:
    for c in prange(x.shape[0]):
        gate = s[c]
        for pixel in range(x.shape[1]):
            source, target = x[c, pixel], y[c, pixel]
            for n in range(target.size):
                target[n] = gate[n] * source[n]


@compiled_parallel
def _scale_backward(dy: Array, x: Array, s: Array, dx: Array, ds: Array) -> None:
    for c in prange(x.shape[0]):
        gate = s[c]
        total = np.zeros(gate.size)  # float64: thousands of pixels may be added up
        for pixel in range(x.shape[1]):
            above, source, target = dy[c, pixel], x[c, pixel], dx[c, pixel]
            for n in range(target.size):
                target[n] = gate[n] * above[n]
                total[n] += above[n] * source[n]
        result = ds[c]
        for n in range(result.size):
            result[n] = total[n]


@compiled_parallel
def _scale_add_relu(x: Array, s: Array, r: Array, y: Array) -> None:
    zero = x.dtype.type(0)
    for c in prange(x.shape[0]):
        gate = s[c]
        for pixel in range(x.shape[1]):
            source, shortcut, target = x[c, pixel], r[c, pixel], y[c, pixel]
            for n in range(target.size):
                v = gate[n] * source[n] + shortcut[n]
                target[n] = zero if v <= zero else v  # a comparison with NaN is never true


@compiled_parallel
def _scale_add_relu_backward(
    dy: Array, x: Array, s: Array, y: Array, dx: Array, ds: Array, dr: Array
) -> None:
    zero = x.dtype.type(0)
    for c in prange(x.shape[0]):
        gate = s[c]
        total = np.zeros(gate.size)
        for pixel in range(x.shape[1]):
            above, source, output = dy[c, pixel], x[c, pixel], y[c, pixel]
            branch, shortcut = dx[c, pixel], dr[c, pixel]
            for n in range(branch.size):
                passed = above[n] if output[n] > zero else zero
                shortcut[n] = passed
                branch[n] = gate[n] * passed
                total[n] += passed * source[n]
        result = ds[c]
        for n in range(result.size):
            result[n] = total[n]
