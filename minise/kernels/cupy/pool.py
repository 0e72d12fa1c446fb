"""Pooling over windows. Backward, each pixel gathers, so that no two threads add to one number."""

from __future__ import annotations

import cupy
import numpy as np

from minise.arrays import Array
from minise.kernels.cupy.launch import contiguous, each_number
from minise.shapes import Pair, Window


def max_pool2d(x: Array, window: Window, output: Pair) -> tuple[Array, Array]:
    """(y, winner), both (N, C, OH, OW): the largest pixel of each window, and its tap."""
    (x,) = contiguous(x)
    y = cupy.empty((*x.shape[:2], *output), x.dtype)
    winner = cupy.empty(y.shape, np.int32)
    _pool("max_pool2d", window, y, (x, y, winner), x.shape, output)
    return y, winner


def max_pool2d_backward(dy: Array, x: Array, winner: Array, window: Window) -> Array:
    """dx: each dy goes to the pixel that won."""
    dy, winner = contiguous(dy, winner)
    dx = cupy.empty(x.shape, dy.dtype)
    _pool("max_pool2d_backward", window, dx, (dy, winner, dx), x.shape, dy.shape[2:])
    return dx


def avg_pool2d(x: Array, pixels: Array, window: Window) -> Array:
    """y (N, C, OH, OW): the sum of each window over `pixels` (OH, OW)."""
    x, pixels = contiguous(x, pixels)
    y = cupy.empty((*x.shape[:2], *pixels.shape), x.dtype)
    _pool("avg_pool2d", window, y, (x, pixels, y), x.shape, pixels.shape)
    return y


def avg_pool2d_backward(dy: Array, x: Array, pixels: Array, window: Window) -> Array:
    """dx: each window hands dy / pixels to each of its pixels."""
    dy, pixels = contiguous(dy, pixels)
    dx = cupy.empty(x.shape, dy.dtype)
    _pool("avg_pool2d_backward", window, dx, (dy, pixels, dx), x.shape, pixels.shape)
    return dx


def _pool(
    kernel: str,
    window: Window,
    written: Array,
    arrays: tuple[Array, ...],
    image: tuple[int, ...],
    output: tuple[int, ...],
) -> None:
    (KH, KW), (SH, SW), (PH, PW), _ = window
    sizes = (written.size, *image[2:], *output, KH, KW, SH, SW, PH, PW)
    each_number("pool.cu", kernel, written.size, *arrays, *sizes, dtype=written.dtype)
