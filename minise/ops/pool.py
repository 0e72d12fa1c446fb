"""Pooling: the largest or the average pixel of each window, or of the whole map.

The poolings over the whole map are the squeeze of squeeze-and-excitation:

    z[n, c] = (1/HW) Σ over h, w of x[n, c, h, w]          (Hu et al., eq. 2)
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from minise import shapes
from minise.backend import Array, array_module, kernel
from minise.shapes import Pair, Window


class MaxPool2dSaved(NamedTuple):
    """Which tap of each window won: i·KW + j for tap (i, j)."""

    x: Array  # (N, C, H, W)
    winner: Array  # (N, C, OH, OW), int32
    window: Window


class AvgPool2dSaved(NamedTuple):
    """The input, and how many pixels each window averaged over."""

    x: Array  # (N, C, H, W)
    pixels: Array  # (OH, OW), in the dtype of x
    window: Window


class GlobalAvgPoolSaved(NamedTuple):
    """The input: only its shape matters."""

    x: Array  # (N, C, H, W)


class GlobalMaxPoolSaved(NamedTuple):
    """Which pixel of each map won: h·W + w."""

    x: Array  # (N, C, H, W)
    winner: Array  # (N, C), int32


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
    in row order, NaN wins over everything. With `ceil_mode` a last window may reach over the edge.
    Raises `ValueError` for padding above half of the kernel or a window that does not fit.
    """
    window = shapes.pooling_window("max_pool2d", kernel_size, stride, padding)
    shapes.check_image("max_pool2d", x)
    OH, OW = shapes.output_sizes("max_pool2d", x, window, ceil_mode=ceil_mode)
    if fast := kernel("max_pool2d", x):
        y, winner = fast(x, window, (OH, OW))
        return y, MaxPool2dSaved(x, winner, window)

    xp = array_module(x)
    widths = shapes.padding_for(x, window, (OH, OW))
    x_padded = xp.pad(x, widths, constant_values=-xp.inf)
    inside = xp.pad(xp.ones(x.shape[2:], dtype=bool), widths[2:])
    y = xp.full((*x.shape[:2], OH, OW), -xp.inf, dtype=x.dtype)
    winner = xp.full(y.shape, -1, dtype=np.int32)
    for tap, rows, columns in _taps(window, (OH, OW)):
        pixel = x_padded[:, :, rows, columns]  # (N, C, OH, OW)
        larger = (pixel > y) | (xp.isnan(pixel) & ~xp.isnan(y)) | (winner < 0)
        wins = larger & inside[rows, columns]
        y = xp.where(wins, pixel, y)
        winner = xp.where(wins, np.int32(tap), winner)
    return y, MaxPool2dSaved(x, winner, window)


def max_pool2d_backward(dy: Array, saved: MaxPool2dSaved) -> Array:
    """dx (N, C, H, W): each dy goes to the pixel that won; a pixel may win in several windows."""
    x, winner, window = saved
    shapes.check_cotangent("max_pool2d_backward", dy, x, winner.shape)
    if fast := kernel("max_pool2d_backward", dy, winner):
        return fast(dy, winner, window, x.shape)  # type: ignore[no-any-return]

    xp = array_module(x)
    output = winner.shape[2:]
    dx_padded = xp.pad(xp.zeros(x.shape, x.dtype), shapes.padding_for(x, window, output))
    for tap, rows, columns in _taps(window, output):
        dx_padded[:, :, rows, columns] += xp.where(winner == tap, dy, 0)
    return _crop(dx_padded, x, window)


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

    With `count_include_pad` the zeros of the padding count as pixels, as PyTorch has it; what a
    last window of `ceil_mode` covers beyond the padding never counts. Raises as `max_pool2d` does.
    """
    window = shapes.pooling_window("avg_pool2d", kernel_size, stride, padding)
    shapes.check_image("avg_pool2d", x)
    OH, OW = shapes.output_sizes("avg_pool2d", x, window, ceil_mode=ceil_mode)
    xp = array_module(x)
    down = shapes.window_counts(x.shape[2], window, 0, OH, count_include_pad)
    across = shapes.window_counts(x.shape[3], window, 1, OW, count_include_pad)
    pixels = xp.outer(xp.asarray(down, x.dtype), xp.asarray(across, x.dtype))  # (OH, OW)
    saved = AvgPool2dSaved(x, pixels, window)
    if fast := kernel("avg_pool2d", x):
        return fast(x, pixels, window), saved

    x_padded = xp.pad(x, shapes.padding_for(x, window, (OH, OW)))
    total = xp.zeros((*x.shape[:2], OH, OW), dtype=x.dtype)
    for _, rows, columns in _taps(window, (OH, OW)):
        total += x_padded[:, :, rows, columns]
    return total / pixels, saved


def avg_pool2d_backward(dy: Array, saved: AvgPool2dSaved) -> Array:
    """dx (N, C, H, W): each window hands an equal share of its dy to each of its pixels."""
    x, pixels, window = saved
    shapes.check_cotangent("avg_pool2d_backward", dy, x, (*x.shape[:2], *pixels.shape))
    if fast := kernel("avg_pool2d_backward", dy, pixels):
        return fast(dy, pixels, window, x.shape)  # type: ignore[no-any-return]

    xp = array_module(x)
    output = (pixels.shape[0], pixels.shape[1])
    dx_padded = xp.pad(xp.zeros(x.shape, x.dtype), shapes.padding_for(x, window, output))
    for _, rows, columns in _taps(window, output):
        dx_padded[:, :, rows, columns] += dy / pixels
    return _crop(dx_padded, x, window)


def global_avg_pool(x: Array) -> tuple[Array, GlobalAvgPoolSaved]:
    """Squeeze each map of x (N, C, H, W) to its mean, whatever its size: z (N, C)."""
    shapes.check_image("global_avg_pool", x)
    fast = kernel("global_avg_pool", x)
    z = fast(x) if fast else x.mean(axis=(2, 3))
    return z, GlobalAvgPoolSaved(x)


def global_avg_pool_backward(
    dz: Array, saved: GlobalAvgPoolSaved, add_to: Array | None = None
) -> Array:
    """dx (N, C, H, W): each pixel had a share of 1/HW in its mean.

    Where x went another way too, `add_to` is the gradient of that way: it is added to in place
    and returned, which spares a pass over memory.
    """
    x = saved.x
    N, C, H, W = x.shape
    shapes.check_cotangent("global_avg_pool_backward", dz, x, (N, C))
    if add_to is not None:
        shapes.check_cotangent("global_avg_pool_backward", add_to, x, x.shape)
    if fast := kernel("global_avg_pool_backward", dz, add_to):
        return fast(dz, x.shape, add_to)  # type: ignore[no-any-return]
    dx: Array = array_module(x).zeros_like(x) if add_to is None else add_to
    dx += (dz / (H * W))[:, :, None, None]
    return dx


def global_max_pool(x: Array) -> tuple[Array, GlobalMaxPoolSaved]:
    """Squeeze each map of x (N, C, H, W) to its largest pixel, whatever its size: z (N, C).

    A tie goes to the first pixel in row order; NaN wins over everything.
    """
    shapes.check_image("global_max_pool", x)
    N, C, H, W = x.shape
    if fast := kernel("global_max_pool", x):
        z, winner = fast(x)
    else:
        flat = x.reshape(N, C, H * W)
        winner = flat.argmax(axis=2).astype(np.int32)  # (N, C)
        z = flat.max(axis=2)
    return z, GlobalMaxPoolSaved(x, winner)


def global_max_pool_backward(
    dz: Array, saved: GlobalMaxPoolSaved, add_to: Array | None = None
) -> Array:
    """dx (N, C, H, W): the gradient goes to the pixel that won, all others get 0.

    `add_to` is as in `global_avg_pool_backward`.
    """
    x, winner = saved
    N, C, H, W = x.shape
    shapes.check_cotangent("global_max_pool_backward", dz, x, (N, C))
    if add_to is not None:
        shapes.check_cotangent("global_max_pool_backward", add_to, x, x.shape)
    if fast := kernel("global_max_pool_backward", dz, winner, add_to):
        return fast(dz, winner, x.shape, add_to)  # type: ignore[no-any-return]
    xp = array_module(x)
    dx: Array = xp.zeros_like(x) if add_to is None else add_to
    won = xp.arange(H * W).reshape(H, W) == winner[:, :, None, None]  # (N, C, H, W)
    dx += xp.where(won, dz[:, :, None, None], 0)
    return dx


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
