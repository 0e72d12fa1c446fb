"""The backend of a GPU: CuPy's arrays, and CUDA kernels.

The processor launches a step and goes on to the next; what a step counts stays on the GPU, and is
read every `read_every` steps. A step of a small net is a hundred kernels of a few microseconds, and
launching each takes longer: such a step is recorded once, as a CUDA graph, and replayed.
"""

from __future__ import annotations

import functools
import importlib
import re
import types
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar, NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt

from minise.arrays import Array, on_gpu
from minise.errors import InputError
from minise.kernels import find
from minise.work import Batch, Facts, Kernel, MakeBatches, TakeStep

Result = TypeVar("Result")

NVIDIA = Path("/proc/driver/nvidia/version")  # Linux: where its driver reports its version


class Memory(NamedTuple):
    """The memory of the GPU in use, in bytes."""

    used: int  # by the live arrays of this process
    kept: int  # from dead arrays, for new ones; `release_memory` gives it back
    free: int  # on the card
    total: int


class CuPy:
    """A GPU. Images are in C order; an array exists before its numbers have been computed."""

    name: ClassVar[str] = "cupy"
    on_gpu: ClassVar[bool] = True
    read_every: ClassVar[int] = 50  # steps between two readings of their counts

    @classmethod
    def with_device(cls, device: int | None) -> CuPy:
        """Raises `InputError` where CuPy or a GPU is missing, or there is no such device."""
        devices = _count_devices()
        if device is not None and not 0 <= device < devices:
            raise InputError(
                f"backend: there is no GPU {device}; this machine has {devices}, numbered from 0"
            )
        return cls()

    @property
    def array_module(self) -> types.ModuleType:
        """`cupy`."""
        return importlib.import_module("cupy")

    @property
    def device(self) -> int:
        """The number of the GPU in use."""
        return int(_cupy().cuda.Device().id)

    def find(self, name: str, x: Any) -> Kernel | None:
        """The kernel called `name` in `minise.kernels.cupy`, if x is an array of CuPy."""
        return _kernel(name) if on_gpu(x) else None

    def asarray(self, x: npt.ArrayLike) -> Array:
        """x on the GPU. Raises `InputError` where the GPU has no memory left for it."""
        with _memory_explained():
            there: Array = _cupy().asarray(x)
        return there

    def place(self, images: Array, values: Array | None = None) -> Array:
        """Images (N, C, H, W) on the GPU, in C order.

        Where they are bytes, `values` (256,) is the number that each byte stands for.
        """
        there = self.asarray(images)
        if values is None:
            return there
        table = _kept(values.tobytes(), values.dtype, self.device)
        looked_up: Array = table.take(there)
        return looked_up

    def ahead(
        self, make: MakeBatches, rng: np.random.Generator | None, size: int
    ) -> Iterator[Batch]:
        """The batches that `make(rng)` yields, made and copied while the GPU works on earlier ones.

        `rng` is left as if the batch handed out last were the last one made. A batch is valid until
        the next is requested.
        """
        from minise.kernels.cupy.ahead import copied_ahead

        return copied_ahead(make, rng, size)

    def compute(self, function: Callable[..., Result], *arguments: Any) -> Result:
        """`function(*arguments)`: a step that follows from its arguments, and may change them."""
        return function(*arguments)

    def tape_maker(self) -> None:
        """Tapes are of a processor's loops; see `stepper`."""

    def stepper(self, step: TakeStep, *, repeats: bool) -> TakeStep:
        """The function that takes a step: `step` itself, or where it `repeats`, a recording of it.

        A step repeats if it is the same work each time, and small.
        """
        from minise.kernels.cupy.replay import Replay

        return Replay(step) if repeats else step

    @contextmanager
    def running(self) -> Iterator[None]:
        """A stream of its own, since the default stream cannot be recorded."""
        cupy = _cupy()
        cupy.cuda.runtime.deviceSynchronize()  # else it would not wait for earlier work
        stream = cupy.cuda.Stream(non_blocking=True)
        with _memory_explained(), stream:
            yield
            stream.synchronize()

    @contextmanager
    def block(self, device: int | None) -> Iterator[None]:
        """A block of code that uses this backend, on this device or else the one in use."""
        with _cupy().cuda.Device(device), _memory_explained():
            yield

    def use_device(self, device: int | None) -> None:
        """Use this GPU from here on; None keeps the one in use."""
        if device is not None:
            _cupy().cuda.Device(device).use()

    def synchronize(self) -> None:
        """Wait until the GPU has finished all its work.

        A clock read without waiting measures only how long launching the work took.
        """
        _cupy().cuda.runtime.deviceSynchronize()

    def release_memory(self) -> None:
        """Give back the memory of dead arrays, which is kept for new ones."""
        _cupy().get_default_memory_pool().free_all_blocks()

    def memory(self) -> Memory:
        """What the GPU's memory is used for.

        `used` and `kept` leave out what a training holds for replayed steps; `free` does not.
        """
        pool = _cupy().get_default_memory_pool()
        return Memory(pool.used_bytes(), pool.free_bytes(), *_cupy().cuda.runtime.memGetInfo())

    def facts(self) -> Facts:
        """The GPU, its driver, and the newest CUDA that the driver supports."""
        cupy = _cupy()
        runtime = cupy.cuda.runtime
        return {
            "gpu": runtime.getDeviceProperties(self.device)["name"].decode(),
            "driver": _driver(),
            "cuda_of_driver": _version(runtime.driverGetVersion()),
            "cuda": _version(runtime.runtimeGetVersion()),
            "cupy": cupy.__version__,
        }

    def missing_kernels(self, work: Callable[[], object]) -> list[Any]:
        """None: CUDA's compiler keeps its own files."""
        return []

    def compile_kernels(self, missing: list[Any], tell: Callable[[], object]) -> None:
        """Nothing to do: none are missing."""


@contextmanager
def _memory_explained() -> Iterator[None]:
    """Turn the GPU's "out of memory" into an `InputError` that says how much was free."""
    try:
        yield
    except MemoryError as error:  # CuPy's is one of those
        if not type(error).__module__.startswith("cupy"):
            raise
        free, total = _cupy().cuda.runtime.memGetInfo()
        raise InputError(
            f"the GPU is out of memory: {error}; {_megabytes(free)} of {_megabytes(total)} are "
            "free. Use smaller batches, or a smaller net"
        ) from None


def _megabytes(size: int) -> str:
    return f"{size / 2**20:,.0f} MB"


@functools.lru_cache(maxsize=8)
def _kept(values: bytes, dtype: np.dtype[Any], device: int) -> Any:
    """These numbers on the GPU in use, number `device`; copied once."""
    return _cupy().asarray(np.frombuffer(values, dtype))


@functools.cache
def _count_devices() -> int:
    """The number of GPUs. Raises `InputError` where none can be used."""
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
                raise InputError("backend: 'cupy' found no GPU driver on this machine") from None
            raise InputError(
                f"backend: 'cupy' was built for CUDA {_version(runtime.runtimeGetVersion())}, but "
                f"this machine's driver is too old: it supports CUDA up to {_version(driver)}"
            ) from error
        raise InputError(f"backend: 'cupy' found no usable GPU: {error}") from error
    if not devices:
        raise InputError("backend: 'cupy' found no GPU on this machine")
    return devices


def _driver() -> str | None:
    if not NVIDIA.exists():
        return None
    found = re.search(r"\s(\d+\.\d+[.\d]*)\s", NVIDIA.read_text(encoding="utf-8", errors="replace"))
    return found and found[1]


def _version(number: int) -> str:
    return f"{number // 1000}.{number % 1000 // 10}"


def _cupy() -> Any:
    return importlib.import_module("cupy")


@functools.cache
def _kernel(name: str) -> Kernel | None:
    return find("minise.kernels.cupy", name)
