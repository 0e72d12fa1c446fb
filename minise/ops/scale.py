"""Scale: each channel of an image times its gate, the last step of squeeze-and-excitation.

y[n, c, h, w] = s[n, c] · x[n, c, h, w]          (Hu et al., eq. 4)
"""

from __future__ import annotations

from typing import NamedTuple

from minise import shapes
from minise.backend import Array, kernel


class ChannelScaleSaved(NamedTuple):
    """Both factors: the derivative of a product with respect to one is the other."""

    x: Array  # (N, C, H, W)
    s: Array  # (N, C)


def channel_scale(x: Array, s: Array) -> tuple[Array, ChannelScaleSaved]:
    """Multiply each channel of x (N, C, H, W) with its gate in s (N, C).

    Raises `ValueError` where s does not have one gate for each channel, `TypeError` for dtypes.
    """
    shapes.check_arrays("channel_scale", x=x, s=s)
    shapes.check_ndim("channel_scale", "x", x, "N, C, H, W")
    if s.shape != x.shape[:2]:
        raise ValueError(f"channel_scale: s has shape {s.shape}, x {x.shape} wants {x.shape[:2]}")
    fast = kernel("channel_scale", x, s)
    y = fast(x, s) if fast else x * s[:, :, None, None]  # (N, C, H, W) · (N, C, 1, 1)
    return y, ChannelScaleSaved(x, s)


def channel_scale_backward(dy: Array, saved: ChannelScaleSaved) -> tuple[Array, Array]:
    """Gradients (dx, ds), given dy (N, C, H, W)."""
    x, s = saved
    shapes.check_cotangent("channel_scale_backward", dy, x, x.shape)
    if fast := kernel("channel_scale_backward", dy, x, s):
        return fast(dy, x, s)  # type: ignore[no-any-return]
    dx = dy * s[:, :, None, None]  # a pixel was scaled by its gate: so is its gradient
    ds = (dy * x).sum(axis=(2, 3))  # one gate scaled H·W pixels: the sum over them
    return dx, ds
