"""The IDX format of MNIST: a magic number, the sizes, then the items in row order, big-endian.

0 0 type ndim | ndim sizes of 4 bytes | items
"""

from __future__ import annotations

import gzip
import hashlib
import math
import os
import zlib
from pathlib import Path
from typing import IO, cast

import numpy as np

from minise.arrays import Array
from minise.errors import InputError

_TYPES = {0x08: ">u1", 0x09: ">i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}

# A file may unpack to more than `UNPACKED_FREELY` bytes only at up to this many for each of its
# own: images do (MNIST's 5), while deflate can make 1,032, and so gigabytes from nothing.
UNPACKED_FREELY, MOST_PER_COMPRESSED_BYTE = 64 * 1024**2, 50


def most_unpacked(compressed: int) -> int:
    """The largest size that so many compressed bytes may unpack to."""
    return max(UNPACKED_FREELY, MOST_PER_COMPRESSED_BYTE * compressed)


def read_idx(path: str | os.PathLike[str], *, sha256: str | None = None) -> Array:
    """The array in an IDX file, plain or gzip (by its first bytes), in native byte order.

    The header is checked against the size of the file before anything is allocated. With `sha256`
    the decompressed bytes must have that digest, so a recompressed file still counts as the same.

    Raises `InputError` for a file that cannot be read, is not IDX, is too short or too long, is
    corrupt, or has another digest.
    """
    path = Path(path)
    try:
        with path.open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            compressed = file.read(2) == b"\x1f\x8b"
            file.seek(0)
            if not compressed:
                return _parse(file, path, size, sha256)
            with gzip.open(file) as stream:
                return _parse(cast(IO[bytes], stream), path, None, sha256, most_unpacked(size))
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise InputError(f"{path}: the gzip data is corrupt: {error}") from None
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror or error}") from None


def _parse(
    stream: IO[bytes], path: Path, size: int | None, sha256: str | None, at_most: int = 0
) -> Array:
    """`size` is the exact number of bytes where it is known, else `at_most` bounds it."""
    magic = stream.read(4)
    if len(magic) < 4 or magic[:2] != b"\0\0" or magic[2] not in _TYPES:
        raise InputError(
            f"{path}: not an IDX file: the magic number is 0x{magic.hex() or '(nothing)'}"
        )
    dtype, ndim = np.dtype(_TYPES[magic[2]]), magic[3]
    header = stream.read(4 * ndim)
    if len(header) < 4 * ndim:
        raise InputError(f"{path}: ends within its header of {4 + 4 * ndim} bytes")
    shape = tuple(int.from_bytes(header[k : k + 4], "big") for k in range(0, len(header), 4))
    wanted = math.prod(shape) * dtype.itemsize  # Python's integers do not overflow
    there = at_most if size is None else size - 4 - len(header)
    if wanted > there or (size is not None and wanted < there):
        most = "at most " if size is None else ""
        raise InputError(
            f"{path}: its header claims {wanted:,} bytes of items, shape {shape}, "
            f"but the file has {most}{max(there, 0):,}"
        )
    items = bytearray(wanted)
    filled = _fill(items, stream)
    if filled < wanted:
        raise InputError(f"{path}: ends after {filled:,} of {wanted:,} bytes of items")
    if stream.read(1):
        raise InputError(
            f"{path}: has more than the {wanted:,} bytes of items that its header claims"
        )
    if sha256 is not None:
        digest = hashlib.sha256(magic + header)
        digest.update(items)
        if digest.hexdigest() != sha256:
            raise InputError(
                f"{path}: not the expected data: its SHA-256 is {digest.hexdigest()[:12]}…, "
                f"expected {sha256[:12]}…"
            )
    try:
        array = np.frombuffer(items, dtype).reshape(shape)
    except ValueError:  # a size is 0, and the others are too large, or too many, for NumPy
        raise InputError(f"{path}: its header claims an impossible shape, {shape}") from None
    return array.astype(dtype.newbyteorder("="), copy=False)


def _fill(items: bytearray, stream: IO[bytes]) -> int:
    """Fill it from the stream; how many bytes there were."""
    filled = 0
    with memoryview(items) as view:
        while filled < len(items):
            read = stream.read(min(len(items) - filled, 1024**2))
            if not read:
                break
            view[filled : filled + len(read)] = read
            filled += len(read)
    return filled
