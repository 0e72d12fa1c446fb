"""Numbers in memory that several threads read and write: one word of 8 bytes, given its address.

    before = add(address, 1)                # what was there, even if others add at the same time
    if replace(address, before + 1, 0): …   # whether before + 1 was still there

All threads see all of these in one order ("seq_cst"). NumPy's arrays promise nothing of the kind.
"""

from __future__ import annotations

from typing import Any

from llvmlite import binding, ir
from numba import extending, types
from numba.core import cgutils

Word = ir.IntType(64)
intrinsic: Any = extending.intrinsic  # its types know nothing of the first argument, left out


def pointer(builder: Any, address: Any) -> Any:
    """An address in LLVM's form."""
    return builder.inttoptr(address, Word.as_pointer())


@intrinsic
def read(typing: Any, address: Any) -> Any:
    """The word at an address."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.load_atomic(pointer(builder, arguments[0]), "seq_cst", 8)

    return types.int64(types.int64), generate


@intrinsic
def write(typing: Any, address: Any, value: Any) -> Any:
    """Put a word there."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        address, value = arguments
        builder.store_atomic(value, pointer(builder, address), "seq_cst", 8)
        return context.get_dummy_value()

    return types.void(types.int64, types.int64), generate


@intrinsic
def add(typing: Any, address: Any, value: Any) -> Any:
    """Add to the word there, and return what it was before."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        address, value = arguments
        return builder.atomic_rmw("add", pointer(builder, address), value, "seq_cst")

    return types.int64(types.int64, types.int64), generate


@intrinsic
def replace(typing: Any, address: Any, expected: Any, value: Any) -> Any:
    """Put a word there if the expected one is; return whether it was."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        address, expected, value = arguments
        there = pointer(builder, address)
        pair = builder.cmpxchg(there, expected, value, "seq_cst", "seq_cst")
        return builder.extract_value(pair, 1)

    return types.boolean(types.int64, types.int64, types.int64), generate


# LLVM's names for the instruction that says that a loop only waits, with its arguments.
PAUSES: dict[str, tuple[str, list[Any]]] = {
    "x86_64": ("llvm.x86.sse2.pause", []),
    "aarch64": ("llvm.aarch64.hint", [ir.IntType(32)(1)]),
    "arm64": ("llvm.aarch64.hint", [ir.IntType(32)(1)]),
}


@intrinsic
def pause(typing: Any) -> Any:
    """Tell the processor that this loop only waits."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        processor = binding.get_process_triple().partition("-")[0]
        if processor in PAUSES:
            name, given = PAUSES[processor]
            kind = ir.FunctionType(ir.VoidType(), [number.type for number in given])
            builder.call(cgutils.get_or_insert_function(builder.module, kind, name), given)
        return context.get_dummy_value()

    return types.void(), generate


@intrinsic
def nap(typing: Any, function: Any, time: Any) -> Any:
    """Call the system's function at that address, which lets a thread sleep for that time."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        function, time = arguments
        kind = ir.FunctionType(ir.VoidType(), [ir.IntType(32)])
        called = builder.inttoptr(function, kind.as_pointer())
        builder.call(called, [builder.trunc(time, ir.IntType(32))])
        return context.get_dummy_value()

    return types.void(types.int64, types.int64), generate
