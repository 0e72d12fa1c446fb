"""The switch: where arrays live, and which kernels compute.

`minise.backend.use("numba")` runs the compiled loops of `minise/kernels/numba` (the default),
`"numpy"` runs the specification in `minise/ops` itself, `"cupy"` runs on a GPU, with the kernels of
`minise/kernels/cupy`. `with minise.backend.using("numpy"):` holds for a block of code,
`MINISE_BACKEND` for a process. Nets made while "cupy" is in use live on the GPU.

`current()` gives the backend in use, an object; `processor` and `gpu` define its methods.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, TypeAlias, TypeVar, cast

import numpy.typing as npt

from minise.arrays import Array, asnumpy
from minise.backend.gpu import CuPy, Memory
from minise.backend.processor import (
    NumPy,
    get_num_threads,
    numba,
    set_num_threads,
    using_num_threads,
)
from minise.errors import InputError

__all__ = [
    "DEFAULT",
    "NAMES",
    "Backend",
    "CuPy",
    "Memory",
    "NumPy",
    "accelerated",
    "asarray",
    "asnumpy",
    "current",
    "get_num_threads",
    "set_num_threads",
    "use",
    "using",
    "using_num_threads",
]

NAMES = ("numba", "numpy", "cupy")
DEFAULT = "numba"

Backend: TypeAlias = NumPy | CuPy  # Numba's is a NumPy that finds kernels

Function = TypeVar("Function", bound=Callable[..., Any])

# A context variable, so that threads and asynchronous tasks choose for themselves.
_chosen: ContextVar[Backend | None] = ContextVar("minise_backend", default=None)


def use(name: str, *, device: int | None = None) -> None:
    """Choose the backend from here on, in this thread; for "cupy" also the GPU, numbered from 0.

    Raises `InputError` for an unknown name, for "cupy" where CuPy or a GPU is missing, and for a
    `device` that does not exist.
    """
    backend = _named(name, device)
    _chosen.set(backend)
    backend.use_device(device)


@contextmanager
def using(name: str, *, device: int | None = None) -> Iterator[Backend]:
    """`use` for one block of code: `with backend.using("numpy"):`. Yields the backend.

    Afterwards the backend from before is in use again, whatever the block chose. A GPU that runs
    out of memory in the block raises `InputError`, with the size requested.
    """
    backend = _named(name, device)
    token = _chosen.set(backend)
    try:
        with backend.block(device):
            yield backend
    finally:
        _chosen.reset(token)


def current() -> Backend:
    """The backend in use: the one chosen, or `MINISE_BACKEND`, or Numba's; `.name` names it.

    Where Numba is not installed it is NumPy's, with a warning.
    """
    return _chosen.get() or _of_process()


def on_processor() -> NumPy:
    """The backend for arrays that are never on a GPU: the one in use, or beside "cupy" Numba's."""
    backend = current()
    return numba() if isinstance(backend, CuPy) else backend


def asarray(x: npt.ArrayLike) -> Array:
    """x as an array of the backend in use: on the GPU for "cupy", else NumPy's.

    Raises `InputError` where the GPU has no memory left for it.
    """
    return current().asarray(x)


def accelerated(specification: Function) -> Function:
    """Run the backend's kernel of this name, or where it has none the body.

    The body is the specification. Its kernels are in files of the same name: that of
    `_channel_scale` in `ops/scale.py` is `channel_scale` in `kernels/numba/scale.py`, with the same
    arguments and results. So an operation works everywhere before anybody has made it fast. Where
    the file is not in `minise/ops` there is no kernel.
    """
    package, _, file = specification.__module__.rpartition(".")
    if package != "minise.ops":  # a namesake in a library of somebody else's is another operation
        return specification
    name = f"{file}.{specification.__name__.removeprefix('_')}"

    @functools.wraps(specification)
    def run(*arguments: Any) -> Any:
        backend = current()
        kernel = backend.find(name, arguments[0])
        if kernel is None:
            return backend.compute(specification, *arguments)
        return kernel(*arguments)

    return cast(Function, run)


@functools.cache
def _of_process() -> Backend:
    return _named(os.environ.get("MINISE_BACKEND") or DEFAULT)


def _named(name: str, device: int | None = None) -> Backend:
    if name not in NAMES:
        raise InputError(f"backend: unknown name {name!r}, expected one of {', '.join(NAMES)}")
    if name == "cupy":
        return CuPy.with_device(device)
    if device is not None:
        raise InputError(f"backend: device {device} is a GPU, and {name!r} does not use one")
    return numba() if name == "numba" else NumPy()
