"""The switch: which arrays and which kernels are in use.

`minise.backend.use("numba")` runs the compiled loops of `minise/kernels/numba` (the default),
`"numpy"` runs the specification in `minise/ops` itself, `"cupy"` runs it on a GPU's arrays.
`with minise.backend("numpy"):` holds for a block of code, `MINISE_BACKEND` for a process.
"""

from __future__ import annotations

import functools
import importlib
import os
import sys
import types
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from minise.errors import InputError

Array: TypeAlias = npt.NDArray[Any]

NAMES = ("numba", "numpy", "cupy")
DEFAULT = "numba"

# A context variable, so that threads and asynchronous tasks choose for themselves.
_chosen: ContextVar[str | None] = ContextVar("minise_backend", default=None)


def use(name: str) -> None:
    """Choose the backend from here on, in this thread.

    Raises `InputError` for an unknown name, or for "cupy" where CuPy or a GPU is missing.
    """
    _chosen.set(_checked(name))


def current() -> str:
    """The name of the backend in use: the one chosen, or `MINISE_BACKEND`, or "numba"."""
    return _chosen.get() or _of_process()


@functools.cache
def _of_process() -> str:
    return _checked(os.environ.get("MINISE_BACKEND") or DEFAULT)


@contextmanager
def _block(name: str) -> Iterator[None]:
    token = _chosen.set(_checked(name))
    try:
        yield
    finally:
        _chosen.reset(token)


def array_module(*arrays: object) -> types.ModuleType:
    """The module that the arrays belong to, `numpy` or `cupy`; `None` among them is passed over.

    Raises `TypeError` for arrays of two kinds, and for anything that is no array.
    """
    for array in arrays:
        if type(array) is not np.ndarray:
            break
    else:
        return np  # the common case, asked for by every operation
    modules = {_module_of(array) for array in arrays if array is not None}
    if len(modules) > 1:
        raise TypeError(
            "NumPy and CuPy arrays in one call: move them to one side, "
            "with cupy.asarray(x) to the GPU or cupy.asnumpy(x) from it"
        )
    return importlib.import_module(modules.pop() if modules else "numpy")


def kernel(name: str, *arrays: object) -> Callable[..., Any] | None:
    """The fast version of the operation `name` for these arrays.

    None where there is none: then the specification in `minise/ops` runs. A kernel is found by
    its name alone, so an operation works everywhere before anybody has made it fast.
    """
    if current() == "numba" and array_module(*arrays) is np:
        return getattr(_numba_kernels(), name, None)
    return None


def set_num_threads(threads: int) -> None:
    """Let kernels and NumPy's matrix products use this many threads each, in the whole process.

    Without it they take all cores, or what `NUMBA_NUM_THREADS` and `OMP_NUM_THREADS` say. Results
    do not depend on it. Raises `InputError` for less than 1, or more than Numba started with (the
    number of cores, or `NUMBA_NUM_THREADS`).
    """
    limit, kernels = os.cpu_count() or 1, _numba_kernels()
    if kernels is not None:
        import numba

        limit = numba.config.NUMBA_NUM_THREADS  # type: ignore[attr-defined]
    if not 1 <= threads <= limit:
        raise InputError(f"threads: {threads} asked for, between 1 and {limit} can be had here")
    if kernels is not None:
        kernels.compile.set_num_threads(threads)
    from threadpoolctl import threadpool_limits

    threadpool_limits(limits=threads, user_api="blas")


def release_memory() -> None:
    """Give back the memory of arrays that died, which is kept for new ones of the same size."""
    kernels = _numba_kernels()
    if kernels is not None:
        kernels.memory.release()


def _checked(name: str) -> str:
    if name not in NAMES:
        raise InputError(f"backend: unknown name {name!r}, expected one of {', '.join(NAMES)}")
    if name == "cupy":
        _check_cupy()
    return name


@functools.cache
def _check_cupy() -> None:
    try:
        import cupy

        devices = cupy.cuda.runtime.getDeviceCount()
    except ImportError:
        raise InputError(
            "backend: 'cupy' needs the CuPy package, which is not installed; "
            "'numba' and 'numpy' run on this machine's processor"
        ) from None
    except Exception as error:  # CuPy's own error types exist only where CuPy does
        raise InputError(f"backend: 'cupy' found no usable GPU: {error}") from error
    if not devices:
        raise InputError("backend: 'cupy' found no GPU on this machine")


def _module_of(array: object) -> str:
    if isinstance(array, np.ndarray | np.generic):  # NumPy gives scalars for arrays without axes
        return "numpy"
    kind = type(array)
    if kind.__module__.partition(".")[0] == "cupy" and kind.__name__ == "ndarray":
        return "cupy"
    raise TypeError(f"expected a NumPy or CuPy array, got {kind.__name__}")


@functools.cache
def _numba_kernels() -> types.ModuleType | None:
    try:
        return importlib.import_module("minise.kernels.numba")
    except Exception as error:  # Numba refuses a NumPy or Python it does not know in several ways
        warnings.warn(
            f"Numba cannot be used here ({error}); minise runs on NumPy alone, and slower",
            RuntimeWarning,
            stacklevel=3,
        )
        return None


class _CallableModule(types.ModuleType):
    """Lets the module itself open a block: `with minise.backend("numpy"): ...`."""

    def __call__(self, name: str) -> Any:
        return _block(name)


sys.modules[__name__].__class__ = _CallableModule
