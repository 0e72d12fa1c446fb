"""Squeeze: each map to one number, the first step of squeeze-and-excitation.

z[n, c] = (1/HW) Σ over h, w of x[n, c, h, w]          (Hu et al., eq. 2)

or the largest pixel instead. x then goes along two paths, through the squeeze and to the
scale, and its gradient is the sum of both: a backward adds its own to `add_to`, the gradient that
came along the other path. Where it saves memory, this is done in place: `add_to` may be
overwritten, so use what is returned. With `scaled_by`, gates (N, C), it is added to their product
with `add_to`, which then stays as it is: what a scale by these gates would give back first.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from minise import door
from minise.arrays import Array, array_module
from minise.backend import accelerated
from minise.ops.scale import _channel_scale

__all__ = [
    "global_avg_pool",
    "global_avg_pool_backward",
    "global_max_pool",
    "global_max_pool_backward",
    "masked_avg_pool",
    "masked_avg_pool_backward",
]


class GlobalAvgPoolSaved(NamedTuple):
    """The input: only its shape matters."""

    x: Array  # (N, C, H, W)


def global_avg_pool(x: Array) -> tuple[Array, GlobalAvgPoolSaved]:
    """Squeeze each map of x (N, C, H, W) to its mean, whatever its size: z (N, C)."""
    door.check_image("global_avg_pool", x)
    return _global_avg_pool(x), GlobalAvgPoolSaved(x)


@accelerated
def _global_avg_pool(x: Array) -> Array:
    z: Array = x.mean(axis=(2, 3))
    return z


def global_avg_pool_backward(
    dz: Array,
    saved: GlobalAvgPoolSaved,
    add_to: Array | None = None,
    scaled_by: Array | None = None,
) -> Array:
    """dx (N, C, H, W) = dz / HW for each pixel, plus `add_to`, as above."""
    door.check_squeezed("global_avg_pool_backward", dz, saved.x, add_to, scaled_by)
    return _global_avg_pool_backward(dz, saved.x, add_to, scaled_by)


@accelerated
def _global_avg_pool_backward(
    dz: Array, x: Array, add_to: Array | None, scaled_by: Array | None
) -> Array:
    H, W = x.shape[2:]
    dx: Array = array_module(x).zeros_like(x) if add_to is None else add_to
    if scaled_by is not None:
        dx = _channel_scale(dx, scaled_by)
    dx += (dz / (H * W))[:, :, None, None]  # each pixel had a share of 1/HW in its mean
    return dx


class GlobalMaxPoolSaved(NamedTuple):
    """Which pixel of each map won: h·W + w."""

    x: Array  # (N, C, H, W)
    winner: Array  # (N, C), int32


def global_max_pool(x: Array) -> tuple[Array, GlobalMaxPoolSaved]:
    """Squeeze each map of x (N, C, H, W) to its largest pixel, whatever its size: z (N, C).

    A tie goes to the first pixel in row order; NaN wins over everything.
    """
    door.check_image("global_max_pool", x)
    z, winner = _global_max_pool(x)
    return z, GlobalMaxPoolSaved(x, winner)


@accelerated
def _global_max_pool(x: Array) -> tuple[Array, Array]:
    N, C, H, W = x.shape
    flat = x.reshape(N, C, H * W)
    return flat.max(axis=2), flat.argmax(axis=2).astype(np.int32)  # both (N, C)


def global_max_pool_backward(
    dz: Array,
    saved: GlobalMaxPoolSaved,
    add_to: Array | None = None,
    scaled_by: Array | None = None,
) -> Array:
    """dx (N, C, H, W) = dz for the pixel that won, 0 for all others, plus `add_to`, as above."""
    door.check_squeezed("global_max_pool_backward", dz, saved.x, add_to, scaled_by)
    if add_to is not None and scaled_by is not None:
        add_to = _channel_scale(add_to, scaled_by)
    return _global_max_pool_backward(dz, *saved, add_to)


@accelerated
def _global_max_pool_backward(dz: Array, x: Array, winner: Array, add_to: Array | None) -> Array:
    (H, W), xp = x.shape[2:], array_module(x)
    dx: Array = xp.zeros_like(x) if add_to is None else add_to
    won = xp.arange(H * W).reshape(H, W) == winner[:, :, None, None]  # (N, C, H, W)
    dx += xp.where(won, dz[:, :, None, None], 0)
    return dx


class MaskedAvgPoolSaved(NamedTuple):
    """The input, of which only the shape matters, and which pixels were counted."""

    x: Array  # (N, C, H, W)
    mask: Array  # (N, H, W), bool
    pixels: Array  # (N,): how many count, in the dtype of x


def masked_avg_pool(x: Array, mask: Array) -> tuple[Array, MaskedAvgPoolSaved]:
    """Squeeze each map of x (N, C, H, W) to its mean where mask (N, H, W) is true: z (N, C).

    For images padded to one size, or for sound of several lengths (ECAPA-TDNN: Desplanques et al.
    2020). What is masked counts for nothing, even if it is NaN. Frames in a row, (N, C, 1, W),
    with a length for each have the mask `np.arange(W) < lengths[:, None, None]`.

    Raises `TypeError` for a mask that is not of bools, `ValueError` for one of another shape or
    one that leaves an image no pixel: its mean has no value. On a GPU that mean is NaN instead:
    checking for it would mean waiting for the GPU.
    """
    door.check_mask("masked_avg_pool", x, mask)
    z, pixels = _masked_avg_pool(x, mask)
    return z, MaskedAvgPoolSaved(x, mask, pixels)


@accelerated
def _masked_avg_pool(x: Array, mask: Array) -> tuple[Array, Array]:
    xp = array_module(x)
    pixels = mask.sum(axis=(1, 2)).astype(x.dtype)  # (N,)
    if xp is np:
        door.check_counts("masked_avg_pool", pixels)
    return xp.where(mask[:, None], x, 0).sum(axis=(2, 3)) / pixels[:, None], pixels


def masked_avg_pool_backward(
    dz: Array,
    saved: MaskedAvgPoolSaved,
    add_to: Array | None = None,
    scaled_by: Array | None = None,
) -> Array:
    """dx (N, C, H, W) = dz / pixels where the mask is true, else 0, plus `add_to`, as above."""
    door.check_squeezed("masked_avg_pool_backward", dz, saved.x, add_to, scaled_by)
    return _masked_avg_pool_backward(dz, *saved, add_to, scaled_by)


@accelerated
def _masked_avg_pool_backward(
    dz: Array, x: Array, mask: Array, pixels: Array, add_to: Array | None, scaled_by: Array | None
) -> Array:
    dx: Array = array_module(x).zeros_like(x) if add_to is None else add_to
    if scaled_by is not None:
        dx = _channel_scale(dx, scaled_by)
    dx += mask[:, None] * (dz / pixels[:, None])[:, :, None, None]
    return dx
