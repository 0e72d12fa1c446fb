"""What each option of a net must be."""

from __future__ import annotations

import sys
from collections.abc import Callable, Collection
from numbers import Integral
from typing import TypeGuard


def _is_number(value: object) -> TypeGuard[float]:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return abs(value) <= sys.float_info.max  # as no nan is, nor a whole number of 400 digits


def _is_whole(value: object) -> bool:
    return isinstance(value, Integral) and not isinstance(value, bool)


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _is_switch(value: object) -> bool:
    return isinstance(value, bool)


# Whether a value will do, and what was expected: it may come from a command line or a file.
KINDS: dict[str, tuple[Callable[[object], bool], str]] = {
    "reduction": (_is_number, "a number"),
    "hidden": (lambda value: value is None or _is_whole(value), "a whole number"),
    "kernel_size": (lambda value: value is None or _is_whole(value), "a whole number"),
    "smallest": (_is_whole, "a whole number"),
    "bias": (_is_switch, "true or false"),
    "residual": (_is_switch, "true or false"),
    "stride_first": (lambda value: value is None or _is_switch(value), "true or false"),
    "stem_stride": (
        lambda value: type(value) is int and 0 < value < 2**16,
        "a whole number from 1 to 65535",
    ),
    "ceil_pool": (_is_switch, "true or false"),
    "norm_eps": (lambda value: _is_number(value) and value > 0, "a number above 0"),
    "norm_momentum": (lambda value: _is_number(value) and 0 <= value <= 1, "a number in 0 to 1"),
    "block": (_is_text, "a name"),
    "squeeze": (_is_text, "a name"),
    "activation": (_is_text, "a name"),
    "norm": (_is_text, "a name"),
    "gate": (_is_text, "a name"),
    "merge": (_is_text, "a name"),
    "rounding": (_is_text, "a name"),
    "placement": (_is_text, "a name"),
    "stages": (
        lambda value: isinstance(value, Collection) and all(type(v) is int for v in value),
        "numbers of stages",
    ),
}
