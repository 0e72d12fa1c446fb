"""A linear (fully connected) map of each row: y = x Wᵀ + b."""

from __future__ import annotations

from typing import NamedTuple

from minise import shapes
from minise.backend import Array, kernel


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
    saved = LinearSaved(x, w, b is not None)
    if fast := kernel("linear", x, w):
        return fast(x, w, b), saved
    y = x @ w.T  # (N, in) @ (in, out)
    return (y if b is None else y + b), saved


def linear_backward(dy: Array, saved: LinearSaved) -> tuple[Array, Array, Array | None]:
    """Gradients (dx, dw, db) of `linear`, given dy (N, out); db is None without a bias."""
    x, w, has_bias = saved
    shapes.check_cotangent("linear_backward", dy, x, (x.shape[0], w.shape[0]))
    db = dy.sum(axis=0) if has_bias else None
    if fast := kernel("linear_backward", dy, x, w):
        return *fast(dy, x, w), db
    dx = dy @ w  # (N, out) @ (out, in)
    dw = dy.T @ x  # (out, N) @ (N, in): summed over the batch
    return dx, dw, db
