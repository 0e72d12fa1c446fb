"""Scale: each channel of an image times its gate, the last step of squeeze-and-excitation.

y[n, c, h, w] = s[n, c] · x[n, c, h, w]          (Hu et al., eq. 4)

`multiply` does the same with gates for pixels. And the tail of an SE residual block, where the
scaled branch x meets the shortcut r:

y = max(s · x + r, 0)                            (Hu et al., figure 3)
"""

from __future__ import annotations

from typing import NamedTuple

from minise import door
from minise.arrays import Array, array_module
from minise.backend import accelerated

__all__ = [
    "channel_scale",
    "channel_scale_backward",
    "gates_gradient",
    "multiply",
    "multiply_backward",
    "scale_add_relu",
    "scale_add_relu_backward",
]


class ChannelScaleSaved(NamedTuple):
    """Both factors: the derivative of a product with respect to one is the other."""

    x: Array  # (N, C, H, W)
    s: Array  # (N, C)


def channel_scale(x: Array, s: Array) -> tuple[Array, ChannelScaleSaved]:
    """Multiply each channel of x (N, C, H, W) by its gate in s (N, C).

    Raises `ValueError` where s does not have one gate for each channel, `TypeError` for dtypes.
    """
    door.check_gates("channel_scale", x, s)
    return _channel_scale(x, s), ChannelScaleSaved(x, s)


@accelerated
def _channel_scale(x: Array, s: Array) -> Array:
    return x * s[:, :, None, None]  # (N, C, H, W) · (N, C, 1, 1)


def channel_scale_backward(dy: Array, saved: ChannelScaleSaved) -> tuple[Array, Array]:
    """Gradients (dx, ds), given dy (N, C, H, W): dx = s · dy, ds = Σ over h, w of dy · x."""
    door.check_cotangent("channel_scale_backward", dy, saved.x)
    return _channel_scale_backward(dy, *saved)


@accelerated
def _channel_scale_backward(dy: Array, x: Array, s: Array) -> tuple[Array, Array]:
    dx = dy * s[:, :, None, None]  # a pixel was scaled by its gate: so is its gradient
    return dx, _gates_gradient(dy, x)


def gates_gradient(dy: Array, saved: ChannelScaleSaved) -> Array:
    """ds (N, C) alone, of the gradients that `channel_scale_backward` gives.

    Where the gates were computed from x, dx is not complete without ds; the squeeze's backward then
    writes all of it at once, with `scaled_by`.
    """
    door.check_cotangent("gates_gradient", dy, saved.x)
    return _gates_gradient(dy, saved.x)


@accelerated
def _gates_gradient(dy: Array, x: Array) -> Array:
    ds: Array = (dy * x).sum(axis=(2, 3))  # one gate scaled H·W pixels: the sum over them
    return ds


class MultiplySaved(NamedTuple):
    """Both factors, as for `channel_scale`."""

    x: Array  # (N, C, H, W)
    s: Array  # (N, C, H, W) or (N, 1, H, W)


def multiply(x: Array, s: Array) -> tuple[Array, MultiplySaved]:
    """Multiply each pixel of x (N, C, H, W) by its gate, s (N, C, H, W) or (N, 1, H, W).

    Raises `ValueError` where the shapes do not fit, `TypeError` for dtypes.
    """
    door.check_pixel_gates("multiply", x, s)
    return _multiply(x, s), MultiplySaved(x, s)


@accelerated
def _multiply(x: Array, s: Array) -> Array:
    return x * s


def multiply_backward(dy: Array, saved: MultiplySaved) -> tuple[Array, Array]:
    """Gradients (dx, ds), given dy (N, C, H, W): dy times the other factor, shaped like its own."""
    door.check_cotangent("multiply_backward", dy, saved.x)
    return _multiply_backward(dy, *saved)


@accelerated
def _multiply_backward(dy: Array, x: Array, s: Array) -> tuple[Array, Array]:
    ds = dy * x
    if s.shape != x.shape:
        ds = ds.sum(axis=1, keepdims=True)  # one gate scaled C channels: the sum over them
    return dy * s, ds


class ScaleAddReLUSaved(NamedTuple):
    """Both factors, and the output, which shows where relu let its input through."""

    x: Array  # (N, C, H, W)
    s: Array  # (N, C)
    y: Array  # (N, C, H, W)


def scale_add_relu(x: Array, s: Array, r: Array) -> tuple[Array, ScaleAddReLUSaved]:
    """y = max(s · x + r, 0) for x and r (N, C, H, W) and gates s (N, C), in one pass over memory.

    Raises `ValueError` where s does not have one gate for each channel or r is not shaped like x,
    `TypeError` for dtypes.
    """
    door.check_gates("scale_add_relu", x, s, r)
    y = _scale_add_relu(x, s, r)
    return y, ScaleAddReLUSaved(x, s, y)


@accelerated
def _scale_add_relu(x: Array, s: Array, r: Array) -> Array:
    y: Array = array_module(x).maximum(x * s[:, :, None, None] + r, 0)
    return y


def scale_add_relu_backward(dy: Array, saved: ScaleAddReLUSaved) -> tuple[Array, Array, Array]:
    """Gradients (dx, ds, dr), given dy (N, C, H, W): dr = dy where y > 0, else 0.

    dx and ds are those of `channel_scale`, given dr.
    """
    door.check_cotangent("scale_add_relu_backward", dy, saved.x)
    return _scale_add_relu_backward(dy, *saved)


@accelerated
def _scale_add_relu_backward(dy: Array, x: Array, s: Array, y: Array) -> tuple[Array, Array, Array]:
    dr = array_module(x).where(y > 0, dy, 0)  # what relu lets through reaches both terms of the sum
    dx, ds = _channel_scale_backward(dr, x, s)
    return dx, ds, dr
