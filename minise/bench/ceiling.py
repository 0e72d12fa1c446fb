"""The limits of this machine: a large matrix product, a copy of arrays beyond any cache.

With "cupy" in use the GPU does them, in full float32: CuPy uses the shorter TF32 for products
only where `CUPY_TF32` asks for it.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy as np

from minise import backend
from minise.bench.timing import alternate

SIZES = (512, 1024, 2048)  # rows and columns of the matrices: the fastest depends on the cache
COPIED = 2**28  # bytes of the array that is copied
SIZES_ON_GPU, COPIED_ON_GPU = (1024, 2048, 4096, 8192), 2**29
REPEATS = 5


class Ceilings(NamedTuple):
    """Operations and bytes per second, in thousands of millions."""

    matrix_product: float  # GFLOP/s, float32, NumPy or CuPy
    copy: float  # GB/s, read and written bytes together

    def of(self, unit: str) -> float | None:
        """The ceiling for work counted in this unit, where there is one."""
        return {"FLOP": self.matrix_product, "B": self.copy}.get(unit)


def measure_ceilings(threads: int) -> Ceilings:
    """The best of several tries of each, with this many threads."""
    if backend.current().on_gpu:
        return Ceilings(max(map(_matrix_product_on_gpu, SIZES_ON_GPU)), _copy_on_gpu())
    return Ceilings(max(map(_matrix_product, SIZES)), _copy(threads))


def _matrix_product(size: int) -> float:
    rng = np.random.default_rng(0)
    a, b = rng.random((2, size, size), dtype=np.float32)
    out = np.empty_like(a)
    return 2 * size**3 / _best(lambda: np.matmul(a, b, out=out)) / 1e9


def _copy(threads: int) -> float:
    source, target = np.ones((2, COPIED // 4), np.float32)
    # NumPy copies with one thread: here each copies its part
    parts = list(zip(np.array_split(target, threads), np.array_split(source, threads), strict=True))
    with ThreadPoolExecutor(threads) as pool:
        return 2 * COPIED / _best(lambda: list(pool.map(lambda p: np.copyto(*p), parts))) / 1e9


def _matrix_product_on_gpu(size: int) -> float:
    import cupy

    rng = np.random.default_rng(0)  # a GPU is slower on random numbers than on ones
    a, b = backend.asarray(rng.random((2, size, size), dtype=np.float32))
    out = cupy.empty_like(a)
    return 2 * size**3 / _best_on_gpu(lambda: cupy.matmul(a, b, out=out)) / 1e9


def _copy_on_gpu() -> float:
    import cupy

    source, target = (cupy.ones(COPIED_ON_GPU // 4, np.float32) for _ in range(2))

    def copy() -> None:
        target[...] = source

    return 2 * COPIED_ON_GPU / _best_on_gpu(copy) / 1e9


def _best_on_gpu(call: Callable[[], object]) -> float:
    """The time of a call among many that are launched in a row."""
    times = alternate({"": call}, seconds=0.0, rounds=REPEATS, wait=backend.current().synchronize)
    return times[""].low


def _best(call: Callable[[], object]) -> float:
    call()
    took = []
    for _ in range(REPEATS):
        began = time.perf_counter()
        call()
        took.append(time.perf_counter() - began)
    return min(took)
