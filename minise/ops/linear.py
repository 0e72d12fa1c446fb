"""A linear (fully connected) map of each row: y = x Wᵀ + b."""

from __future__ import annotations

from typing import NamedTuple

from minise import shapes
from minise.backend import Array


class LinearSaved(NamedTuple):
    """What the backward of `linear` needs."""

    x: Array  # (N, in)
    w: Array  # (out, in)
    has_bias: bool


def linear(x: Array, w: Array, b: Array | None = None) -> tuple[Array, LinearSaved]:
    """Map each row of x (N, in) with the weights w (out, in): y = x Wᵀ + b, (N, out).

    b is (out,) or None. Raises `ValueError` for shapes that do not fit, `TypeError` for dtypes.
    """
    shapes.check_arrays("linear", x=x, w=w, b=b)
    shapes.check_ndim("linear", "x", x, "N, in")
    shapes.check_ndim("linear", "w", w, "out, in")
    if x.shape[1] != w.shape[1]:
        raise ValueError(
            f"linear: x has {x.shape[1]} features, w expects {w.shape[1]}: x {x.shape}, w {w.shape}"
        )
    if b is not None and b.shape != w.shape[:1]:
        raise ValueError(f"linear: b has shape {b.shape}, expected {w.shape[:1]} for w {w.shape}")
    y = (w @ x.T).T  # (N, out); written this way round, it keeps the batch last in memory
    return (y if b is None else y + b), LinearSaved(x, w, b is not None)


def linear_backward(dy: Array, saved: LinearSaved) -> tuple[Array, Array, Array | None]:
    """Gradients (dx, dw, db) of `linear`, given dy (N, out); db is None without a bias."""
    x, w, has_bias = saved
    shapes.check_cotangent("linear_backward", dy, x, (x.shape[0], w.shape[0]))
    dx = (w.T @ dy.T).T  # (N, in)
    dw = dy.T @ x  # (out, N) @ (N, in): summed over the batch
    db = dy.sum(axis=0) if has_bias else None
    return dx, dw, db
