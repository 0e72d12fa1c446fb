"""Concatenation along the channels: what an Inception module does with its branches."""

from __future__ import annotations

from itertools import accumulate, pairwise
from typing import NamedTuple

from minise import door
from minise.arrays import Array, array_module
from minise.backend import accelerated

__all__ = ["concat", "concat_backward"]


class ConcatSaved(NamedTuple):
    """The channels that were joined, and one of the arrays for its shape and dtype."""

    channels: tuple[int, ...]
    x: Array


def concat(*arrays: Array) -> tuple[Array, ConcatSaved]:
    """Join arrays (N, C₁, …), (N, C₂, …), … into one (N, C₁ + C₂ + …, …).

    Raises `ValueError` where they differ in anything but their channels, `TypeError` for dtypes.
    """
    door.check_concat("concat", arrays)
    return _concat(*arrays), ConcatSaved(tuple(x.shape[1] for x in arrays), arrays[0])


@accelerated
def _concat(*arrays: Array) -> Array:
    y: Array = array_module(*arrays).concatenate(arrays, axis=1)
    return y


def concat_backward(dy: Array, saved: ConcatSaved) -> tuple[Array, ...]:
    """The gradient of each array: its own channels of dy. They are views of dy, not copies."""
    channels, x = saved
    door.check_cotangent("concat_backward", dy, x, (len(x), sum(channels), *x.shape[2:]))
    edges = accumulate(channels, initial=0)
    return tuple(dy[:, low:high] for low, high in pairwise(edges))
