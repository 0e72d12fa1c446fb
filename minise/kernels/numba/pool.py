"""Pooling over windows: for each window, whole rows of the batch are compared or added at once."""

from __future__ import annotations

import numpy as np

from minise.arrays import Array
from minise.kernels.numba.compile import compiled
from minise.kernels.numba.layout import batch_first, batch_last
from minise.kernels.numba.memory import empty
from minise.kernels.numba.tasks import invite, tasks
from minise.kernels.numba.team import compiled_parallel
from minise.shapes import Pair, Window


def max_pool2d(x: Array, window: Window, output: Pair) -> tuple[Array, Array]:
    """(y, winner), both (N, C, OH, OW); the winner is tap i·KW + j of its window."""
    x = batch_last(x)  # (C, H, W, N)
    y = empty((x.shape[0], *output, x.shape[3]), x.dtype)
    winner = empty(y.shape, np.int32)
    if x.shape[3] == 1:
        _max_of_one(x[..., 0], *window[:3], y[..., 0], winner[..., 0])
    else:
        _max(x, *window[:3], y, winner)
    return batch_first(y), batch_first(winner)


def max_pool2d_backward(dy: Array, x: Array, winner: Array, window: Window) -> Array:
    """dx, shaped as x (N, C, H, W): each dy goes to the pixel that won."""
    N, C, H, W = x.shape
    dx = empty((C, H, W, N), dy.dtype)
    _max_backward(batch_last(dy), batch_last(winner), *window[:3], dx)
    return batch_first(dx)


def avg_pool2d(x: Array, pixels: Array, window: Window) -> Array:
    """y (N, C, OH, OW): the sum of each window divided by its number of `pixels` (OH, OW)."""
    x = batch_last(x)  # (C, H, W, N)
    y = empty((x.shape[0], *pixels.shape, x.shape[3]), x.dtype)
    _avg(x, np.ascontiguousarray(pixels), *window[:3], y)
    return batch_first(y)


def avg_pool2d_backward(dy: Array, x: Array, pixels: Array, window: Window) -> Array:
    """dx, shaped as x (N, C, H, W): each window hands dy / pixels to each of its pixels."""
    N, C, H, W = x.shape
    dx = empty((C, H, W, N), dy.dtype)
    _avg_backward(batch_last(dy), np.ascontiguousarray(pixels), *window[:3], dx)
    return batch_first(dx)


@compiled
def _inside(place: int, kernel: int, stride: int, padding: int, size: int) -> tuple[int, int, int]:
    """The taps of one axis that lie inside the image, as a range, and where tap 0 would lie."""
    start = place * stride - padding
    return max(0, -start), min(kernel, size - start), start


@compiled
def _windows(pixel: int, kernel: int, stride: int, padding: int, places: int) -> tuple[int, int]:
    """The windows that cover a pixel, along one axis, as a range of their places."""
    low = (pixel + padding - kernel) // stride + 1  # the first that ends after the pixel
    return max(0, low), min(places, (pixel + padding) // stride + 1)


@compiled_parallel
def _max(
    team: int, x: Array, size: Pair, stride: Pair, padding: Pair, y: Array, winner: Array
) -> None:
    C, OH, OW, _ = y.shape
    for task in tasks(invite(team), OH * C):
        oh, c = task // C, task % C
        i_low, i_high, top = _inside(oh, size[0], stride[0], padding[0], x.shape[1])
        for ow in range(OW):
            j_low, j_high, left = _inside(ow, size[1], stride[1], padding[1], x.shape[2])
            best, won = y[c, oh, ow], winner[c, oh, ow]
            first, tap = x[c, top + i_low, left + j_low], np.int32(i_low * size[1] + j_low)
            for n in range(best.size):
                best[n] = first[n]
                won[n] = tap
            for i in range(i_low, i_high):
                for j in range(j_low, j_high):
                    row = x[c, top + i, left + j]
                    tap = np.int32(i * size[1] + j)
                    for n in range(best.size):
                        value = row[n]
                        # a tie stays with the first; NaN, alone unequal to itself, wins
                        wins = value > best[n] or (value != value and best[n] == best[n])
                        best[n] = value if wins else best[n]
                        won[n] = tap if wins else won[n]


@compiled_parallel
def _max_of_one(
    team: int, x: Array, size: Pair, stride: Pair, padding: Pair, y: Array, winner: Array
) -> None:
    """The same for one image, x (C, H, W): the best of a window is a number, not a row."""
    C, OH, OW = y.shape
    for c in tasks(invite(team), C):
        for oh in range(OH):
            i_low, i_high, top = _inside(oh, size[0], stride[0], padding[0], x.shape[1])
            best, won = y[c, oh], winner[c, oh]
            for ow in range(OW):
                left = max(0, ow * stride[1] - padding[1])
                best[ow] = x[c, top + i_low, left]
                won[ow] = i_low * size[1] + left - ow * stride[1] + padding[1]
            for i in range(i_low, i_high):
                row = x[c, top + i]
                for j in range(size[1]):
                    tap, moved = np.int32(i * size[1] + j), j - padding[1]
                    low = max(0, -(moved // stride[1]))  # rounded up
                    for ow in range(low, min(OW, (x.shape[2] - 1 - moved) // stride[1] + 1)):
                        value, before = row[ow * stride[1] + moved], best[ow]
                        wins = (value > before) | ((value != value) & (before == before))
                        best[ow] = value if wins else before
                        won[ow] = tap if wins else won[ow]


@compiled_parallel
def _max_backward(
    team: int, dy: Array, winner: Array, size: Pair, stride: Pair, padding: Pair, dx: Array
) -> None:
    C, H, W, _ = dx.shape
    zero = dx.dtype.type(0)
    for task in tasks(
        invite(team), H * C
    ):  # windows overlap: a row has one owner, which looks at all of them
        h, c = task // C, task % C
        dx[c, h] = zero
        low, high = _windows(h, size[0], stride[0], padding[0], dy.shape[1])
        for oh in range(low, high):
            i = h + padding[0] - oh * stride[0]
            for ow in range(dy.shape[2]):
                j_low, j_high, left = _inside(ow, size[1], stride[1], padding[1], W)
                above, won = dy[c, oh, ow], winner[c, oh, ow]
                for j in range(j_low, j_high):
                    target, tap = dx[c, h, left + j], np.int32(i * size[1] + j)
                    for n in range(target.size):
                        target[n] += above[n] if won[n] == tap else zero


@compiled_parallel
def _avg(
    team: int, x: Array, pixels: Array, size: Pair, stride: Pair, padding: Pair, y: Array
) -> None:
    C, OH, OW, _ = y.shape
    for task in tasks(invite(team), OH * C):
        oh, c = task // C, task % C
        i_low, i_high, top = _inside(oh, size[0], stride[0], padding[0], x.shape[1])
        for ow in range(OW):
            j_low, j_high, left = _inside(ow, size[1], stride[1], padding[1], x.shape[2])
            total = y[c, oh, ow]
            total[:] = 0
            for i in range(i_low, i_high):
                for j in range(j_low, j_high):
                    row = x[c, top + i, left + j]
                    for n in range(total.size):
                        total[n] += row[n]
            for n in range(total.size):
                total[n] /= pixels[oh, ow]


@compiled_parallel
def _avg_backward(
    team: int, dy: Array, pixels: Array, size: Pair, stride: Pair, padding: Pair, dx: Array
) -> None:
    C, H, W, _ = dx.shape
    for task in tasks(invite(team), H * C):
        h, c = task // C, task % C
        dx[c, h] = dx.dtype.type(0)
        low, high = _windows(h, size[0], stride[0], padding[0], dy.shape[1])
        for oh in range(low, high):
            for ow in range(dy.shape[2]):
                j_low, j_high, left = _inside(ow, size[1], stride[1], padding[1], W)
                above, count = dy[c, oh, ow], pixels[oh, ow]
                for j in range(j_low, j_high):
                    target = dx[c, h, left + j]
                    for n in range(target.size):
                        target[n] += above[n] / count
