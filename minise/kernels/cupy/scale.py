"""Scale: each map times its gate, alone and as the tail of an SE residual block."""

from __future__ import annotations

import cupy

from minise.arrays import Array
from minise.kernels.cupy.launch import contiguous, each_map, each_pack, maps_of


def channel_scale(x: Array, s: Array) -> Array:
    """y (N, C, H, W) = s · x."""
    x, s = contiguous(x, s)
    y = cupy.empty(x.shape, x.dtype)
    each_pack("scale.cu", "scale", maps_of(x, y), x, s, y)
    return y


def channel_scale_backward(dy: Array, x: Array, s: Array) -> tuple[Array, Array]:
    """(dx, ds): dx = s · dy, and ds (N, C) the sum of dy · x over each map."""
    dy, x, s = contiguous(dy, x, s)
    dx, ds = cupy.empty(x.shape, x.dtype), cupy.empty(s.shape, s.dtype)
    each_map("scale.cu", "scale_backward", maps_of(dy, x, dx), dy, x, s, dx, ds)
    return dx, ds


def gates_gradient(dy: Array, x: Array) -> Array:
    """ds (N, C), the sum of dy · x over each map."""
    dy, x = contiguous(dy, x)
    ds = cupy.empty(x.shape[:2], x.dtype)
    each_map("scale.cu", "gates_gradient", maps_of(dy, x), dy, x, ds)
    return ds


def scale_add_relu(x: Array, s: Array, r: Array) -> Array:
    """y (N, C, H, W) = max(s · x + r, 0)."""
    x, s, r = contiguous(x, s, r)
    y = cupy.empty(x.shape, x.dtype)
    each_pack("scale.cu", "scale_add_relu", maps_of(x, r, y), x, s, r, y)
    return y


def scale_add_relu_backward(dy: Array, x: Array, s: Array, y: Array) -> tuple[Array, Array, Array]:
    """(dx, ds, dr): dr is dy where y > 0, else 0; dx and ds as those of `channel_scale`, of dr."""
    dy, x, s, y = contiguous(dy, x, s, y)
    dx, dr = cupy.empty(x.shape, x.dtype), cupy.empty(x.shape, x.dtype)
    ds = cupy.empty(s.shape, s.dtype)
    maps = maps_of(dy, x, y, dx, dr)
    each_map("scale.cu", "scale_add_relu_backward", maps, dy, x, s, y, dx, ds, dr)
    return dx, ds, dr
