"""Runs a kernel, and finds what a GPU would do wrong without a word.

Each launch runs twice from the same memory, with its threads and blocks in both orders. Both must
leave the same bytes, and none outside of the arrays that were passed.
"""

from __future__ import annotations

import ctypes
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from cupy import stand_in
from cupy._execute import is_array, operand
from cupy._kernels.build import Kernel
from cupy.cuda import memory
from cupy.cuda.driver import CUDADriverError
from cupy.stand_in import StandInError

GUARD = memory.GUARD
SHARED_LIMIT = 48 << 10
MOST_BLOCKS = (2**31 - 1, 65535, 65535)
MOST_THREADS = (1024, 1024, 64)
OTHER_GUARD = 0x3F  # 0.75 as float32: unlike NaN, it shows that something was added to it
_DTYPES = {"b1": "bool"}


@dataclass
class Piece:
    """A block of memory that the kernel gets to know, and the parts it may write to."""

    block: memory.Block
    size: int
    argument: str
    writable: list[tuple[int, int, str]] = field(default_factory=list)

    def content(self) -> bytes:
        return self.block.zone.tobytes()

    def put_back(self, content: bytes) -> None:
        self.block.zone[:] = np.frombuffer(content, np.uint8)

    def put_back_guards(self, content: bytes) -> None:
        old = np.frombuffer(content, np.uint8)
        self.block.zone[:GUARD] = old[:GUARD]
        self.block.zone[GUARD + self.size :] = old[GUARD + self.size :]

    def fill_guards(self, byte: int) -> None:
        self.block.zone[:GUARD] = self.block.zone[GUARD + self.size :] = byte


@dataclass
class Bound:
    """Arguments as the kernel takes them. The arrays themselves may die, as on a GPU."""

    kernel: Kernel
    sizes: Any
    shared: int
    values: list[Any] = field(default_factory=list)
    pieces: dict[int, Piece] = field(default_factory=dict)
    pointers: Any = None
    tables: list[tuple[np.ndarray, str, str]] = field(default_factory=list)

    def add(
        self, found: memory.Memory, argument: str, const: bool, part: tuple[int, int] | None = None
    ) -> None:
        """Let the kernel know a memory; without a part of it, all of it may be written."""
        piece = self.pieces.setdefault(id(found.block), Piece(found.block, found.size, argument))
        if not const:
            start, end = part or (found.ptr, found.ptr + found.size)
            offset = GUARD - found.ptr
            piece.writable.append((start + offset, end + offset, argument))


def bind(kernel: Kernel, grid: Any, block: Any, args: Any, shared: int) -> Bound:
    """Check everything that CUDA would check at a launch, and what it would not."""
    sizes = (*_size("grid", grid, MOST_BLOCKS), *_size("block", block, MOST_THREADS))
    threads = sizes[3] * sizes[4] * sizes[5]
    if threads > min(kernel.most_threads, 1024):
        raise CUDADriverError(1, f"{threads} threads, {kernel.most_threads} are allowed")
    if not 0 <= shared <= SHARED_LIMIT - kernel.static_shared:
        total = shared + kernel.static_shared
        raise CUDADriverError(1, f"{total} bytes of shared memory, there are {SHARED_LIMIT}")
    if not isinstance(args, tuple | list):
        raise TypeError(f"args must be a tuple, not {type(args).__name__}")
    if len(args) != len(kernel.words):
        raise TypeError(
            f"kernel {kernel.name} takes {len(kernel.words)} arguments, got {len(args)}"
        )
    bound = Bound(kernel, (ctypes.c_uint * 6)(*sizes), shared)
    for number, (word, value) in enumerate(zip(kernel.words, args, strict=True)):
        name = kernel.parameters[number].name
        where = f"argument {number} ({name})"
        take = _pointer if "*" in word else _scalar
        try:
            bound.values.append(take(bound, word, value, where))
        except (TypeError, StandInError) as error:
            raise type(error)(f"kernel {kernel.name}: {error}") from None
    _check_restrict(kernel, args)
    addresses = [ctypes.addressof(value) for value in bound.values]
    bound.pointers = (ctypes.c_void_p * len(addresses))(*addresses)
    return bound


def _size(what: str, given: Any, most: tuple[int, ...]) -> tuple[int, ...]:
    if not isinstance(given, tuple) or not 1 <= len(given) <= 3:
        raise TypeError(f"{what} must be a tuple of one to three numbers, not {given!r}")
    size = (*(int(number) for number in given), 1, 1)[:3]
    if not all(1 <= number <= limit for number, limit in zip(size, most, strict=True)):
        raise CUDADriverError(1, f"{what} {size}, between 1 and {most} are allowed")
    return size


def _scalar(bound: Bound, word: str, value: Any, where: str) -> Any:
    if word[0] == "V":
        if not isinstance(value, np.void | np.ndarray) or value.shape != ():
            raise TypeError(f"{where} is a struct: pass a structured NumPy scalar, not {value!r}")
        if value.dtype.itemsize != int(word[1:]):
            raise TypeError(f"{where} has {word[1:]} bytes, got {value.dtype.itemsize}")
        content = np.frombuffer(value.tobytes(), np.uint8)
        bound.tables.append((content, "?", where))
    else:
        dtype = np.dtype(_DTYPES.get(word, word))
        if isinstance(value, bool | int | float) and not isinstance(value, np.generic):
            raise TypeError(
                f"{where} is {dtype}: pass numpy.{dtype}({value}), for CuPy would pass the Python "
                f"{type(value).__name__} as 64 bits"
            )
        if not isinstance(value, np.generic) or value.dtype != dtype:
            kind = value.dtype if isinstance(value, np.generic) else type(value)
            raise TypeError(f"{where} is {dtype}, got {kind}")
    content = value.tobytes()
    return (ctypes.c_char * len(content)).from_buffer_copy(content)


def _pointer(bound: Bound, word: str, value: Any, where: str) -> Any:
    const, pointee = word.startswith("c*"), word.split("*", 1)[1]
    if isinstance(value, np.uintp | np.intp):
        if value == 0:
            return ctypes.c_void_p(0)
        found = memory.find(int(value))
        if found is None:
            raise TypeError(f"{where} is a pointer to no live array")
        bound.add(found, where, const)
        return ctypes.c_void_p(int(value))
    if not is_array(value):
        raise TypeError(f"{where} is a pointer: pass a cupy.ndarray, not {type(value)}")
    host = operand(value)
    if not host.flags.c_contiguous:
        raise StandInError(
            f"{where}: a kernel sees the memory of an array, not its strides {host.strides} "
            f"for the shape {host.shape}; pass an array in C order"
        )
    _check_pointee(pointee, host, where)
    if "*" in pointee or pointee[0] == "V":
        bound.tables.append((host, pointee, where))
    if value.size:
        start = value.data.ptr
        bound.add(value.data.mem, where, const, (start, start + value.nbytes))
    return ctypes.c_void_p(value.data.ptr)


def _check_pointee(pointee: str, host: np.ndarray, where: str) -> None:
    if "*" in pointee:
        if host.dtype != np.uint64:
            raise TypeError(f"{where} is a table of pointers: uint64 is needed, not {host.dtype}")
    elif pointee[0] == "V" and pointee != "void":
        size = int(pointee[1:])
        if host.nbytes % size or host.__array_interface__["data"][0] % min(size & -size, 16):
            raise TypeError(f"{where} points to structs of {size} bytes, got {host.nbytes} bytes")
    elif pointee != "void" and host.dtype != np.dtype(_DTYPES.get(pointee, pointee)):
        wanted = np.dtype(_DTYPES.get(pointee, pointee))
        raise TypeError(f"{where} points to {wanted}, got an array of {host.dtype}")


def _check_restrict(kernel: Kernel, args: Any) -> None:
    """No two arguments may overlap that say they do not, unless both are only read."""
    arrays = [
        (number, parameter, operand(value))
        for number, (parameter, value) in enumerate(zip(kernel.parameters, args, strict=True))
        if parameter.is_restrict and is_array(value) and value.size
    ]
    for place, (k, one, a) in enumerate(arrays):
        for j, other, b in arrays[place + 1 :]:
            both_const = all(kernel.words[number].startswith("c*") for number in (k, j))
            if not both_const and np.may_share_memory(a, b):
                raise StandInError(
                    f"kernel {kernel.name}: arguments {k} ({one.name}) and {j} ({other.name}) "
                    "overlap, and both are __restrict__"
                )


def execute(bound: Bound) -> None:
    """Run the kernel in both orders."""
    bound = _with_tables(bound)
    pieces = list(bound.pieces.values())
    before = [piece.content() for piece in pieces]
    _run(bound, descending=False)
    after = [piece.content() for piece in pieces]
    for piece, old, new in zip(pieces, before, after, strict=True):
        if not _only_writable(piece, old, new):
            piece.put_back(old)
            raise _wrote_outside(bound, piece)
    if not stand_in.check_races:
        return
    expected = [content[GUARD:-GUARD] for content in after]
    if _run_again(bound, before, descending=True) != expected:
        name = bound.kernel.name
        if _run_again(bound, before, descending=False) != expected:
            raise StandInError(f"kernel {name} computes with what lies outside of its arrays")
        raise StandInError(f"kernel {name} depends on the order of its threads")


def _run(bound: Bound, descending: bool) -> None:
    kernel = bound.kernel
    failure = kernel.library.cuda_run(
        kernel.number, bound.sizes, bound.shared, bound.pointers, descending
    )
    if failure:
        raise StandInError(f"kernel {kernel.name}: {failure.decode()}")


def _run_again(bound: Bound, before: list[bytes], descending: bool) -> list[bytes]:
    """What the arrays hold after a run from the same memory, but between other guards."""
    pieces = list(bound.pieces.values())
    for piece, content in zip(pieces, before, strict=True):
        piece.put_back(content)
        piece.fill_guards(OTHER_GUARD)
    try:
        _run(bound, descending)
        for piece in pieces:
            zone = piece.block.zone
            guards = zone[:GUARD].tobytes() + zone[GUARD + piece.size :].tobytes()
            if guards != bytes([OTHER_GUARD]) * len(guards):
                raise _wrote_outside(bound, piece)
    finally:
        for piece, content in zip(pieces, before, strict=True):
            piece.put_back_guards(content)
    return [piece.content()[GUARD:-GUARD] for piece in pieces]


def _only_writable(piece: Piece, old: bytes, new: bytes) -> bool:
    """Whether nothing changed but the arrays that may be written to."""
    if old == new:
        return True
    place = 0
    for start, end, _ in sorted(piece.writable):
        if old[place:start] != new[place:start]:
            return False
        place = max(place, end)
    return old[place:] == new[place:]


def _wrote_outside(bound: Bound, piece: Piece) -> StandInError:
    names = " or ".join(dict.fromkeys(argument for *_, argument in piece.writable))
    name = bound.kernel.name
    if not names:
        return StandInError(f"kernel {name} wrote to or around {piece.argument}, which is const")
    return StandInError(f"kernel {name} wrote outside of {names}")


def _with_tables(bound: Bound) -> Bound:
    """With the arrays that pointers in arrays and structs lead to now."""
    if not bound.tables:
        return bound
    pieces = {
        key: replace(piece, writable=list(piece.writable)) for key, piece in bound.pieces.items()
    }
    bound = replace(bound, pieces=pieces)
    for content, pointee, where in bound.tables:
        is_table = "*" in pointee  # else it may hold pointers beside other things
        words = content.reshape(-1).view(np.uint8)
        addresses = words[: words.size // 8 * 8].view(np.uint64).tolist()
        for place, address in enumerate(addresses):
            found = memory.find(address) if address else None
            if found is not None:
                bound.add(found, f"{where}, pointer {place}", pointee.startswith("c*"))
            elif is_table and address:
                raise StandInError(
                    f"kernel {bound.kernel.name}: {where}: pointer {place} leads to no live array"
                )
    return bound
