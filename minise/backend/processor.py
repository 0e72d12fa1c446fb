"""The backends of a processor: NumPy alone, and NumPy with the loops that Numba compiles."""

from __future__ import annotations

import functools
import importlib
import importlib.util
import types
import warnings
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any, ClassVar, TypeVar

import numpy as np
import numpy.typing as npt

from minise.arrays import Array, asnumpy
from minise.cores import cores, most_threads
from minise.errors import InputError
from minise.kernels import find
from minise.work import Batch, Facts, Kernel, MakeBatches, TakeStep

Result = TypeVar("Result")

PLAIN = np.ndarray, np.memmap  # other kinds, as matrices, have rules of their own


class NumPy:
    """The specification itself, on the processor."""

    name: ClassVar[str] = "numpy"
    on_gpu: ClassVar[bool] = False
    array_module: types.ModuleType = np
    read_every: ClassVar[int] = 1  # steps between two readings of their counts

    def find(self, name: str, x: Any) -> Kernel | None:
        """The kernel called `name`, as in "scale.channel_scale", for arrays like x, if any."""
        return None

    def compute(self, function: Callable[..., Result], *arguments: Any) -> Result:
        """`function(*arguments)`: a step that follows from its arguments, and may change them."""
        return function(*arguments)

    def asarray(self, x: npt.ArrayLike) -> Array:
        """x as a NumPy array."""
        return asnumpy(x)

    def place(self, images: Array, values: Array | None = None) -> Array:
        """Images (N, C, H, W) in the memory order that kernels read: the batch last.

        Where they are bytes, `values` (256,) is the number that each byte stands for.
        """
        last = np.moveaxis(images, 0, -1)
        there = np.ascontiguousarray(last) if values is None else np.take(values, last)
        return np.moveaxis(there, -1, 0)

    def ahead(
        self, make: MakeBatches, rng: np.random.Generator | None, size: int
    ) -> Iterator[Batch]:
        """The batches of at most `size` images that `make(rng)` yields, as they are."""
        return make(rng)

    def stepper(self, step: TakeStep, *, repeats: bool) -> TakeStep:
        """The function that takes a step: `step` itself."""
        return step

    def running(self) -> AbstractContextManager[None]:
        """A block in which steps are taken."""
        return nullcontext()

    def block(self, device: int | None) -> AbstractContextManager[None]:
        """A block of code that uses this backend."""
        return nullcontext()

    def use_device(self, device: int | None) -> None:
        """There is only one."""

    def synchronize(self) -> None:
        """Nothing is left to wait for."""

    def tape_maker(self) -> Callable[..., Any] | None:
        """What makes a tape of loops, see `kernels.numba.tape`; None where there can be none."""
        return None

    def release_memory(self) -> None:
        """NumPy keeps no memory of dead arrays."""

    def facts(self) -> Facts:
        """Those about a GPU: all None."""
        return dict.fromkeys(("gpu", "driver", "cuda_of_driver", "cuda", "cupy"))

    def missing_kernels(self, work: Callable[[], object]) -> list[Any]:
        """The compiled loops that `work` needs and that this machine has not compiled before.

        `work` is done once without its loops: results have the right shapes and arbitrary contents.
        Only Numba's backend compiles.
        """
        return []

    def compile_kernels(self, missing: list[Any], tell: Callable[[], object]) -> None:
        """Compile what `missing_kernels` found, and keep it on disk; `tell` is called after each.

        On several cores other processes help. They share this one's `sys.path`, and end with it.
        Each needs some 200 MB.
        """


class Numba(NumPy):
    """Compiled loops, which read and write images with the batch last in memory."""

    name: ClassVar[str] = "numba"

    def find(self, name: str, x: Any) -> Kernel | None:
        """The kernel called `name` in `minise.kernels.numba`, if x is a plain array of NumPy's."""
        return _kernel(name) if type(x) in PLAIN else None

    def compute(self, function: Callable[..., Result], *arguments: Any) -> Result:
        """The same, in view of whoever watches."""
        kernels = _numba_kernels()
        assert kernels is not None  # else it would be NumPy's backend
        result: Result = kernels.watch.by_numpy(function, *arguments)
        return result

    def tape_maker(self) -> Callable[..., Any] | None:
        """What makes a tape of loops, unless they are watched already."""
        kernels = _numba_kernels()
        return kernels.tape.maker() if kernels else None

    def place(self, images: Array, values: Array | None = None) -> Array:
        """As `NumPy.place` says; a large array begins at a cache line."""
        place = _kernel("images.placed") or super().place
        placed: Array = place(images, values)
        return placed

    def release_memory(self) -> None:
        """Give back the memory of dead arrays, which is kept for new ones of the same size."""
        if kernels := _numba_kernels():
            kernels.memory.release()

    def missing_kernels(self, work: Callable[[], object]) -> list[Any]:
        """As `NumPy.missing_kernels` says."""
        kernels = _numba_kernels()
        return [] if kernels is None else kernels.ahead.missing(work, kernels.team.CALLED)

    def compile_kernels(self, missing: list[Any], tell: Callable[[], object]) -> None:
        """As `NumPy.compile_kernels` says."""
        if kernels := _numba_kernels():
            kernels.ahead.compile_all(missing, tell)


def numba() -> NumPy:
    """Numba's backend; where Numba cannot be used, NumPy's."""
    return Numba() if _numba_kernels() else NumPy()


def set_num_threads(threads: int) -> None:
    """Let kernels and NumPy's matrix products use this many threads each, in the whole process.

    The default is the processors that the process may use (see `bench.cores`), or the value of
    `NUMBA_NUM_THREADS` and `OMP_NUM_THREADS`. Results do not depend on it. Raises `InputError`
    for fewer than 1, or more than the machine has.
    """
    from threadpoolctl import threadpool_limits

    _give_kernels(threads)
    threadpool_limits(limits=threads, user_api="blas")


@contextmanager
def using_num_threads(threads: int) -> Iterator[None]:
    """`set_num_threads` for one block of code: `with backend.using_num_threads(1):`.

    Afterwards kernels and matrix products have as many as before, whatever the block chose. Raises
    as `set_num_threads` does.
    """
    from threadpoolctl import threadpool_limits

    before = get_num_threads()
    _give_kernels(threads)
    try:
        with threadpool_limits(limits=threads, user_api="blas"):
            yield
    finally:
        _give_kernels(before)


def _give_kernels(threads: int) -> None:
    limit, kernels = most_threads(), _numba_kernels()
    if not 1 <= threads <= limit:
        raise InputError(f"threads must be 1 to {limit}, got {threads}")
    if kernels is not None:
        kernels.team.set_num_threads(threads)


def get_num_threads() -> int:
    """How many threads a kernel may use: the number set, or else all available processors."""
    kernels = _numba_kernels()
    return cores() if kernels is None else kernels.team.get_num_threads()


@functools.cache
def _kernel(name: str) -> Kernel | None:
    return find("minise.kernels.numba", name) if _numba_kernels() else None


@functools.cache
def _numba_is_installed() -> bool:
    try:
        found = importlib.util.find_spec("numba") is not None
    except ValueError:  # it is None in sys.modules
        found = False
    if not found:
        _say_without("it is not installed")
    return found


@functools.cache
def _numba_kernels() -> types.ModuleType | None:
    if not _numba_is_installed():
        return None
    try:
        return importlib.import_module("minise.kernels.numba")
    except Exception as error:  # Numba rejects an unknown NumPy or Python in several ways
        _say_without(str(error))
        return None


def _say_without(why: str) -> None:
    warnings.warn(
        f"Numba cannot be used here ({why}); minise runs on NumPy alone, which is slower",
        RuntimeWarning,
        stacklevel=4,
    )
