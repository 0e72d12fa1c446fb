"""Squeeze: each map to its mean or its largest pixel, and back."""

from __future__ import annotations

import cupy
import numpy as np

from minise.arrays import Array
from minise.kernels.cupy.launch import contiguous, each_map, each_pack, maps_of


def global_avg_pool(x: Array) -> Array:
    """z (N, C): the mean of each map."""
    (x,) = contiguous(x)
    z = cupy.empty(x.shape[:2], x.dtype)
    each_map("squeeze.cu", "global_avg_pool", maps_of(x), x, z, ADD=0)
    return z


def global_avg_pool_backward(
    dz: Array, x: Array, add_to: Array | None, scaled_by: Array | None
) -> Array:
    """dx, every pixel dz / HW; added to `add_to` where there is one."""
    (dz,) = contiguous(dz)
    if add_to is not None and scaled_by is not None:
        above, s = contiguous(add_to, scaled_by)
        dx, add = cupy.empty(x.shape, x.dtype), 2
    else:
        dx, add = _target(x, add_to)
        above, s = dx, dz
    maps = maps_of(above, dx)
    each_pack("squeeze.cu", "global_avg_pool_backward", maps, dz, above, s, dx, ADD=add)
    return dx


def global_max_pool(x: Array) -> tuple[Array, Array]:
    """(z, winner), both (N, C): the largest pixel of each map, and where in it that is."""
    (x,) = contiguous(x)
    z, winner = cupy.empty(x.shape[:2], x.dtype), cupy.empty(x.shape[:2], np.int32)
    pixels = maps_of(x)._replace(packs=x.shape[2] * x.shape[3], width=1)
    each_map("squeeze.cu", "global_max_pool", pixels, x, z, winner, ADD=0)
    return z, winner


def global_max_pool_backward(dz: Array, x: Array, winner: Array, add_to: Array | None) -> Array:
    """dx, dz at the pixel that won, else 0; added to `add_to` where there is one."""
    dx, add = _target(x, add_to)
    dz, winner = contiguous(dz, winner)
    pixels = maps_of(dx)._replace(packs=x.shape[2] * x.shape[3], width=1)
    each_pack("squeeze.cu", "global_max_pool_backward", pixels, dz, winner, dx, ADD=add)
    return dx


def _target(x: Array, add_to: Array | None) -> tuple[Array, int]:
    """Where dx is written, and whether it has something in it already."""
    if add_to is None:
        return cupy.empty(x.shape, x.dtype), 0
    return contiguous(add_to)[0], 1
