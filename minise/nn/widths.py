"""The hidden units of an SE block: channels / reduction, rounded as one library or another.

floor         ⌊C/r⌋
floor_or_one  the same, and one where that is none
nearest       the nearest whole number, halves to the even one, as Python's `round`
timm          the nearest multiple of 8, halves to the one above, and at least 8
torchvision   that of ⌊C/r⌋, and the next multiple where more than a tenth of ⌊C/r⌋ is lost
mobilenet     that of C/r, and the next multiple where more than a tenth of C/r is lost
ghostnet      the same with multiples of 4, and at least 4
geffnet       the same with whole numbers, and at least 1
fastai        ⌊C/r⌋, up to a multiple of 8
"""

from __future__ import annotations

import math
from collections.abc import Callable
from numbers import Integral, Real
from typing import Any

import numpy as np

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
    "floor_or_one": lambda C, r: max(1, math.floor(C / r)),
    "nearest": lambda C, r: round(C / r),
    "timm": lambda C, r: _multiple(C * (1 / r)),
    "torchvision": lambda C, r: _multiple(C // r, keep=0.9),
    "mobilenet": lambda C, r: _multiple(C / r, keep=0.9),
    "ghostnet": lambda C, r: _multiple(C / r, of=4, keep=0.9),
    "geffnet": lambda C, r: _multiple(C / r, of=1, keep=0.9),
    "fastai": lambda C, r: math.ceil(C // r / 8) * 8,
}


def check_whole(who: str, **numbers: Any) -> None:
    """Raises `InputError`, in the name of `who`, for one that is no whole number above 0."""
    for name, value in numbers.items():
        if isinstance(value, bool) or not isinstance(value, Integral) or value < 1:
            raise InputError(f"{who}: {name} {value!r}, expected a whole number of at least 1")


def check_switch(who: str, **switches: Any) -> None:
    """Raises `InputError`, in the name of `who`, for one that is neither true nor false."""
    for name, value in switches.items():
        if not isinstance(value, bool | np.bool_):
            raise InputError(f"{who}: {name} {value!r}, expected True or False")


def hidden_width(
    channels: int,
    reduction: float = 16,
    rounding: str = "floor",
    *,
    reduced_from: int | None = None,
    hidden: int | None = None,
    who: str = "hidden_width",
) -> int:
    """The number of hidden units of an SE block: C / reduction, by one of `ROUNDINGS`.

    C is `channels`, or `reduced_from` where that is given; or `hidden` is the number itself.
    Raises `InputError`, in the name of `who`, where none is left, or a number is none.
    """
    if rounding not in ROUNDINGS:
        raise InputError(f"{who}: {nearest('rounding', rounding, list(ROUNDINGS))}")
    if not isinstance(reduction, Real) or not reduction > 0:
        raise InputError(f"{who}: reduction {reduction!r}, expected a number above 0")
    check_whole(who, channels=channels)
    if reduced_from is not None:
        check_whole(who, reduced_from=reduced_from)
    if hidden is not None:
        check_whole(who, hidden=hidden)
        return int(hidden)
    C = channels if reduced_from is None else reduced_from
    width = ROUNDINGS[rounding](C, reduction)
    if width < 1:
        raise InputError(
            f"{who}: a reduction of {reduction:g} leaves no hidden unit for {C} "
            "channels; hidden=1 gives one"
        )
    return width
