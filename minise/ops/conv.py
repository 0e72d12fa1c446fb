"""Convolution (that is cross-correlation, as in every framework).

    y[n, f, oh, ow] = b[f] + Σ w[f, c, i, j] · x[n, c, oh·S − P + i·D, ow·S − P + j·D]

summed over channels c and taps (i, j), with stride S, padding P (zeros) and dilation D. With G
groups, filter f sees only the C/G channels of its own group.

Read it tap by tap: for one fixed (i, j), a convolution is a 1×1 convolution of a shifted image,
which is a matrix product over channels. All three passes below are that product.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from minise import door, shapes
from minise.arrays import Array, array_module
from minise.backend import accelerated
from minise.shapes import Pair, Window

__all__ = ["conv2d", "conv2d_backward"]


class Conv2dSaved(NamedTuple):
    """What the backward of `conv2d` needs."""

    x: Array  # (N, C, H, W)
    w: Array  # (F, C/G, KH, KW)
    has_bias: bool
    window: Window
    groups: int


def conv2d(
    x: Array,
    w: Array,
    b: Array | None = None,
    *,
    stride: int | Pair = 1,
    padding: int | Pair = 0,
    dilation: int | Pair = 1,
    groups: int = 1,
) -> tuple[Array, Conv2dSaved]:
    """Convolve each image of x (N, C, H, W) with the filters w (F, C/groups, KH, KW).

    b is (F,) or None. Each of stride, padding, dilation is an integer or (vertical, horizontal).
    Returns y (N, F, OH, OW) with OH = floor((H + 2·padding − dilation·(KH − 1) − 1) / stride) + 1,
    in the dtype of x, float32 or float64.

    Raises `ValueError` for shapes that do not fit, `TypeError` for mixed or other dtypes.
    """
    window = door.check_conv2d("conv2d", x, w, b, stride, padding, dilation, groups)
    return _conv2d(x, w, b, window, groups), Conv2dSaved(x, w, b is not None, window, groups)


@accelerated
def _conv2d(x: Array, w: Array, b: Array | None, window: Window, groups: int) -> Array:
    N, F, (OH, OW) = len(x), len(w), shapes.output_sizes(x, window)
    w_grouped = w.reshape(groups, F // groups, *w.shape[1:])  # (G, F/G, C/G, KH, KW)
    y: Array = array_module(x).zeros((N, groups, F // groups, OH * OW), dtype=x.dtype)
    for i, j, patch in _patches(_pad(x, window, (OH, OW)), window, groups, (OH, OW)):
        y += w_grouped[..., i, j] @ patch  # (G, F/G, C/G) @ (N, G, C/G, OH·OW)
    y = y.reshape(N, F, OH, OW)
    return y if b is None else y + b[:, None, None]


def conv2d_backward(dy: Array, saved: Conv2dSaved) -> tuple[Array, Array, Array | None]:
    """Gradients (dx, dw, db), given dy (N, F, OH, OW); db is None without a bias.

    Tap by tap the forward is y += w x, so dx += wᵀ dy and dw += dy xᵀ.
    """
    shape = (len(saved.x), len(saved.w), *shapes.output_sizes(saved.x, saved.window))
    door.check_cotangent("conv2d_backward", dy, saved.x, shape)
    return _conv2d_backward(dy, *saved)


@accelerated
def _conv2d_backward(
    dy: Array, x: Array, w: Array, has_bias: bool, window: Window, groups: int
) -> tuple[Array, Array, Array | None]:
    (N, C, H, W), (_, F, OH, OW) = x.shape, dy.shape
    xp = array_module(x)
    w_grouped = w.reshape(groups, F // groups, *w.shape[1:])  # (G, F/G, C/G, KH, KW)
    dw = xp.empty_like(w_grouped)
    dy_flat = dy.reshape(N, groups, F // groups, OH * OW)
    x_padded = _pad(x, window, (OH, OW))
    dx_padded = xp.zeros_like(x_padded)
    for i, j, patch in _patches(x_padded, window, groups, (OH, OW)):
        # (N, G, F/G, OH·OW) @ (N, G, OH·OW, C/G), summed over the batch
        dw[..., i, j] = (dy_flat @ patch.swapaxes(-1, -2)).sum(axis=0)
        # (G, C/G, F/G) @ (N, G, F/G, OH·OW), back to where the patch was taken
        dpatch = w_grouped[..., i, j].swapaxes(-1, -2) @ dy_flat
        dx_padded[:, :, *shapes.tap(i, j, window, (OH, OW))] += dpatch.reshape(N, C, OH, OW)
    top, left = window.padding
    dx = dx_padded[:, :, top : top + H, left : left + W]
    return dx, dw.reshape(w.shape), dy.sum(axis=(0, 2, 3)) if has_bias else None


def _pad(x: Array, window: Window, output: Pair) -> Array:
    padded: Array = array_module(x).pad(x, shapes.padding_for(x, window, output))
    return padded


def _patches(
    x_padded: Array, window: Window, groups: int, output: Pair
) -> Iterator[tuple[int, int, Array]]:
    """For each tap (i, j), the pixels it meets: (N, G, C/G, OH·OW)."""
    N, C = x_padded.shape[:2]
    for i in range(window.size[0]):
        for j in range(window.size[1]):
            patch = x_padded[:, :, *shapes.tap(i, j, window, output)]  # (N, C, OH, OW)
            yield i, j, patch.reshape(N, groups, C // groups, output[0] * output[1])
