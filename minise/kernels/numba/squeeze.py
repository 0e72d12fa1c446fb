"""The squeeze: one number for each map, its mean or its largest pixel; one pass over x."""

from __future__ import annotations

import numpy as np
from numba import prange

from minise.backend import Array
from minise.kernels.numba.compile import compiled_parallel
from minise.kernels.numba.layout import batch_first, batch_last
from minise.kernels.numba.memory import zeros


def global_avg_pool(x: Array) -> Array:
    """z (N, C), the mean of each map."""
    x = batch_last(x)  # (C, H, W, N)
    C, H, W, N = x.shape
    z = np.empty((C, N), x.dtype)
    _mean(x.reshape(C, H * W, N), z)
    return batch_first(z)


def global_avg_pool_backward(
    dz: Array, shape: tuple[int, int, int, int], add_to: Array | None
) -> Array:
    """dx of the given shape (N, C, H, W): each pixel a share of 1/HW, added to `add_to`."""
    N, C, H, W = shape
    dx = zeros((C, H, W, N), dz.dtype) if add_to is None else batch_last(add_to)
    _share(batch_last(dz) / (H * W), dx.reshape(C, H * W, N))
    return batch_first(dx)


def global_max_pool(x: Array) -> tuple[Array, Array]:
    """(z, winner), both (N, C): the largest pixel of each map, and its number h·W + w."""
    x = batch_last(x)  # (C, H, W, N)
    C, H, W, N = x.shape
    z, winner = np.empty((C, N), x.dtype), np.empty((C, N), np.int32)
    _largest(x.reshape(C, H * W, N), z, winner)
    return batch_first(z), batch_first(winner)


def global_max_pool_backward(
    dz: Array, winner: Array, shape: tuple[int, int, int, int], add_to: Array | None
) -> Array:
    """dx of the given shape (N, C, H, W): dz where a pixel won, added to `add_to`."""
    N, C, H, W = shape
    dx = zeros((C, H, W, N), dz.dtype) if add_to is None else batch_last(add_to)
    _to_winner(batch_last(dz), batch_last(winner), dx.reshape(C, H * W, N))
    return batch_first(dx)


@compiled_parallel
def _mean(x: Array, z: Array) -> None:
    pixels = x.shape[1]
    for c in prange(x.shape[0]):
        total = np.zeros(x.shape[2])  # float64: thousands of pixels may be added up
        for pixel in range(pixels):
            row = x[c, pixel]
            for n in range(row.size):
                total[n] += row[n]
        result = z[c]
        for n in range(result.size):
            result[n] = total[n] / pixels


@compiled_parallel
def _share(dz: Array, dx: Array) -> None:
    for c in prange(dx.shape[0]):
        share = dz[c]
        for pixel in range(dx.shape[1]):
            row = dx[c, pixel]
            for n in range(row.size):
                row[n] += share[n]


@compiled_parallel
def _largest(x: Array, z: Array, winner: Array) -> None:
    for c in prange(x.shape[0]):
        best, won = z[c], winner[c]
        first = x[c, 0]
        for n in range(best.size):
            best[n] = first[n]
            won[n] = 0
        for pixel in range(1, x.shape[1]):
            row = x[c, pixel]
            for n in range(best.size):
                value = row[n]
                # a tie stays with the first; NaN, alone unequal to itself, is never given up
                if value > best[n] or (value != value and best[n] == best[n]):
                    best[n] = value
                    won[n] = pixel


@compiled_parallel
def _to_winner(dz: Array, winner: Array, dx: Array) -> None:
    for c in prange(dx.shape[0]):
        for n in range(dx.shape[2]):
            dx[c, winner[c, n], n] += dz[c, n]
