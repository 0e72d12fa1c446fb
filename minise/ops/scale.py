"""Scale: each channel of an image times its gate, the last step of squeeze-and-excitation.

y[n, c, h, w] = s[n, c] · x[n, c, h, w]          (Hu et al., eq. 4)

`multiply` does it with gates for pixels. And the tail of an SE residual block, where the scaled
branch x meets the shortcut r:

y = max(s · x + r, 0)                            (Hu et al., figure 3)
"""

from __future__ import annotations

from typing import NamedTuple

from minise import shapes
from minise.backend import Array, array_module, kernel


class ChannelScaleSaved(NamedTuple):
    """Both factors: the derivative of a product with respect to one is the other."""

    x: Array  # (N, C, H, W)
    s: Array  # (N, C)


class MultiplySaved(NamedTuple):
    """Both factors, as for `channel_scale`."""

    x: Array  # (N, C, H, W)
    s: Array  # (N, C, H, W) or (N, 1, H, W)


class ScaleAddReLUSaved(NamedTuple):
    """Both factors, and the output: it says where relu let its input through."""

    x: Array  # (N, C, H, W)
    s: Array  # (N, C)
    y: Array  # (N, C, H, W)


def channel_scale(x: Array, s: Array) -> tuple[Array, ChannelScaleSaved]:
    """Multiply each channel of x (N, C, H, W) with its gate in s (N, C).

    Raises `ValueError` where s does not have one gate for each channel, `TypeError` for dtypes.
    """
    shapes.check_arrays("channel_scale", x=x, s=s)
    shapes.check_gates("channel_scale", x, s)
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


def multiply(x: Array, s: Array) -> tuple[Array, MultiplySaved]:
    """Multiply each pixel of x (N, C, H, W) with its gate, s (N, C, H, W) or (N, 1, H, W).

    Raises `ValueError` where the shapes do not fit, `TypeError` for dtypes.
    """
    shapes.check_arrays("multiply", x=x, s=s)
    shapes.check_ndim("multiply", "x", x, "N, C, H, W")
    one_for_all = (x.shape[0], 1, *x.shape[2:])
    if s.shape not in (x.shape, one_for_all):
        raise ValueError(
            f"multiply: s has shape {s.shape}, x {x.shape} wants {x.shape} or {one_for_all}"
        )
    return x * s, MultiplySaved(x, s)


def multiply_backward(dy: Array, saved: MultiplySaved) -> tuple[Array, Array]:
    """Gradients (dx, ds), given dy (N, C, H, W): dy times the other factor."""
    x, s = saved
    shapes.check_cotangent("multiply_backward", dy, x, x.shape)
    ds = dy * x
    if s.shape != x.shape:
        ds = ds.sum(axis=1, keepdims=True)  # one gate scaled C channels: the sum over them
    return dy * s, ds


def scale_add_relu(x: Array, s: Array, r: Array) -> tuple[Array, ScaleAddReLUSaved]:
    """y = max(s · x + r, 0) for x and r (N, C, H, W) and gates s (N, C), in one pass over memory.

    Raises `ValueError` where s does not have one gate for each channel or r is not shaped as x,
    `TypeError` for dtypes.
    """
    shapes.check_arrays("scale_add_relu", x=x, s=s, r=r)
    shapes.check_gates("scale_add_relu", x, s)
    if r.shape != x.shape:
        raise ValueError(f"scale_add_relu: r has shape {r.shape}, x has {x.shape}")
    if fast := kernel("scale_add_relu", x, s, r):
        y = fast(x, s, r)
    else:
        y = array_module(x).maximum(x * s[:, :, None, None] + r, 0)
    return y, ScaleAddReLUSaved(x, s, y)


def scale_add_relu_backward(dy: Array, saved: ScaleAddReLUSaved) -> tuple[Array, Array, Array]:
    """Gradients (dx, ds, dr), given dy (N, C, H, W)."""
    x, s, y = saved
    shapes.check_cotangent("scale_add_relu_backward", dy, x, x.shape)
    if fast := kernel("scale_add_relu_backward", dy, x, s, y):
        return fast(dy, x, s, y)  # type: ignore[no-any-return]
    dr = array_module(x).where(y > 0, dy, 0)  # what relu lets through reaches both terms of the sum
    dx, ds = channel_scale_backward(dr, ChannelScaleSaved(x, s))
    return dx, ds, dr
