"""How every kernel is compiled: on first use, kept on disk where the disk allows it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import numba

Function = TypeVar("Function", bound=Callable[..., Any])

# A product that is added may be rounded once; NaN and infinity keep their meaning. Sums are not
# reordered ("reassoc"): a kernel just compiled and the same kernel from disk are not always
# optimised alike, and their results would differ in the last bits.
FASTMATH = {"contract", "arcp", "nsz", "afn"}


def compiled(function: Function) -> Function:
    """A function of one thread, called by others in its own file."""
    njit: Any = numba.njit
    # a division by zero gives infinity or NaN, as in NumPy: checking for it would cost each loop
    fastmath = getattr(function, "fastmath", FASTMATH)
    options = {"fastmath": fastmath, "nogil": True, "error_model": "numpy"}
    return njit(**options)(function)  # type: ignore[no-any-return]


def as_written(function: Function) -> Function:
    """Marks a function in which each product and sum is rounded by itself, as NumPy's are."""
    function.fastmath = False  # type: ignore[attr-defined]
    return function
