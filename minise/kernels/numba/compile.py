"""How every kernel is compiled: on first use, kept on disk where the disk allows it."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any, TypeVar

import numba

Function = TypeVar("Function", bound=Callable[..., Any])

# Sums may be reordered and products contracted; NaN and infinity keep their meaning.
_FASTMATH = {"reassoc", "contract", "arcp", "nsz", "afn"}

# Only `prange` makes threads: an array expression in a kernel stays a plain loop, which compiles
# faster and has no race to think about.
_PRANGE_ALONE = {
    "prange": True,
    "comprehension": False,
    "reduction": False,
    "inplace_binop": False,
    "setitem": False,
    "numpy": False,
    "stencil": False,
    "fusion": False,
}

_notice_given = False


def compiled(function: Function) -> Function:
    """A loop for one thread, called by others in its own file."""
    return _compile(function, False)


def compiled_parallel(function: Function) -> Function:
    """A loop whose `prange` runs on all threads, called from Python alone.

    Each element of the output is written by one iteration, so the result is the same whatever
    the number of threads.
    """
    return _compile(function, _PRANGE_ALONE)


def _compile(function: Function, parallel: bool | dict[str, bool]) -> Function:
    global _notice_given
    njit: Any = numba.njit
    options = {"fastmath": _FASTMATH, "parallel": parallel, "nogil": True}
    try:
        return njit(cache=True, **options)(function)  # type: ignore[no-any-return]
    except RuntimeError as error:  # Numba found no folder for its cache that it can write to
        if not _notice_given:
            _notice_given = True
            warnings.warn(
                f"{error}; kernels are compiled anew in each process "
                "(set NUMBA_CACHE_DIR to a folder that can be written)",
                RuntimeWarning,
                stacklevel=4,
            )
        return njit(**options)(function)  # type: ignore[no-any-return]
