"""A sum of two images, where two ways meet: y = x + r."""

from __future__ import annotations

from minise import shapes
from minise.backend import Array, kernel


def add(x: Array, r: Array) -> tuple[Array, None]:
    """y = x + r, both (N, C, H, W). Nothing needs to be saved.

    Raises `ValueError` where the shapes differ, `TypeError` for dtypes.
    """
    shapes.check_arrays("add", x=x, r=r)
    shapes.check_ndim("add", "x", x, "N, C, H, W")
    if r.shape != x.shape:
        raise ValueError(f"add: r has shape {r.shape}, x has {x.shape}")
    if fast := kernel("add", x, r):
        return fast(x, r), None
    return x + r, None


def add_backward(dy: Array, saved: None = None) -> tuple[Array, Array]:
    """Gradients (dx, dr): a sum hands its gradient to both of its terms."""
    return dy, dy
