"""A folder for one run alone, even where several start at the same moment."""

from __future__ import annotations

import errno
import importlib
import itertools
import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO

from minise.errors import InputError
from minise.files import check_writable

LOCK = ".lock"  # the name of a file that exists while a training runs
# What systems report for a file that another process has locked.
LOCKED = {errno.EAGAIN, errno.EWOULDBLOCK, errno.EACCES, errno.EDEADLK}


class Taken(InputError):  # noqa: N818  (said of a folder)
    """Another process trains in the folder."""


def next_folder(model: str, parent: Path = Path("runs")) -> Path:
    """Make the first of runs/<model>-1, -2, … that does not exist yet: no other process gets it.

    Raises `InputError` where it cannot be created.
    """
    for number in itertools.count(1):
        folder = parent / f"{model}-{number}"
        try:
            folder.mkdir(parents=True)
            break
        except OSError as error:
            if not (isinstance(error, FileExistsError) and parent.is_dir()):
                raise InputError(f"{folder}: cannot be created: {error.strerror}") from None
    return folder


def check_empty(folder: Path) -> None:
    """Raises `InputError` where the folder holds files, and `OSError` where it is not a folder."""
    if any(path.name != LOCK for path in folder.iterdir()):
        raise InputError(f"{folder}: already holds files; a run needs a folder of its own")


@contextmanager
def claimed(folder: Path | None, model: str, *, resumed: bool = False) -> Iterator[Path]:
    """Reserve a folder for the training of this process; None means the next free one.

    It is created, and removed again if it stays empty. Raises `InputError` where another
    process trains in it, where it cannot be written to, and where it holds files, unless `resumed`.
    """
    place = Path("runs") if folder is None else folder
    made = [path for path in (place, *place.parents) if not os.path.exists(path)]
    with ExitStack() as stack:
        stack.callback(_remove_empty, made)
        if folder is None:
            folder = next_folder(model, place)
            made.insert(0, folder)
        try:
            folder.mkdir(parents=True, exist_ok=True)
            stack.enter_context(_locked(folder))
            check_writable(folder)  # writes there for a moment; nobody else may see that
            if not resumed:
                check_empty(folder)
        except OSError as error:
            raise InputError(f"{folder}: cannot be written to: {error.strerror}") from None
        yield folder


def _remove_empty(folders: list[Path]) -> None:
    for folder in folders:
        with suppress(OSError):  # it is not empty, or does not exist
            folder.rmdir()


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    path = folder / LOCK
    while True:
        file = path.open("ab")
        try:
            _lock(file)
        except OSError as error:
            if error.errno in LOCKED:
                file.close()
                raise Taken(f"{folder}: another process is training in it") from None
            break  # a mount without locks
        if os.path.exists(path) and os.path.samestat(os.fstat(file.fileno()), path.stat()):
            break
        file.close()  # its owner removed it after it was opened here
    try:
        yield
    finally:
        if os.name == "nt":  # where an open file cannot be removed
            file.close()
        with suppress(OSError):
            path.unlink()
        file.close()


def _lock(file: BinaryIO) -> None:
    """Lock the file until it is closed, or the process ends in any way."""
    try:
        fcntl: Any = importlib.import_module("fcntl")
    except ImportError:
        msvcrt: Any = importlib.import_module("msvcrt")
        msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
    else:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
