"""`cupy.cuda`: devices, streams, graphs and memory."""

from cupy.cuda import compiler, driver, memory, runtime, stream
from cupy.cuda.device import Device, get_device_id
from cupy.cuda.graph import Graph
from cupy.cuda.memory import (
    MemoryPointer,
    MemoryPool,
    alloc,
    get_allocator,
    set_allocator,
    using_allocator,
)
from cupy.cuda.pinned import PinnedMemoryPointer, PinnedMemoryPool, alloc_pinned_memory
from cupy.cuda.stream import Event, Stream, get_current_stream, get_elapsed_time


def is_available() -> bool:
    """Whether there is a GPU, or here: a stand-in for one."""
    try:
        return runtime.getDeviceCount() > 0
    except runtime.CUDARuntimeError:
        return False


__all__ = [
    "Device",
    "Event",
    "Graph",
    "MemoryPointer",
    "MemoryPool",
    "PinnedMemoryPointer",
    "PinnedMemoryPool",
    "Stream",
    "alloc",
    "alloc_pinned_memory",
    "compiler",
    "driver",
    "get_allocator",
    "get_current_stream",
    "get_device_id",
    "get_elapsed_time",
    "is_available",
    "memory",
    "runtime",
    "set_allocator",
    "stream",
    "using_allocator",
]
