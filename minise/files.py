"""Files that are read with suspicion and written whole."""

from __future__ import annotations

import errno
import json
import os
import re
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from minise.arrays import Array
from minise.errors import InputError
from minise.narrow import from_bfloat16, to_bfloat16
from minise.nearest import nearest

# What safetensors calls the dtypes that are NumPy's own, and the one that is read as float32.
KINDS = {
    "BF16",
    "BOOL",
    "F16",
    "F32",
    "F64",
    "C64",
    *(f"{sign}{bits}" for sign in "IU" for bits in (8, 16, 32, 64)),
}
FLOATS = ("float16", "bfloat16", "float32", "float64")  # that are written
OPTIMIZER = "optimizer/"  # before the names of arrays in a checkpoint that are not the net's
WEIGHTS = "model.safetensors"  # of a run, in its folder
PART = ".part"  # the end of the name of a file while it is written
PYTORCH = {".pth", ".pt", ".bin", ".pkl"}
# What systems report that cannot sync a folder: Windows, and network mounts.
NO_SYNC = {
    getattr(errno, name)
    for name in ("EINVAL", "EACCES", "EPERM", "ENOTSUP", "EOPNOTSUPP", "ENOSYS", "EBADF", "EISDIR")
}
IN_USE = {5, 32}  # Windows' ERROR_ACCESS_DENIED and ERROR_SHARING_VIOLATION
WAITS = (0.05, 0.1, 0.2, 0.4, 0.8)  # seconds: a virus scanner needs no more


class WriteError(InputError):
    """A file cannot be written: the disk is full, or somebody forbids it."""


class Tensors(NamedTuple):
    """What a file of weights holds: arrays by name, and text that was stored with them."""

    arrays: dict[str, Array]
    metadata: dict[str, str]


def read_tensors(path: Path) -> Tensors:
    """The arrays in a `.safetensors` file, or in one that PyTorch saved (`.pth`, `.pt`, …).

    The second kind is read by `torch.load(weights_only=True)`, where PyTorch is installed: minise
    itself never unpickles. Dictionaries in it give their names to what they hold, with a slash: a
    checkpoint {"epoch": 3, "model": {"fc.bias": …}} has "model/fc.bias".

    Raises `InputError` for a file that is missing, broken, or of another kind.
    """
    if not path.is_file():
        raise InputError(f"{path}: there is no such file")
    if path.suffix.lower() in PYTORCH:
        return Tensors(_read_pytorch(path), {})
    return _read_safetensors(path)


def _read_safetensors(path: Path) -> Tensors:
    from safetensors import SafetensorError, safe_open

    try:
        arrays: dict[str, Any] = {}
        with safe_open(path, framework="numpy") as file:  # trusts no header beyond the file
            for name in file.keys():  # noqa: SIM118  (no dict)
                kind = file.get_slice(name).get_dtype()
                _check_width(path, name, kind, kind in KINDS)
                arrays[name] = None if kind == "BF16" else file.get_tensor(name)
            metadata = file.metadata() or {}
        if any(array is None for array in arrays.values()):
            arrays |= _read_bfloat16(path)
        return Tensors(arrays, metadata)
    except (SafetensorError, OSError, UnicodeError) as error:
        raise InputError(f"{path}: the weights cannot be read: {error}") from None


def _read_bfloat16(path: Path) -> dict[str, Array]:
    import safetensors

    entries: Any = safetensors.deserialize
    return {
        name: from_bfloat16(np.frombuffer(entry["data"], "<u2").reshape(entry["shape"]))
        for name, entry in entries(path.read_bytes())
        if entry["dtype"] == "BF16"
    }


def _check_width(path: Path, name: str, kind: str, is_read: bool) -> None:
    if not is_read:
        raise InputError(
            f"{path}: {name} is {kind}, expected numbers of 16, 32 or 64 bits; narrower floats "
            "need scales that are kept elsewhere: let the program that wrote them write bfloat16"
        )


def _read_pytorch(path: Path) -> dict[str, Array]:
    try:
        import torch
    except ImportError:
        raise InputError(
            f"{path}: reading it needs PyTorch, which is not installed; "
            "a .safetensors file needs nothing"
        ) from None
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # a hostile file can make torch.load raise anything
        first = str(error).splitlines()[0] if str(error) else type(error).__name__
        if refused := re.search(r"Unsupported \w+: GLOBAL (\S+)", str(error)):
            first = (
                f"besides tensors it holds {refused[1]}, which is code; if you trust the file, "
                "load it with PyTorch and save only its state_dict"
            )
        raise InputError(f"{path}: the weights cannot be read: {first}") from None
    found: dict[str, Array] = {}
    seen, ahead = set[int](), [("", content)]
    for prefix, value in ahead:  # which grows meanwhile
        if isinstance(value, torch.Tensor) and prefix:
            name = prefix.removesuffix("/")
            found[name] = _numpy(path, name, value)
        elif isinstance(value, dict) and id(value) not in seen:
            seen.add(id(value))
            ahead += [(f"{prefix}{key}/", v) for key, v in value.items() if isinstance(key, str)]
    if not found:
        raise InputError(f"{path}: has no weights: expected a dict of tensors by name")
    return found


def _numpy(path: Path, name: str, tensor: Any) -> Array:
    """As they are; NumPy has no bfloat16, whose numbers are float32's."""
    kind = str(tensor.dtype).removeprefix("torch.")
    _check_width(path, name, kind, tensor.itemsize > 1 or not tensor.is_floating_point())
    try:
        array: Array = (tensor.float() if kind == "bfloat16" else tensor).detach().numpy()
    except (TypeError, RuntimeError):  # quantised, sparse, or on no device
        raise InputError(f"{path}: {name} is a {kind} tensor that NumPy cannot hold") from None
    return array


def write_tensors(path: Path, tensors: Tensors, dtype: str | None = None) -> None:
    """Write a `.safetensors` file: whole, or not at all.

    With one of `FLOATS` as `dtype`, numbers are rounded to it, to the nearest, ties to even.
    Raises `InputError` for an unknown dtype, for numbers that are too large for it, and where the
    file cannot be written.
    """
    from safetensors.numpy import save

    if dtype is not None and dtype not in FLOATS:
        raise InputError(nearest("dtype", dtype, FLOATS))
    # safetensors needs each array in row order
    arrays = {
        name: np.ascontiguousarray(_rounded(path, name, array, dtype))
        for name, array in tensors.arrays.items()
    }
    content = save(arrays, metadata=tensors.metadata or None)
    write_whole(path, _called_bfloat16(content) if dtype == "bfloat16" else content)


def _rounded(path: Path, name: str, array: Array, dtype: str | None) -> Array:
    if dtype is None or array.dtype.kind != "f":
        return array
    with np.errstate(over="ignore"):
        bits = to_bfloat16(array) if dtype == "bfloat16" else array.astype(dtype)
    read = from_bfloat16(bits) if dtype == "bfloat16" else bits
    if lost := abs(array[np.isfinite(array) & ~np.isfinite(read)]).ravel().tolist():
        raise InputError(f"{path}: {name} has {max(lost):g}, which is too large for {dtype}")
    return bits


def _called_bfloat16(content: bytes) -> bytes:
    """safetensors takes no bfloat16 from NumPy: they were written as integers of 16 bits."""
    size = int.from_bytes(content[:8], "little")
    header = json.loads(content[8 : 8 + size])
    for name, entry in header.items():
        if name != "__metadata__" and entry["dtype"] == "U16":
            entry["dtype"] = "BF16"
    text = json.dumps(header, ensure_ascii=False, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)  # numbers begin at a multiple of 8
    return len(text).to_bytes(8, "little") + text + content[8 + size :]


def write_whole(path: Path, content: bytes) -> None:
    """Write a file so that a reader sees the old one or the new one, never a part.

    A file that is replaced keeps its mode, where there are modes, and a link its target. Raises
    `WriteError` where the file cannot be written.
    """
    target = Path(os.path.realpath(path))
    part = _part_of(target)
    try:
        with part.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        if target.exists() and os.name != "nt":  # there a mode is "read-only" and no more
            with suppress(OSError):  # nor do FAT and some mounts know modes
                part.chmod(target.stat().st_mode)
        patiently(os.replace, part, target)
        _sync(target.parent)
    except OSError as error:
        hint = "; is it read-only, or open in another program?" if _in_use(error) else ""
        raise WriteError(f"{path}: cannot be written: {error.strerror or error}{hint}") from None
    finally:
        with suppress(OSError):  # it is in place, or was never made
            patiently(os.unlink, part)


def put_in_place(fresh: Path, target: Path) -> Path:
    """Move a whole file to its name, over an existing one that somebody may have open."""
    patiently(os.replace, fresh, target)
    return target


def check_writable(folder: Path) -> None:
    """Check before the work that a file can be made in a folder, which may not exist yet.

    Raises `InputError` where none could.
    """
    there = next(f for f in (folder, *folder.absolute().parents) if os.path.exists(f))
    probe = _part_of(there / "minise")
    try:
        probe.touch()
        patiently(os.unlink, probe)
    except OSError as error:
        raise InputError(f"{folder}: cannot be written to: {error.strerror}") from None


def _part_of(target: Path) -> Path:
    return target.with_name(f".{target.name}.{os.getpid()}-{threading.get_ident()}{PART}")


def patiently(change: Callable[..., None], *paths: Path) -> None:
    """Windows refuses to replace or remove a file while somebody has it open: try for a while."""
    for wait in WAITS:
        try:
            return change(*paths)
        except PermissionError as error:
            if not _in_use(error):
                raise
            time.sleep(wait)
    return change(*paths)


def _in_use(error: OSError) -> bool:
    return getattr(error, "winerror", None) in IN_USE


def _sync(folder: Path) -> None:
    """Let the new name reach the disk; where a folder cannot be synced the file is whole anyway."""
    try:
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
    except OSError as error:
        if error.errno not in NO_SYNC:
            raise


def remove_parts(folder: Path) -> None:
    """Remove the parts of files left by writers that were killed."""
    for part in folder.glob(f".*{PART}"):
        with suppress(FileNotFoundError):
            patiently(os.unlink, part)
