"""A sum of two images, where two paths meet: y = x + r."""

from __future__ import annotations

from minise import door
from minise.arrays import Array
from minise.backend import accelerated

__all__ = ["add", "add_backward"]


def add(x: Array, r: Array) -> tuple[Array, None]:
    """y = x + r, both (N, C, H, W). Nothing needs to be saved.

    Raises `ValueError` where the shapes differ, `TypeError` for dtypes.
    """
    door.check_terms("add", x, r)
    return _add(x, r), None


@accelerated
def _add(x: Array, r: Array) -> Array:
    return x + r


def add_backward(dy: Array, saved: None = None) -> tuple[Array, Array]:
    """Gradients (dx, dr): a sum hands its gradient to both of its terms."""
    return dy, dy
