"""Batch normalisation over the batch and the pixels of each channel (Ioffe & Szegedy, 2015).

x̂ = (x − μ) / √(σ² + ε),   y = w · x̂ + b          with μ, σ² (biased) for each channel
"""

from __future__ import annotations

from typing import NamedTuple

from minise import shapes
from minise.backend import Array, array_module, kernel
from minise.ops.activation import ActivationSaved, relu, relu_backward


class BatchNormSaved(NamedTuple):
    """What the backward of `batch_norm` needs. x̂ is computed anew from it: that saves an array."""

    x: Array  # (N, C, H, W)
    w: Array  # (C,)
    mean: Array  # (C,)
    var: Array  # (C,), biased
    eps: float
    from_batch: bool  # whether mean and var were computed from x, and so depend on it


class BatchNormReLUSaved(NamedTuple):
    """The output, which says where relu let its input through, and what `batch_norm` saved."""

    y: Array  # (N, C, H, W)
    norm: BatchNormSaved


def batch_norm(
    x: Array,
    w: Array,
    b: Array,
    *,
    statistics: tuple[Array, Array] | None = None,
    eps: float = 1e-5,
) -> tuple[Array, BatchNormSaved]:
    """Normalise each channel of x (N, C, H, W), then scale by w (C,) and shift by b (C,).

    `statistics` is (mean, variance), each (C,), for evaluation; without it they are those of this
    batch, and `saved.mean` and `saved.var` (biased) tell them. Raises `ValueError` for shapes that
    do not fit and for a batch with fewer than two values in a channel, `TypeError` for dtypes.
    """
    mean, var = statistics if statistics is not None else (None, None)
    shapes.check_batch_norm("batch_norm", x, w, b, mean, var)
    if fast := kernel("batch_norm", x, w, b):
        y, mean, var = fast(x, w, b, statistics, eps)
        return y, BatchNormSaved(x, w, mean, var, eps, statistics is None)
    if mean is None or var is None:
        mean = x.mean(axis=(0, 2, 3))  # (C,)
        var = ((x - mean[:, None, None]) ** 2).mean(axis=(0, 2, 3))  # (C,)
    saved = BatchNormSaved(x, w, mean, var, eps, statistics is None)
    x_hat = _normalise(saved)  # (N, C, H, W)
    return w[:, None, None] * x_hat + b[:, None, None], saved


def batch_norm_backward(dy: Array, saved: BatchNormSaved) -> tuple[Array, Array, Array]:
    """Gradients (dx, dw, db), given dy (N, C, H, W).

    Where the statistics came from the batch, a pixel moves its channel's mean and variance too:
    dx loses the mean of dy, and the part of dy that lies along x̂ (Ioffe & Szegedy, section 3).
    """
    x, w, _, var, eps, from_batch = saved
    shapes.check_cotangent("batch_norm_backward", dy, x, x.shape)
    if fast := kernel("batch_norm_backward", dy, x, w):
        return fast(dy, *saved)  # type: ignore[no-any-return]
    x_hat = _normalise(saved)  # (N, C, H, W)
    db = dy.sum(axis=(0, 2, 3))  # (C,)
    dw = (dy * x_hat).sum(axis=(0, 2, 3))  # (C,)
    if from_batch:
        M = len(x) * x.shape[2] * x.shape[3]  # values in a channel, N·H·W
        dy = dy - (db / M)[:, None, None] - x_hat * (dw / M)[:, None, None]
    dx = dy * (w / array_module(x).sqrt(var + eps))[:, None, None]
    return dx, dw, db


def batch_norm_relu(
    x: Array,
    w: Array,
    b: Array,
    *,
    statistics: tuple[Array, Array] | None = None,
    eps: float = 1e-5,
) -> tuple[Array, BatchNormReLUSaved]:
    """`batch_norm` and `relu` behind it as one operation, y = max(w · x̂ + b, 0).

    One pass over memory where the two need two. Raises as `batch_norm` does.
    """
    shapes.check_batch_norm("batch_norm_relu", x, w, b, *(statistics or (None, None)))
    if fast := kernel("batch_norm_relu", x, w, b):
        y, mean, var = fast(x, w, b, statistics, eps)
        norm = BatchNormSaved(x, w, mean, var, eps, statistics is None)
    else:
        y, norm = batch_norm(x, w, b, statistics=statistics, eps=eps)
        y, _ = relu(y)
    return y, BatchNormReLUSaved(y, norm)


def batch_norm_relu_backward(dy: Array, saved: BatchNormReLUSaved) -> tuple[Array, Array, Array]:
    """Gradients (dx, dw, db), given dy (N, C, H, W): through relu, then through `batch_norm`."""
    y, norm = saved
    shapes.check_cotangent("batch_norm_relu_backward", dy, y, y.shape)
    if fast := kernel("batch_norm_relu_backward", dy, y, norm.w):
        return fast(dy, y, *norm)  # type: ignore[no-any-return]
    return batch_norm_backward(relu_backward(dy, ActivationSaved(y)), norm)


def _normalise(saved: BatchNormSaved) -> Array:
    x, mean, var, eps = saved.x, saved.mean, saved.var, saved.eps
    x_hat: Array = (x - mean[:, None, None]) / array_module(x).sqrt(var + eps)[:, None, None]
    return x_hat
