"""Memory of the processor that a GPU can copy from and to while the program goes on."""

from __future__ import annotations

import ctypes

import numpy as np

from cupy.cuda import stream as streams
from cupy.stand_in import StandInError


class PinnedMemoryPointer(ctypes.Array):
    """The memory itself: NumPy arrays are made on it."""

    _type_, _length_ = ctypes.c_char, 0


class PinnedMemoryPool:
    """Counts nothing and keeps nothing."""

    def malloc(self, size: int) -> PinnedMemoryPointer:
        return alloc_pinned_memory(size)

    def free_all_blocks(self) -> None:
        pass

    def n_free_blocks(self) -> int:
        return 0


_pool = PinnedMemoryPool()


def get_default_pinned_memory_pool() -> PinnedMemoryPool:
    return _pool


def alloc_pinned_memory(size: int) -> PinnedMemoryPointer:
    kind = type("PinnedMemoryPointer", (PinnedMemoryPointer,), {"_length_": size})
    return kind()


def is_pinned(array: np.ndarray) -> bool:
    """Whether the NumPy array lies in pinned memory."""
    base = array
    while isinstance(base, np.ndarray):
        base = base.base
    return isinstance(getattr(base, "obj", base), PinnedMemoryPointer)


def watch_source(stream: streams.Stream, source: np.ndarray) -> None:
    """A copy from the source is under way: find out if anybody changes it before it ended."""
    copied = source.tobytes()

    def check() -> None:
        if source.tobytes() != copied:
            raise StandInError(
                "pinned memory was changed while a copy from it was under way: "
                "wait for its stream, or an event behind the copy, first"
            )

    streams.finish_later(stream, check)
