"""A linear map of rows: by cuBLAS, and `without_cublas` as a convolution of pixels."""

from __future__ import annotations

from minise.arrays import Array
from minise.kernels.cupy.conv import conv2d, conv2d_backward
from minise.kernels.cupy.cublas import cublas
from minise.shapes import POINT


def linear(x: Array, w: Array, b: Array | None) -> Array:
    """y (N, out) = x wᵀ + b; see `ops.linear`."""
    if not cublas():
        return conv2d(_pixels(x), _pixels(w), b, POINT, 1)[:, :, 0, 0]
    y: Array = x @ w.T
    return y if b is None else y + b


def linear_backward(
    dy: Array, x: Array, w: Array, has_bias: bool
) -> tuple[Array, Array, Array | None]:
    """(dx, dw, db); see `ops.linear_backward`."""
    db = dy.sum(axis=0) if has_bias else None
    if not cublas():
        dx, dw, _ = conv2d_backward(_pixels(dy), _pixels(x), _pixels(w), False, POINT, 1)
        return dx[:, :, 0, 0], dw[:, :, 0, 0], db
    return dy @ w, dy.T @ x, db


def _pixels(x: Array) -> Array:
    """(N, C) -> (N, C, 1, 1)."""
    return x[:, :, None, None]
