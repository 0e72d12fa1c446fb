"""How every kernel is compiled: on first use, kept on disk where the disk allows it."""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable
from typing import Any, TypeVar, cast

import numba

from minise.kernels.numba.ahead import seen
from minise.kernels.numba.cache import kept

Function = TypeVar("Function", bound=Callable[..., Any])

# A product that is added may be rounded once; NaN and infinity keep their meaning. Sums are not
# reordered ("reassoc"): a kernel that was just compiled and the same from the disk are not always
# optimised alike, and their results would differ in the last bits.
_FASTMATH = {"contract", "arcp", "nsz", "afn"}

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

# Numba counts threads for each thread of Python apart: what was asked for, and who knows it.
_threads: int | None = None
_known = threading.local()

# One parallel loop at a time: one of Numba's threading layers ends the process when two threads
# of Python start one each, and with the others the two would only take the cores from each other.
_turn = threading.RLock()


def set_num_threads(threads: int) -> None:
    """Let parallel loops use so many threads, whichever thread of Python starts them."""
    global _threads
    _threads = threads


def compiled(function: Function) -> Function:
    """A loop for one thread, called by others in its own file, of which it becomes a part.

    So it is not kept by itself: that would take a tenth of the time of compiling.
    """
    return _compile(function, False)


def compiled_serial(function: Function) -> Function:
    """A loop for one thread, called from Python alone."""
    loop = kept(_compile(function, False))
    return seen(loop, loop)


def compiled_parallel(function: Function) -> Function:
    """A loop whose `prange` runs on all threads, called from Python alone.

    Each element of the output is written by one iteration, so the result is the same whatever
    the number of threads.
    """
    loop = kept(_compile(function, _PRANGE_ALONE))

    @functools.wraps(function)
    def in_turn(*arguments: Any) -> Any:
        with _turn:
            if _threads is not None and getattr(_known, "threads", None) != _threads:
                numba.set_num_threads(_threads)
                _known.threads = _threads
            return loop(*arguments)

    return cast(Function, seen(loop, in_turn))


def _compile(function: Function, parallel: bool | dict[str, bool]) -> Function:
    njit: Any = numba.njit
    # a division by zero gives infinity or NaN, as in NumPy: to look for it would cost each loop
    options = {"fastmath": _FASTMATH, "parallel": parallel, "nogil": True, "error_model": "numpy"}
    return njit(**options)(function)  # type: ignore[no-any-return]
