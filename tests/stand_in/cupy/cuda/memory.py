"""The GPU's memory: blocks between guard zones, and pools that keep and reuse them.

As in CuPy, the memory of an array that died goes back to its pool and then to the next array of
that size. A graph that still writes to it changes that array, here as there.
"""

from __future__ import annotations

import ctypes
import gc
import mmap
import sys
import threading
import weakref
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np
import numpy.typing as npt

from cupy.cuda import runtime, stream

UNIT = 512  # sizes are rounded up to it and addresses are multiples of it, as in CuPy
GUARD = 1024  # bytes before and behind each block that nobody may write to
FENCE = 2**20  # bytes around those that nobody may even read; they take no memory
POISON = 0xFF  # each byte of memory that was not written; as floats, this is NaN

_allocated: defaultdict[int, int] = defaultdict(int)  # bytes taken of each device
_alive: weakref.WeakValueDictionary[int, Memory] = weakref.WeakValueDictionary()


class OutOfMemoryError(MemoryError):
    """A request that the pool's limit or the device does not allow."""

    def __init__(self, size: int, total: int, limit: int = 0) -> None:
        self._size, self._total, self._limit = size, total, limit
        text = f"Out of memory allocating {size:,} bytes (allocated so far: {total:,} bytes"
        super().__init__(text + (f", limit set to: {limit:,} bytes)." if limit else ")."))

    def __reduce__(self) -> tuple:
        return type(self), (self._size, self._total, self._limit)


class Block:
    """A piece of memory: `zone` is all of it, guards included; `buffer[start:]` begins behind.

    Around it there is nothing that can be read, so that a kernel that tries to crashes.
    """

    def __init__(self, capacity: int, device: int) -> None:
        self.capacity = capacity
        self.device = device
        self.buffer = _fenced(capacity + 2 * GUARD)
        self.start = len(self.buffer) - capacity - GUARD
        self.address = self.buffer.ctypes.data + self.start
        self.zone = self.buffer[self.start - GUARD :]
        _allocated[device] += capacity
        weakref.finalize(self, _released, capacity, device).atexit = False


def _fenced(size: int) -> npt.NDArray[np.uint8]:
    """At least so many bytes, whole pages, between two fences that cannot be read."""
    whole = -(-size // mmap.PAGESIZE) * mmap.PAGESIZE
    array = np.frombuffer(mmap.mmap(-1, whole + 2 * FENCE), np.uint8)
    if sys.platform != "win32":
        protect = ctypes.CDLL(None).mprotect
        for fence in (array[:FENCE], array[-FENCE:]):
            if protect(ctypes.c_void_p(fence.ctypes.data), FENCE, 0):
                raise OSError("mprotect failed")
    return array[FENCE:-FENCE]


def _released(capacity: int, device: int) -> None:
    _allocated[device] -= capacity


class Memory:
    """A block in use. When it dies the block goes back to its pool, poisoned."""

    def __init__(self, block: Block, size: int, give_back: Callable[[Block], None] | None) -> None:
        self.block, self.size, self.give_back = block, size, give_back
        self.ptr = block.address
        self.device_id = block.device
        block.zone.fill(POISON)
        _alive[self.ptr] = self

    def __del__(self) -> None:
        try:
            self.block.zone.fill(POISON)
            if self.give_back is not None:
                self.give_back(self.block)
        except (AttributeError, TypeError):  # Python is being shut down
            pass


class MemoryPointer:
    """A place in a memory. `mem` is None for the null pointer of arrays without elements."""

    def __init__(self, mem: Memory | None, offset: int) -> None:
        self.mem = mem
        self.ptr = mem.ptr + offset if mem else 0
        self.device_id = mem.device_id if mem else runtime.getDevice()

    def __int__(self) -> int:
        return self.ptr


def find(address: int) -> Memory | None:
    """The live memory that the address lies in."""
    if memory := _alive.get(address):
        return memory
    for memory in list(_alive.values()):
        if memory.ptr <= address < memory.ptr + max(memory.size, 1):
            return memory
    return None


def allocated(device: int) -> int:
    """Bytes of the device that are taken, free blocks of pools included."""
    return _allocated[device]


class MemoryPool:
    """Keeps the blocks of dead arrays for new arrays of the same size, on the same stream."""

    def __init__(self, allocator: object = None) -> None:
        self._free: defaultdict[tuple[int, int, int], list[Block]] = defaultdict(list)
        self._used: defaultdict[int, int] = defaultdict(int)
        self._limit: defaultdict[int, int] = defaultdict(int)

    def malloc(self, size: int) -> MemoryPointer:
        device, capacity = runtime.getDevice(), -(size // -UNIT) * UNIT
        if capacity == 0:
            return MemoryPointer(None, 0)
        key = device, stream.get_current_stream().ptr, capacity
        with stream.lock:
            if self._free[key]:
                block = self._free[key].pop()
            else:
                self._make_room(capacity)
                stream.check_may_allocate()
                block = Block(capacity, device)
            self._used[device] += capacity

        def give_back(block: Block) -> None:
            with stream.lock:
                self._used[device] -= capacity
                self._free[key].append(block)

        return MemoryPointer(Memory(block, size, give_back), 0)

    def _make_room(self, capacity: int) -> None:
        device = runtime.getDevice()
        for collect in (self.free_all_blocks, gc.collect, self.free_all_blocks, None):
            limit = self._limit[device]
            fits_limit = not limit or self.total_bytes() + capacity <= limit
            if fits_limit and _allocated[device] + capacity <= runtime.TOTAL_MEMORY:
                return
            if collect:
                collect()
        raise OutOfMemoryError(capacity, self.total_bytes(), limit)

    def free_all_blocks(self, stream: stream.Stream | None = None) -> None:
        for key in list(self._free):
            if stream is None or key[1] == stream.ptr:
                del self._free[key]

    def n_free_blocks(self) -> int:
        return sum(len(blocks) for key, blocks in self._free.items() if self._here(key))

    def used_bytes(self) -> int:
        """Bytes of live arrays, each rounded up to 512."""
        return self._used[runtime.getDevice()]

    def free_bytes(self) -> int:
        return sum(key[2] * len(blocks) for key, blocks in self._free.items() if self._here(key))

    def total_bytes(self) -> int:
        return self.used_bytes() + self.free_bytes()

    def set_limit(self, size: int | None = None, fraction: float | None = None) -> None:
        if size is not None and fraction is not None:
            raise ValueError("size and fraction cannot be specified at the same time")
        if fraction is not None:
            size = int(fraction * runtime.TOTAL_MEMORY)
        if size is not None and size < 0:
            raise ValueError("memory limit size out of range")
        self._limit[runtime.getDevice()] = size or 0

    def get_limit(self) -> int:
        return self._limit[runtime.getDevice()]

    @staticmethod
    def _here(key: tuple[int, int, int]) -> bool:
        return key[0] == runtime.getDevice()


Allocator = Callable[[int], MemoryPointer]
_default_pool = MemoryPool()
_allocator: Allocator = _default_pool.malloc
_thread = threading.local()


def get_default_memory_pool() -> MemoryPool:
    return _default_pool


def _without_pool(size: int) -> MemoryPointer:
    if size == 0:
        return MemoryPointer(None, 0)
    stream.check_may_allocate()
    return MemoryPointer(Memory(Block(-(size // -UNIT) * UNIT, runtime.getDevice()), size, None), 0)


def get_allocator() -> Allocator:
    return getattr(_thread, "allocator", None) or _allocator


def set_allocator(allocator: Allocator | None = None) -> None:
    """Take new arrays' memory from here, in all threads; None: without a pool."""
    global _allocator
    if getattr(_thread, "allocator", None):
        raise ValueError("Can't change the global allocator inside `using_allocator` context")
    _allocator = allocator or _without_pool


@contextmanager
def using_allocator(allocator: Allocator | None = None) -> Iterator[None]:
    """Take new arrays' memory from here, in this thread and block."""
    before = getattr(_thread, "allocator", None)
    _thread.allocator = allocator or _without_pool
    try:
        yield
    finally:
        _thread.allocator = before


def alloc(size: int) -> MemoryPointer:
    """Memory from the allocator in use."""
    return get_allocator()(size)
