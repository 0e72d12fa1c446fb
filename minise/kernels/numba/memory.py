"""New arrays in memory that was used before.

Memory fresh from the operating system has no pages until the first write to each, which has to
wait for it: a third of a training step went into that. So when a large array dies, its memory is
kept for the next one of the same size. The amount of idle memory is bounded.
"""

from __future__ import annotations

import math
import os
import threading
import weakref
from collections import defaultdict
from typing import Any

import numpy as np
import numpy.typing as npt

from minise.arrays import Array
from minise.kernels.numba.watch import by_numpy, watcher

CACHE_LINE = 64  # bytes
SMALL = 32 * 1024  # bytes: below, NumPy's own way is as fast
MOST_IDLE = 512 * 1024**2  # bytes


class Pool:
    """Blocks of memory: those in use, and those that wait for an array of their size."""

    lock = threading.RLock()  # of all pools; a lease may end, by garbage collection, within `lease`

    def __init__(self) -> None:
        self.idle: defaultdict[int, list[memoryview]] = defaultdict(list)
        self.idle_bytes = 0
        self.leases: dict[int, weakref.ref[Array]] = {}

    def new(self, shape: tuple[int, ...], dtype: np.dtype[Any]) -> Array:
        """An array with arbitrary contents."""
        size = math.prod(shape) * dtype.itemsize
        if size < SMALL:
            return np.empty(shape, dtype)
        return self.lease(size, dtype).reshape(shape)

    def block(self, size: int) -> memoryview:
        """One that lies idle, or a new one."""
        with self.lock:
            if not self.idle[size]:
                return self.new_block(size)
            self.idle_bytes -= size
            return self.idle[size].pop()

    def new_block(self, size: int) -> memoryview:
        """From the system, beginning at a cache line."""
        return _aligned(size)

    def lease(self, size: int, dtype: npt.DTypeLike) -> Array:
        """A block of `size` bytes that is returned when no array uses it any more."""
        with self.lock:
            block = self.block(size)
            # an array over a memoryview, so that every array made of it refers to this one
            lease: Array = np.frombuffer(block, dtype)
            key, most_idle = id(block), MOST_IDLE  # a name of this file is None where Python ends

            def end(_: object) -> None:
                with self.lock:
                    del self.leases[key]
                    if self.idle_bytes + size > most_idle:
                        self.release()
                    self.idle[size].append(block)
                    self.idle_bytes += size

            self.leases[key] = weakref.ref(lease, end)
            return lease

    def release(self) -> None:
        """Give what lies idle back to the operating system."""
        with self.lock:
            self.idle.clear()
            self.idle_bytes = 0


pool = Pool()


def _after_fork() -> None:
    """In a child the lock is as it was at that moment, and who held it is not there."""
    Pool.lock = threading.RLock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


def empty(shape: tuple[int, ...], dtype: npt.DTypeLike) -> Array:
    """A new array with arbitrary contents. A large one begins at a cache line.

    Then no load of neighbouring numbers straddles two lines.
    """
    watching = watcher.get()
    return (pool if watching is None else watching).new(shape, np.dtype(dtype))


def release() -> None:
    """Give the memory that lies idle back to the operating system."""
    pool.release()


def zeros(shape: tuple[int, ...], dtype: npt.DTypeLike) -> Array:
    """The same, filled with zeros."""
    array = empty(shape, dtype)
    by_numpy(np.copyto, array, 0)
    return array


def _aligned(size: int) -> memoryview:
    memory = np.empty(size + CACHE_LINE, np.uint8)
    start = -memory.__array_interface__["data"][0] % CACHE_LINE
    return memory[start : start + size].data
