"""A linear (fully connected) map of each row: y = x Wᵀ + b."""

from __future__ import annotations

from typing import NamedTuple

from minise import door
from minise.arrays import Array
from minise.backend import accelerated

__all__ = ["linear", "linear_backward"]


class LinearSaved(NamedTuple):
    """What the backward of `linear` needs."""

    x: Array  # (N, in)
    w: Array  # (out, in)
    has_bias: bool


def linear(x: Array, w: Array, b: Array | None = None) -> tuple[Array, LinearSaved]:
    """Map each row of x (N, in) with the weights w (out, in): y = x Wᵀ + b, (N, out).

    b is (out,) or None. Raises `ValueError` for shapes that do not fit, `TypeError` for dtypes.
    """
    door.check_linear("linear", x, w, b)
    return _linear(x, w, b), LinearSaved(x, w, b is not None)


@accelerated
def _linear(x: Array, w: Array, b: Array | None) -> Array:
    y = x @ w.T  # (N, in) @ (in, out)
    return y if b is None else y + b


def linear_backward(dy: Array, saved: LinearSaved) -> tuple[Array, Array, Array | None]:
    """Gradients (dx, dw, db), given dy (N, out): dx = dy W, dw = dyᵀ x, db = Σ over n of dy.

    db is None without a bias.
    """
    door.check_cotangent("linear_backward", dy, saved.x, (len(saved.x), len(saved.w)))
    return _linear_backward(dy, *saved)


@accelerated
def _linear_backward(
    dy: Array, x: Array, w: Array, has_bias: bool
) -> tuple[Array, Array, Array | None]:
    dx = dy @ w  # (N, out) @ (out, in)
    dw = dy.T @ x  # (out, N) @ (N, in): summed over the batch
    return dx, dw, dy.sum(axis=0) if has_bias else None
