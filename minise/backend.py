"""The switch: which arrays and which kernels are in use.

`minise.backend.use("numba")` runs the compiled loops of `minise/kernels/numba` (the default),
`"numpy"` runs the specification in `minise/ops` itself, `"cupy"` runs on a GPU, with the kernels of
`minise/kernels/cupy`. `with minise.backend("numpy"):` holds for a block of code, `MINISE_BACKEND`
for a process. Nets that are made while "cupy" is in use live on the GPU.
"""

from __future__ import annotations

import functools
import importlib
import os
import sys
import types
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from contextvars import ContextVar
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from minise.cores import cores, most_threads
from minise.errors import InputError

Array: TypeAlias = npt.NDArray[Any]

NAMES = ("numba", "numpy", "cupy")
DEFAULT = "numba"

# A context variable, so that threads and asynchronous tasks choose for themselves.
_chosen: ContextVar[str | None] = ContextVar("minise_backend", default=None)


def use(name: str, *, device: int | None = None) -> None:
    """Choose the backend from here on, in this thread; for "cupy" also which GPU, from 0 on.

    Raises `InputError` for an unknown name, for "cupy" where CuPy or a GPU is missing, and for a
    `device` that is not there.
    """
    _chosen.set(_checked(name, device))
    if device is not None:
        _cupy().cuda.Device(device).use()


def current() -> str:
    """The name of the backend in use: the one chosen, or `MINISE_BACKEND`, or "numba"."""
    return _chosen.get() or _of_process()


@functools.cache
def _of_process() -> str:
    return _checked(os.environ.get("MINISE_BACKEND") or DEFAULT)


@contextmanager
def _block(name: str, *, device: int | None = None) -> Iterator[None]:
    token = _chosen.set(_checked(name, device))
    try:
        with nullcontext() if device is None else _cupy().cuda.Device(device):
            yield
    finally:
        _chosen.reset(token)


def asarray(x: npt.ArrayLike) -> Array:
    """x as an array of the backend in use: on the GPU for "cupy", else NumPy's.

    Raises `InputError` where the GPU has no memory left for it.
    """
    if current() != "cupy":
        return asnumpy(x)
    with memory_explained():
        return _cupy().asarray(x)  # type: ignore[no-any-return]


def asnumpy(x: npt.ArrayLike) -> Array:
    """x as a NumPy array: fetched from the GPU if it is there, which waits for it."""
    if on_gpu(x):
        return x.get()  # type: ignore[union-attr, no-any-return]
    return np.asarray(x)


def on_gpu(x: object) -> bool:
    """Whether x is an array of CuPy."""
    kind = type(x)  # looked at by its name, since to ask CuPy would import it
    return kind.__module__.partition(".")[0] == "cupy" and kind.__name__ == "ndarray"


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
            "NumPy and CuPy arrays in one call: move them to one side, with "
            "minise.backend.asarray(x) to the GPU or minise.backend.asnumpy(x) from it"
        )
    return importlib.import_module(modules.pop() if modules else "numpy")


def kernel(name: str, *arrays: object) -> Callable[..., Any] | None:
    """The fast version of the operation `name` for these arrays.

    None where there is none: then the specification in `minise/ops` runs. A kernel is found by
    its name alone, so an operation works everywhere before anybody has made it fast.
    """
    backend = current()
    if backend == "numba" and array_module(*arrays) is np:
        return getattr(_numba_kernels(), name, None)
    if backend == "cupy" and array_module(*arrays) is not np:
        return getattr(_cupy_kernels(), name, None)
    return None


def set_num_threads(threads: int) -> None:
    """Let kernels and NumPy's matrix products use this many threads each, in the whole process.

    Without it they take the processors that the process may use (see `bench.cores`), or what
    `NUMBA_NUM_THREADS` and `OMP_NUM_THREADS` say. Results do not depend on it. Raises `InputError`
    for less than 1, or more than the machine has.
    """
    limit, kernels = most_threads(), _numba_kernels()
    if not 1 <= threads <= limit:
        raise InputError(f"threads: {threads} asked for, between 1 and {limit} can be had here")
    if kernels is not None:
        kernels.team.set_num_threads(threads)
    from threadpoolctl import threadpool_limits

    threadpool_limits(limits=threads, user_api="blas")


def missing_kernels(work: Callable[[], object]) -> list[Any]:
    """The compiled loops that `work` needs and that this machine has not compiled before.

    `work` is done once, but for its loops: what comes out has the right shapes, and anything in it.
    With other backends than "numba" nothing is done, and none are missing.
    """
    kernels = _numba_kernels() if current() == "numba" else None
    return [] if kernels is None else kernels.ahead.missing(work)


def compile_kernels(missing: list[Any], tell: Callable[[], object]) -> None:
    """Compile what `missing_kernels` found, and keep it on disk; `tell` is called after each.

    On several cores other processes help. They take what is on this one's `sys.path`, and end with
    it. Each needs some 200 MB.
    """
    if kernels := _numba_kernels():
        kernels.ahead.compile_all(missing, tell)


def get_num_threads() -> int:
    """How many threads a kernel may use: those that were asked for, or else all processors."""
    kernels = _numba_kernels()
    return cores() if kernels is None else kernels.team.get_num_threads()


def release_memory() -> None:
    """Give back the memory of arrays that died, which is kept for new ones of the same size."""
    if current() == "cupy":
        _cupy().get_default_memory_pool().free_all_blocks()
        return
    kernels = _numba_kernels()
    if kernels is not None:
        kernels.memory.release()


class Memory(NamedTuple):
    """Of the GPU in use, in bytes."""

    used: int  # by arrays that live, in this process
    kept: int  # of arrays that died, for new ones; `release_memory` gives it back
    free: int  # of the card
    total: int


def memory() -> Memory:
    """What the GPU's memory is used for. Raises `InputError` where the backend is not "cupy".

    `used` and `kept` do not count what a training holds for steps that are replayed; `free` does.
    """
    if current() != "cupy":
        raise InputError(f"backend.memory tells of a GPU's memory, and {current()!r} uses none")
    pool = _cupy().get_default_memory_pool()
    return Memory(pool.used_bytes(), pool.free_bytes(), *_cupy().cuda.runtime.memGetInfo())


def synchronize() -> None:
    """Wait until the GPU has done all that it was asked for; elsewhere nothing is left to do.

    Arrays on a GPU are there before what is in them is: a clock that is not told to wait tells how
    long it took to ask.
    """
    if current() == "cupy":
        _cupy().cuda.runtime.deviceSynchronize()


@contextmanager
def memory_explained() -> Iterator[None]:
    """Turn the GPU's "out of memory" into an `InputError` that says what was asked and was free."""
    try:
        yield
    except MemoryError as error:  # CuPy's is one of those
        if not type(error).__module__.startswith("cupy"):
            raise
        free, total = _cupy().cuda.runtime.memGetInfo()
        raise InputError(
            f"the GPU is out of memory: {error}; {_megabytes(free)} of {_megabytes(total)} are "
            "free. Take smaller batches, or a smaller net"
        ) from None


def _megabytes(size: int) -> str:
    return f"{size / 2**20:,.0f} MB"


def _checked(name: str, device: int | None = None) -> str:
    if name not in NAMES:
        raise InputError(f"backend: unknown name {name!r}, expected one of {', '.join(NAMES)}")
    if name != "cupy":
        if device is not None:
            raise InputError(f"backend: device {device} is a GPU's number, and {name!r} uses none")
        return name
    devices = _count_devices()
    if device is not None and not 0 <= device < devices:
        raise InputError(
            f"backend: there is no GPU {device}; this machine has {devices}, from 0 on"
        )
    return name


@functools.cache
def _count_devices() -> int:
    """How many GPUs there are. Raises `InputError` where there is none that can be used."""
    try:
        runtime = _cupy().cuda.runtime
    except ImportError:
        raise InputError(
            "backend: 'cupy' needs the package CuPy: python -m pip install cupy-cuda12x, or for "
            "CUDA 13 cupy-cuda13x; 'numba' and 'numpy' run on this machine's processor"
        ) from None
    try:
        devices = int(runtime.getDeviceCount())
    except Exception as error:  # CuPy's own error types exist only where CuPy does
        if "InsufficientDriver" in str(error):
            driver = runtime.driverGetVersion()
            if not driver:
                raise InputError(
                    "backend: 'cupy' found no driver of a GPU on this machine"
                ) from None
            raise InputError(
                f"backend: 'cupy' was made for CUDA {_version(runtime.runtimeGetVersion())}, and "
                f"this machine's driver knows CUDA {_version(driver)}: it is too old"
            ) from error
        raise InputError(f"backend: 'cupy' found no usable GPU: {error}") from error
    if not devices:
        raise InputError("backend: 'cupy' found no GPU on this machine")
    return devices


def _version(number: int) -> str:
    return f"{number // 1000}.{number % 1000 // 10}"


def _cupy() -> Any:
    return importlib.import_module("cupy")


@functools.cache
def _cupy_kernels() -> types.ModuleType:
    return importlib.import_module("minise.kernels.cupy")


def _module_of(array: object) -> str:
    if isinstance(array, np.ndarray | np.generic):  # NumPy gives scalars for arrays without axes
        return "numpy"
    if on_gpu(array):
        return "cupy"
    raise TypeError(f"expected a NumPy or CuPy array, got {type(array).__name__}")


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

    def __call__(self, name: str, *, device: int | None = None) -> Any:
        return _block(name, device=device)


sys.modules[__name__].__class__ = _CallableModule
