"""A linear map of rows: cuBLAS has it, and `without_cublas` it is a convolution of pixels."""

from __future__ import annotations

from minise.backend import Array
from minise.kernels.cupy.conv import POINT, conv2d, conv2d_backward, cublas


def linear(x: Array, w: Array, b: Array | None) -> Array:
    """y (N, out) = x wᵀ + b; see `ops.linear`."""
    if not cublas():
        return conv2d(_pixels(x), _pixels(w), b, POINT, 1, (1, 1))[:, :, 0, 0]
    y: Array = x @ w.T
    return y if b is None else y + b


def linear_backward(dy: Array, x: Array, w: Array) -> tuple[Array, Array]:
    """(dx, dw); see `ops.linear_backward`."""
    if not cublas():
        dx, dw = conv2d_backward(_pixels(dy), _pixels(x), _pixels(w), POINT, 1)
        return dx[:, :, 0, 0], dw[:, :, 0, 0]
    return dy @ w, dy.T @ x


def _pixels(x: Array) -> Array:
    """(N, C) -> (N, C, 1, 1)."""
    return x[:, :, None, None]
