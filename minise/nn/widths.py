"""The hidden units of an SE block: channels / reduction, rounded as one library or another."""

from __future__ import annotations

import math
from collections.abc import Callable

from minise.errors import InputError
from minise.nearest import nearest

__all__ = ["ROUNDINGS", "hidden_width"]


def _multiple(width: float, of: int = 8, keep: float = 0) -> int:
    """The nearest multiple, at least one; the next one where it loses more than 1 − keep."""
    nearest_one = max(of, int(width + of / 2) // of * of)
    return nearest_one + of if nearest_one < keep * width else nearest_one


# From the number of channels C and the reduction r.
ROUNDINGS: dict[str, Callable[[int, float], int]] = {
    "floor": lambda C, r: math.floor(C / r),
    "nearest": lambda C, r: round(C / r),  # halves to the even number, as Python does
    "timm": lambda C, r: _multiple(C * (1 / r)),
    "torchvision": lambda C, r: _multiple(C // r, keep=0.9),
    "mobilenet": lambda C, r: _multiple(C / r, keep=0.9),
    "ghostnet": lambda C, r: _multiple(C / r, of=4, keep=0.9),
    "fastai": lambda C, r: math.ceil(C // r / 8) * 8,
}


def hidden_width(
    channels: int, reduction: float, rounding: str = "floor", hidden: int | None = None
) -> int:
    """The number of hidden units: `hidden`, or channels / reduction by one of `ROUNDINGS`.

    Raises `InputError` where none is left.
    """
    if rounding not in ROUNDINGS:
        raise InputError(f"SEBlock: {nearest('rounding', rounding, list(ROUNDINGS))}")
    if channels < 1 or reduction <= 0:
        raise InputError(f"SEBlock: channels {channels}, reduction {reduction}: must be above 0")
    if hidden is not None:
        if hidden < 1:
            raise InputError(f"SEBlock: hidden {hidden}, expected at least 1")
        return hidden
    width = ROUNDINGS[rounding](channels, reduction)
    if width < 1:
        raise InputError(
            f"SEBlock: a reduction of {reduction:g} leaves no hidden unit for {channels} "
            "channels; hidden=1 gives one"
        )
    return width
