"""The backend of a GPU: CuPy's arrays, and CUDA kernels.

The processor asks for a step and goes on to the next; what a step counts stays on the GPU, and is
read every `read_every` steps. A step of a small net is a hundred kernels of a few microseconds, and
to ask for each of them takes longer: such a step is recorded once, as a CUDA graph, and replayed.
"""

from __future__ import annotations

import functools
import importlib
import re
import types
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

import numpy as np
import numpy.typing as npt

from minise.arrays import Array, on_gpu
from minise.errors import InputError
from minise.kernels import find
from minise.work import Batch, Facts, Kernel, MakeBatches, TakeStep

NVIDIA = Path("/proc/driver/nvidia/version")  # Linux: where its driver tells its version


class Memory(NamedTuple):
    """Of the GPU in use, in bytes."""

    used: int  # by arrays that live, in this process
    kept: int  # of arrays that died, for new ones; `release_memory` gives it back
    free: int  # of the card
    total: int


class CuPy:
    """A GPU. It reads and writes images in C order; arrays are there before what is in them is."""

    name: ClassVar[str] = "cupy"
    on_gpu: ClassVar[bool] = True
    read_every: ClassVar[int] = 50  # steps, after which a training reads what they counted

    @classmethod
    def with_device(cls, device: int | None) -> CuPy:
        """Raises `InputError` where CuPy or a GPU is missing, or there is no such device."""
        devices = _count_devices()
        if device is not None and not 0 <= device < devices:
            raise InputError(
                f"backend: there is no GPU {device}; this machine has {devices}, from 0 on"
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

    def find(self, name: str, x: object) -> Kernel | None:
        """The kernel called `name` in `minise.kernels.cupy`, if x is an array of CuPy."""
        return _kernel(name) if on_gpu(x) else None

    def asarray(self, x: npt.ArrayLike) -> Array:
        """x on the GPU. Raises `InputError` where the GPU has no memory left for it."""
        with _memory_explained():
            return _cupy().asarray(x)  # type: ignore[no-any-return]

    def place(self, images: Array, values: Array | None = None) -> Array:
        """Images (N, C, H, W) on the GPU, in C order.

        `values` (256,), where they are bytes, is what each of them stands for.
        """
        there = self.asarray(images)
        if values is None:
            return there
        table = _kept(values.tobytes(), values.dtype, self.device)
        return table.take(there)  # type: ignore[no-any-return]

    def ahead(
        self, make: MakeBatches, rng: np.random.Generator | None, size: int
    ) -> Iterator[Batch]:
        """The batches that `make(rng)` gives, made and copied while the GPU works on those before.

        `rng` is where it would be after the batch that was handed out last. A batch is good until
        the next is asked for.
        """
        from minise.kernels.cupy.ahead import copied_ahead

        return copied_ahead(make, rng, size)

    def stepper(self, step: TakeStep, *, repeats: bool) -> TakeStep:
        """What takes a step with a batch: `step`, or where it `repeats` itself, a recording of it.

        A step repeats itself if it is the same work each time, and small.
        """
        from minise.kernels.cupy.replay import Replay

        return Replay(step) if repeats else step

    @contextmanager
    def running(self) -> Iterator[None]:
        """A stream of one's own, since the one that all share cannot be recorded."""
        cupy = _cupy()
        cupy.cuda.runtime.deviceSynchronize()  # else nobody waits for earlier work
        stream = cupy.cuda.Stream(non_blocking=True)
        with _memory_explained(), stream:
            yield
            stream.synchronize()

    @contextmanager
    def block(self, device: int | None) -> Iterator[None]:
        """A block of code that uses this backend, on this device or the one in use."""
        with _cupy().cuda.Device(device), _memory_explained():
            yield

    def use_device(self, device: int | None) -> None:
        """Use this GPU from here on; None leaves the one that is in use."""
        if device is not None:
            _cupy().cuda.Device(device).use()

    def synchronize(self) -> None:
        """Wait until the GPU has done all that it was asked for.

        A clock that is not told to wait measures how long it took to ask.
        """
        _cupy().cuda.runtime.deviceSynchronize()

    def release_memory(self) -> None:
        """Give back the memory of arrays that died, which is kept for new ones."""
        _cupy().get_default_memory_pool().free_all_blocks()

    def memory(self) -> Memory:
        """What the GPU's memory is used for.

        `used` and `kept` do not count what a training holds for steps that are replayed; `free`
        does.
        """
        pool = _cupy().get_default_memory_pool()
        return Memory(pool.used_bytes(), pool.free_bytes(), *_cupy().cuda.runtime.memGetInfo())

    def facts(self) -> Facts:
        """The GPU, its driver, and the newest CUDA that the driver knows."""
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
        """None are missing."""


@contextmanager
def _memory_explained() -> Iterator[None]:
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


@functools.lru_cache(maxsize=8)
def _kept(values: bytes, dtype: np.dtype[Any], device: int) -> Any:
    """These numbers on the GPU in use, which `device` is the number of; copied once."""
    return _cupy().asarray(np.frombuffer(values, dtype))


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
