"""Batch normalisation over the batch and the pixels of each channel (Ioffe & Szegedy, 2015).

x̂ = (x − m) / √(var + ε),   y = w · x̂ + b         with m, var (biased) for each channel
"""

from __future__ import annotations

from typing import NamedTuple, TypeAlias

from minise import door
from minise.arrays import Array, array_module
from minise.backend import accelerated
from minise.ops.activation import _relu, _relu_backward

__all__ = [
    "BatchNormSaved",
    "batch_norm",
    "batch_norm_backward",
    "batch_norm_relu",
    "batch_norm_relu_backward",
]

Statistics: TypeAlias = tuple[Array, Array]  # mean and variance, each (C,)


class BatchNormSaved(NamedTuple):
    """What the backward of `batch_norm` needs. x̂ is recomputed, which saves an array."""

    x: Array  # (N, C, H, W)
    w: Array  # (C,)
    mean: Array  # (C,)
    var: Array  # (C,), biased
    eps: float
    from_batch: bool  # whether mean and var were computed from x, and so depend on it


def batch_norm(
    x: Array,
    w: Array,
    b: Array,
    *,
    statistics: Statistics | None = None,
    eps: float = 1e-5,
) -> tuple[Array, BatchNormSaved]:
    """Normalise each channel of x (N, C, H, W), then scale by w (C,) and shift by b (C,).

    `statistics` is (mean, variance), each (C,), for evaluation; without it they are those of this
    batch, and `saved.mean` and `saved.var` (biased) hold them. Raises `ValueError` for shapes that
    do not fit and for a batch with fewer than two values in a channel, `TypeError` for dtypes.
    """
    door.check_batch_norm("batch_norm", x, w, b, statistics)
    y, mean, var = _batch_norm(x, w, b, statistics, eps)
    return y, BatchNormSaved(x, w, mean, var, eps, statistics is None)


@accelerated
def _batch_norm(
    x: Array, w: Array, b: Array, statistics: Statistics | None, eps: float
) -> tuple[Array, Array, Array]:
    if statistics is None:
        mean = x.mean(axis=(0, 2, 3))  # (C,)
        var = ((x - mean[:, None, None]) ** 2).mean(axis=(0, 2, 3))  # (C,)
    else:
        mean, var = statistics
    x_hat = _normalise(x, mean, var, eps)  # (N, C, H, W)
    return w[:, None, None] * x_hat + b[:, None, None], mean, var


def batch_norm_backward(dy: Array, saved: BatchNormSaved) -> tuple[Array, Array, Array]:
    """Gradients (dx, dw, db), given dy (N, C, H, W): db = Σ dy, dw = Σ dy · x̂.

    dx = w / √(var + ε) · dy. Where the statistics came from the batch, a pixel moves its channel's
    mean and variance too: dy then loses its mean, and its component along x̂ (Ioffe & Szegedy,
    section 3).
    """
    door.check_cotangent("batch_norm_backward", dy, saved.x)
    return _batch_norm_backward(dy, *saved)


@accelerated
def _batch_norm_backward(
    dy: Array, x: Array, w: Array, mean: Array, var: Array, eps: float, from_batch: bool
) -> tuple[Array, Array, Array]:
    x_hat = _normalise(x, mean, var, eps)  # (N, C, H, W)
    db = dy.sum(axis=(0, 2, 3))  # (C,)
    dw = (dy * x_hat).sum(axis=(0, 2, 3))  # (C,)
    if from_batch:
        M = len(x) * x.shape[2] * x.shape[3]  # values in a channel, N·H·W
        dy = dy - (db / M)[:, None, None] - x_hat * (dw / M)[:, None, None]
    dx = dy * (w / array_module(x).sqrt(var + eps))[:, None, None]
    return dx, dw, db


class BatchNormReLUSaved(NamedTuple):
    """What `batch_norm` saved, and b: from them follows y, which shows what relu let through.

    Computing it again takes less time than reading it.
    """

    b: Array  # (C,)
    norm: BatchNormSaved


def batch_norm_relu(
    x: Array,
    w: Array,
    b: Array,
    *,
    statistics: Statistics | None = None,
    eps: float = 1e-5,
) -> tuple[Array, BatchNormReLUSaved]:
    """`batch_norm` followed by `relu` as one operation, y = max(w · x̂ + b, 0).

    One pass over memory instead of two. Raises as `batch_norm` does.
    """
    door.check_batch_norm("batch_norm_relu", x, w, b, statistics)
    y, mean, var = _batch_norm_relu(x, w, b, statistics, eps)
    return y, BatchNormReLUSaved(b, BatchNormSaved(x, w, mean, var, eps, statistics is None))


@accelerated
def _batch_norm_relu(
    x: Array, w: Array, b: Array, statistics: Statistics | None, eps: float
) -> tuple[Array, Array, Array]:
    y, mean, var = _batch_norm(x, w, b, statistics, eps)
    return _relu(y), mean, var


def batch_norm_relu_backward(dy: Array, saved: BatchNormReLUSaved) -> tuple[Array, Array, Array]:
    """Gradients (dx, dw, db), given dy (N, C, H, W): through relu, then through `batch_norm`."""
    door.check_cotangent("batch_norm_relu_backward", dy, saved.norm.x)
    return _batch_norm_relu_backward(dy, saved.b, *saved.norm)


@accelerated
def _batch_norm_relu_backward(
    dy: Array,
    b: Array,
    x: Array,
    w: Array,
    mean: Array,
    var: Array,
    eps: float,
    from_batch: bool,
) -> tuple[Array, Array, Array]:
    y, _, _ = _batch_norm(x, w, b, (mean, var), eps)
    return _batch_norm_backward(_relu_backward(dy, y), x, w, mean, var, eps, from_batch)


def _normalise(x: Array, mean: Array, var: Array, eps: float) -> Array:
    x_hat: Array = (x - mean[:, None, None]) / array_module(x).sqrt(var + eps)[:, None, None]
    return x_hat
