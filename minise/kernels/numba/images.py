"""Bytes of images on their way to a net: moved and turned, then looked up as numbers."""

from __future__ import annotations

import numpy as np

from minise.arrays import Array
from minise.kernels.numba.compile import as_written, compiled
from minise.kernels.numba.layout import batch_first, batch_last
from minise.kernels.numba.memory import empty
from minise.kernels.numba.tasks import invite, tasks
from minise.kernels.numba.team import compiled_parallel

PIXELS = 64  # of an image that a task looks up, a cache line of bytes


def placed(images: Array, values: Array | None) -> Array:
    """`NumPy.place` of `minise.backend`: the batch last in memory."""
    if values is None or images.dtype != np.uint8:
        return batch_first(batch_last(images if values is None else values.take(images)))
    N, C, H, W = images.shape
    x = empty((C, H, W, N), values.dtype)
    _look_up(_readable(images).reshape(N, C * H * W), values, x.reshape(C * H * W, N))
    return batch_first(x)


def moved(images: Array, motions: Array) -> Array:
    """`moved` of `minise.data.augment`, to the same bits."""
    N, C, H, W = images.shape
    result = np.empty(images.shape, np.uint8)
    corners, shares = np.empty((N, 4, W), np.int32), np.empty((N, 2, W))  # room for a row
    _move(_readable(images).reshape(N, C, H * W), motions, corners, shares, result)
    return result


def _readable(images: Array) -> Array:
    return np.require(images, requirements=["C", "A", "W"])  # one version of each loop


@compiled_parallel
def _look_up(team: int, images: Array, values: Array, x: Array) -> None:
    pixels, N = x.shape
    for task in tasks(invite(team), -(-pixels // PIXELS)):
        for pixel in range(task * PIXELS, min((task + 1) * PIXELS, pixels)):
            row = x[pixel]
            for n in range(N):
                row[n] = values[images[n, pixel]]


@compiled
@as_written
def _neighbours(x: float, size: int) -> tuple[float, float, float]:
    x = min(max(x, 0.0), float(size)) - 0.5
    low = np.floor(x)
    return max(low, 0.0), min(low + 1.0, size - 1.0), x - low


@compiled
@as_written
def _between(a: float, b: float, share: float) -> float:
    return a + (float(b) - a) * share


@compiled_parallel
@as_written
def _move(
    team: int, images: Array, motions: Array, corners: Array, shares: Array, result: Array
) -> None:
    N, C, H, W = result.shape
    outside = H * W
    for n in tasks(invite(team), N):
        cos, sin, right, down = motions[n, 0], motions[n, 1], motions[n, 2], motions[n, 3]
        corner, (dx, dy) = corners[n], (shares[n, 0], shares[n, 1])
        for h in range(H):
            for w in range(W):  # without a branch, so that the loop is vectorised
                x = cos * (w + 0.5) + sin * (h + 0.5) + right
                y = -sin * (w + 0.5) + cos * (h + 0.5) + down
                inside = (x >= 0) & (x < W) & (y >= 0) & (y < H)
                x0, x1, dx[w] = _neighbours(x, W)
                y0, y1, dy[w] = _neighbours(y, H)
                corner[0, w] = y0 * W + x0 if inside else outside
                corner[1, w] = y0 * W + x1
                corner[2, w] = y1 * W + x0
                corner[3, w] = y1 * W + x1
            for c in range(C):
                image, row = images[n, c], result[n, c, h]
                for w in range(W):
                    if corner[0, w] == outside:
                        row[w] = 0
                    else:
                        above = _between(image[corner[0, w]], image[corner[1, w]], dx[w])
                        below = _between(image[corner[2, w]], image[corner[3, w]], dx[w])
                        row[w] = _between(above, below, dy[w])
