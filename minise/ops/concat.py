"""Concatenation along the channels: what an Inception module does with its branches."""

from __future__ import annotations

from itertools import accumulate, pairwise
from typing import NamedTuple

from minise import shapes
from minise.backend import Array, array_module


class ConcatSaved(NamedTuple):
    """The shapes that were joined, and one of the arrays for its dtype."""

    channels: tuple[int, ...]
    x: Array


def concat(*arrays: Array) -> tuple[Array, ConcatSaved]:
    """Join arrays (N, C₁, …), (N, C₂, …), … to one (N, C₁ + C₂ + …, …).

    Raises `ValueError` where they differ in anything but their channels, `TypeError` for dtypes.
    """
    if not arrays:
        raise ValueError("concat: nothing to join")
    shapes.check_arrays("concat", **{f"arrays[{k}]": x for k, x in enumerate(arrays)})
    if len({(x.ndim, x.shape[:1], x.shape[2:]) for x in arrays}) > 1 or arrays[0].ndim < 2:
        listed = ", ".join(str(x.shape) for x in arrays)
        raise ValueError(f"concat: shapes may differ in axis 1 alone, got {listed}")
    y: Array = array_module(*arrays).concatenate(arrays, axis=1)
    return y, ConcatSaved(tuple(x.shape[1] for x in arrays), arrays[0])


def concat_backward(dy: Array, saved: ConcatSaved) -> tuple[Array, ...]:
    """The gradient of each array: its own channels of dy. They are views of dy, not copies."""
    channels, x = saved
    shapes.check_cotangent("concat_backward", dy, x, (x.shape[0], sum(channels), *x.shape[2:]))
    edges = accumulate(channels, initial=0)
    return tuple(dy[:, low:high] for low, high in pairwise(edges))
