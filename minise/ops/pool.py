"""Pooling: the largest or the average pixel of each window.

    y[n, c, oh, ow] = max, or mean, over (i, j) of x[n, c, oh·S − P + i, ow·S − P + j]

for the taps (i, j) of a window, with stride S and padding P.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from minise import door, shapes
from minise.arrays import Array, array_module
from minise.backend import accelerated
from minise.shapes import Pair, Window

__all__ = ["avg_pool2d", "avg_pool2d_backward", "max_pool2d", "max_pool2d_backward"]


class MaxPool2dSaved(NamedTuple):
    """Which tap of each window won: i·KW + j for tap (i, j)."""

    x: Array  # (N, C, H, W)
    winner: Array  # (N, C, OH, OW), int32
    window: Window


def max_pool2d(
    x: Array,
    kernel_size: int | Pair,
    stride: int | Pair | None = None,
    padding: int | Pair = 0,
    *,
    ceil_mode: bool = False,
) -> tuple[Array, MaxPool2dSaved]:
    """The largest pixel of each window of x (N, C, H, W): y (N, C, OH, OW).

    The stride is the kernel's size unless given. Padding never wins, a tie goes to the first pixel
    in row order, NaN wins over everything. With `ceil_mode` a last window may reach past the edge.
    Raises `ValueError` for padding above half of the kernel or a window that does not fit.
    """
    window = door.pooling_window("max_pool2d", kernel_size, stride, padding)
    output = door.check_pooling("max_pool2d", x, window, ceil_mode=ceil_mode)
    y, winner = _max_pool2d(x, window, output)
    return y, MaxPool2dSaved(x, winner, window)


@accelerated
def _max_pool2d(x: Array, window: Window, output: Pair) -> tuple[Array, Array]:
    xp = array_module(x)
    widths = shapes.padding_for(x, window, output)
    x_padded = xp.pad(x, widths, constant_values=-xp.inf)
    inside = xp.pad(xp.ones(x.shape[2:], dtype=bool), widths[2:])
    y = xp.full((*x.shape[:2], *output), -xp.inf, dtype=x.dtype)
    winner = xp.full(y.shape, -1, dtype=np.int32)
    for tap, rows, columns in _taps(window, output):
        pixel = x_padded[:, :, rows, columns]  # (N, C, OH, OW)
        larger = (pixel > y) | (xp.isnan(pixel) & ~xp.isnan(y)) | (winner < 0)
        wins = larger & inside[rows, columns]
        y = xp.where(wins, pixel, y)
        winner = xp.where(wins, np.int32(tap), winner)
    return y, winner


def max_pool2d_backward(dy: Array, saved: MaxPool2dSaved) -> Array:
    """dx (N, C, H, W): each dy goes to the pixel that won; a pixel may win in several windows."""
    door.check_cotangent("max_pool2d_backward", dy, saved.x, saved.winner.shape)
    return _max_pool2d_backward(dy, *saved)


@accelerated
def _max_pool2d_backward(dy: Array, x: Array, winner: Array, window: Window) -> Array:
    xp, output = array_module(x), (dy.shape[2], dy.shape[3])
    dx_padded = xp.pad(xp.zeros(x.shape, x.dtype), shapes.padding_for(x, window, output))
    for tap, rows, columns in _taps(window, output):
        dx_padded[:, :, rows, columns] += xp.where(winner == tap, dy, 0)
    return _crop(dx_padded, x, window)


class AvgPool2dSaved(NamedTuple):
    """The input, and how many pixels each window averaged over."""

    x: Array  # (N, C, H, W)
    pixels: Array  # (OH, OW), in the dtype of x
    window: Window


def avg_pool2d(
    x: Array,
    kernel_size: int | Pair,
    stride: int | Pair | None = None,
    padding: int | Pair = 0,
    *,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
) -> tuple[Array, AvgPool2dSaved]:
    """The average of each window of x (N, C, H, W): y (N, C, OH, OW).

    With `count_include_pad` the zeros of the padding count as pixels, as in PyTorch; what a last
    window of `ceil_mode` covers beyond the padding never counts. Raises as `max_pool2d` does.
    """
    window = door.pooling_window("avg_pool2d", kernel_size, stride, padding)
    output = door.check_pooling("avg_pool2d", x, window, ceil_mode=ceil_mode)
    pixels = _pixels(x, window, output, count_include_pad)
    return _avg_pool2d(x, pixels, window), AvgPool2dSaved(x, pixels, window)


@accelerated
def _avg_pool2d(x: Array, pixels: Array, window: Window) -> Array:
    output = (pixels.shape[0], pixels.shape[1])
    x_padded = array_module(x).pad(x, shapes.padding_for(x, window, output))
    total: Array = array_module(x).zeros((*x.shape[:2], *output), dtype=x.dtype)
    for _, rows, columns in _taps(window, output):
        total += x_padded[:, :, rows, columns]
    return total / pixels


def avg_pool2d_backward(dy: Array, saved: AvgPool2dSaved) -> Array:
    """dx (N, C, H, W): each window hands an equal share of its dy to each of its pixels."""
    shape = (*saved.x.shape[:2], *saved.pixels.shape)
    door.check_cotangent("avg_pool2d_backward", dy, saved.x, shape)
    return _avg_pool2d_backward(dy, *saved)


@accelerated
def _avg_pool2d_backward(dy: Array, x: Array, pixels: Array, window: Window) -> Array:
    xp, output = array_module(x), (pixels.shape[0], pixels.shape[1])
    dx_padded = xp.pad(xp.zeros(x.shape, x.dtype), shapes.padding_for(x, window, output))
    for _, rows, columns in _taps(window, output):
        dx_padded[:, :, rows, columns] += dy / pixels
    return _crop(dx_padded, x, window)


def _pixels(x: Array, window: Window, output: Pair, count_include_pad: bool) -> Array:
    """How many pixels each window averages over: (OH, OW)."""
    down, across = (
        shapes.window_counts(x.shape[2 + axis], window, axis, output[axis], count_include_pad)
        for axis in (0, 1)
    )
    xp = array_module(x)
    pixels: Array = xp.outer(xp.asarray(down, x.dtype), xp.asarray(across, x.dtype))
    return pixels


def _taps(window: Window, output: Pair) -> Iterator[tuple[int, slice, slice]]:
    """Each tap's number i·KW + j, and where it lies in the padded image for all windows at once."""
    KH, KW = window.size
    for i in range(KH):
        for j in range(KW):
            yield i * KW + j, *shapes.tap(i, j, window, output)


def _crop(padded: Array, x: Array, window: Window) -> Array:
    """The padded gradient without its padding."""
    top, left = window.padding
    return padded[:, :, top : top + x.shape[2], left : left + x.shape[3]]
