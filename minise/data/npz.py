"""Arrays from an `.npz` file, whose headers are trusted only as far as its size allows."""

from __future__ import annotations

import lzma
import os
import struct
import tokenize
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO

import numpy as np
from numpy.lib import format as npy

from minise.arrays import Array
from minise.data.idx import most_unpacked
from minise.errors import InputError

# What zipfile and NumPy raise for a damaged or malicious file: also for compression of an unknown
# kind, a password, and a header that is not Python.
DAMAGED = (
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    EOFError,
    ValueError,
    NotImplementedError,
    RuntimeError,
    SyntaxError,
    tokenize.TokenError,
    struct.error,
)


def names_in_npz(path: str | os.PathLike[str]) -> list[str]:
    """The names of the arrays in a file. Raises `InputError` for any other file."""
    with _opened(path) as archive:
        members = archive.namelist()
    return [member.removesuffix(".npy") for member in members if member.endswith(".npy")]


def read_npz(path: str | os.PathLike[str], names: tuple[str, ...]) -> list[Array]:
    """The arrays of these names. Raises `InputError` for what is missing, corrupt or pickled."""
    with _opened(path) as archive:
        try:
            return [_read_member(archive, f"{name}.npy") for name in names]
        except KeyError as error:
            wanted = ", ".join(names)
            raise InputError(f"{path}: {error.args[0]}; expected the arrays {wanted}") from None


@contextmanager
def _opened(path: str | os.PathLike[str]) -> Iterator[zipfile.ZipFile]:
    try:
        with zipfile.ZipFile(path) as archive:
            yield archive
    except InputError:
        raise
    except DAMAGED as error:
        raise InputError(f"{path}: not a usable .npz file: {error}") from None
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror or error}") from None


def _read_member(archive: zipfile.ZipFile, member: str) -> Array:
    info = archive.getinfo(member)
    if info.file_size > most_unpacked(info.compress_size):
        raise ValueError(f"{member} claims {info.file_size:,} bytes from {info.compress_size:,}")
    with archive.open(member) as stream:
        shape, dtype, header = _read_header(stream)
    items = 1
    for size in shape:
        items *= size  # Python's integers do not overflow
    if dtype.hasobject:
        raise ValueError(f"{member} holds Python objects, which are not read")
    if header + items * dtype.itemsize != info.file_size:
        raise ValueError(f"{member} claims shape {shape} in {info.file_size:,} bytes")
    with archive.open(member) as stream:
        array: Array = npy.read_array(stream, allow_pickle=False)
    return array


def _read_header(stream: IO[bytes]) -> tuple[tuple[int, ...], np.dtype[np.generic], int]:
    """Shape, dtype, and the number of bytes before the items."""
    version = npy.read_magic(stream)
    if version == (1, 0):
        shape, _, dtype = npy.read_array_header_1_0(stream)
    elif version == (2, 0):
        shape, _, dtype = npy.read_array_header_2_0(stream)
    else:
        raise ValueError(f"a header of version {version}, expected 1.0 or 2.0")
    return shape, dtype, stream.tell()
