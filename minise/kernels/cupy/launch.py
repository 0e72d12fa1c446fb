"""How a kernel is compiled and started.

The kernels are CUDA C, in the files beside this one. CuPy has NVRTC compile a file on first use,
for one dtype and for the numbers that its loops need to know, and keeps the result on disk.

Images are C-contiguous here, N·C maps of H·W numbers: a map is one run of memory, so neighbouring
threads read neighbouring numbers whatever the batch, one map has one gate, a 1×1 convolution is a
matrix product on a view, and the arrays are what CuPy and everybody else make of NCHW anyway.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from importlib import resources
from typing import Any, NamedTuple

import cupy
import numpy as np

from minise.arrays import Array

THREADS = 256  # of a block
AHEAD = 4  # items that a thread reads before using the first, as in common.cuh
PACK = 16  # bytes: the most that a thread can read at once
# Numbers in an array: kernels count them in 32 bits, and the last block counts slightly further.
LARGEST = 2**31 - 1024

C_TYPES = {np.dtype(np.float32): "float", np.dtype(np.float64): "double"}


class Maps(NamedTuple):
    """How kernels see images: maps in a row, each of so many packs of `width` numbers."""

    number: int
    packs: int
    width: int
    dtype: np.dtype[Any]


def contiguous(*arrays: Array) -> list[Array]:
    """The arrays themselves, or copies of those that are not in C order."""
    return [array if array.flags.c_contiguous else array.copy() for array in arrays]


def address(array: Array) -> int:
    """Its address in the GPU's memory."""
    return int(array.data.ptr)  # type: ignore[attr-defined]


def maps_of(*images: Array) -> Maps:
    """Contiguous images (N, C, H, W), all of one shape, as maps."""
    N, C, H, W = images[0].shape
    dtype = images[0].dtype
    width = PACK // dtype.itemsize
    if H * W % width or any(address(image) % PACK for image in images):
        width = 1
    return Maps(N * C, H * W // width, width, dtype)


def each_pack(
    file: str, kernel: str, maps: Maps, *arguments: Any, **definitions: int | str
) -> None:
    """Start a kernel with a thread for each pack; it gets their number, and that in a map."""
    count = maps.number * maps.packs
    arguments = (*arguments, count, maps.packs)
    each_number(file, kernel, count, *arguments, dtype=maps.dtype, WIDTH=maps.width, **definitions)


def each_map(file: str, kernel: str, maps: Maps, *arguments: Any, **definitions: int | str) -> None:
    """Start a kernel with a block for each map; it gets the number of packs in a map."""
    arguments, blocks = (*arguments, maps.packs), (maps.number,)
    definitions["WIDTH"] = maps.width
    threads = threads_for(maps.packs)
    start(file, kernel, blocks, threads, *arguments, dtype=maps.dtype, **definitions)


def each_number(
    file: str,
    kernel: str,
    count: int,
    *arguments: Any,
    dtype: np.dtype[Any],
    **definitions: int | str,
) -> None:
    """Start a kernel with a thread for each of `count` numbers."""
    start(file, kernel, (-(-count // THREADS),), THREADS, *arguments, dtype=dtype, **definitions)


def start(
    file: str,
    kernel: str,
    blocks: Sequence[int],
    threads: int,
    *arguments: Any,
    dtype: np.dtype[Any],
    **definitions: int | str,
) -> None:
    """Start the `kernel` in `file`, or nothing where there are no blocks.

    Python's integers become `int`, its floats the kernel's T. Raises `ValueError` for an array
    with more numbers than the kernels can count.
    """
    if 0 in blocks:
        return
    for argument in arguments:
        if isinstance(argument, cupy.ndarray) and argument.size > LARGEST:
            raise ValueError(
                f"{kernel}: an array of shape {argument.shape} has more than {LARGEST} numbers: "
                "take smaller batches"
            )
    definitions.setdefault("WIDTH", 1)
    function = _compiled(file, kernel, dtype, tuple(sorted(definitions.items())))
    function(tuple(blocks), (threads,), tuple(_typed(argument, dtype) for argument in arguments))


def threads_for(items: int) -> int:
    """Threads of a block that covers so many items: a power of two, since sums are trees.

    Each covers several items, which it reads at once.
    """
    threads = 32
    while threads < THREADS and threads * 2 * AHEAD <= items:
        threads *= 2
    return threads


@functools.cache
def _compiled(
    file: str, kernel: str, dtype: np.dtype[Any], definitions: tuple[tuple[str, int | str], ...]
) -> Any:
    return _module(file, dtype, definitions).get_function(kernel)


@functools.cache
def _module(file: str, dtype: np.dtype[Any], definitions: tuple[tuple[str, int | str], ...]) -> Any:
    named = [f"-D{name}={value}" for name, value in definitions]
    return cupy.RawModule(
        code=source(file), options=("--std=c++17", f"-DFLOAT={C_TYPES[dtype]}", *named)
    )


def source(file: str) -> str:
    """What is compiled for a file: the code all share, and for `conv.cu` also the product."""
    files = ("common.cuh", *(["product.cuh"] if file == "conv.cu" else []), file)
    return "\n".join(map(text, files))


def text(file: str) -> str:
    """The text of a file beside this one."""
    return resources.files(__package__).joinpath(file).read_text(encoding="utf-8")


def _typed(argument: Any, dtype: np.dtype[Any]) -> Any:
    if isinstance(argument, bool):
        return np.bool_(argument)
    if isinstance(argument, int):
        return np.int32(argument)
    return dtype.type(argument) if isinstance(argument, float) else argument
