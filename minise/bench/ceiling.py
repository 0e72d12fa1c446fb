"""What this machine can do at all: a large matrix product, a copy of arrays beyond any cache."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy as np

SIZES = (512, 1024, 2048)  # rows and columns of the matrices: which is fastest depends on the cache
COPIED = 2**28  # bytes of the array that is copied
REPEATS = 5


class Ceilings(NamedTuple):
    """Operations and bytes for each second, in thousands of millions."""

    matrix_product: float  # GFLOP/s, float32, NumPy
    copy: float  # GB/s, read and written bytes together

    def of(self, unit: str) -> float | None:
        """The ceiling of work that is counted in this unit, where it has one."""
        return {"FLOP": self.matrix_product, "B": self.copy}.get(unit)


def measure_ceilings(threads: int) -> Ceilings:
    """The best of several tries of each, with this many threads."""
    return Ceilings(max(map(_matrix_product, SIZES)), _copy(threads))


def _matrix_product(size: int) -> float:
    rng = np.random.default_rng(0)
    a, b = rng.random((2, size, size), dtype=np.float32)
    out = np.empty_like(a)
    return 2 * size**3 / _best(lambda: np.matmul(a, b, out=out)) / 1e9


def _copy(threads: int) -> float:
    source, target = np.ones((2, COPIED // 4), np.float32)
    # a copy of NumPy's uses one thread: each copies its part
    parts = list(zip(np.array_split(target, threads), np.array_split(source, threads), strict=True))
    with ThreadPoolExecutor(threads) as pool:
        return 2 * COPIED / _best(lambda: list(pool.map(lambda p: np.copyto(*p), parts))) / 1e9


def _best(call: Callable[[], object]) -> float:
    call()
    took = []
    for _ in range(REPEATS):
        began = time.perf_counter()
        call()
        took.append(time.perf_counter() - began)
    return min(took)
