"""A file that one process owns at a time; others read in it who that is, and how far it is.

Where the system locks files (flock, or Windows' locks), it decides among the processes of one
host: a lock whose owner has died is free at once. Between hosts that share a folder it may not do
so, and some mounts have no locks. So an owner also gives a sign of life every few seconds by
writing its line anew, and is taken for dead after a minute without one. Whoever takes over writes
its own line and looks, a moment later, whether that is still there; an owner that finds another's
line, after it was suspended, has lost the lock. Ages are told by the clock of the file system.
"""

from __future__ import annotations

import errno
import importlib
import json
import os
import secrets
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

from minise.errors import InputError
from minise.files import PART, patiently

BEAT = 2.0  # seconds between two signs of life
SILENT = 60.0  # seconds without one, after which an owner is taken for dead
ASKED = 30.0  # seconds between two questions for the time of a file system
SETTLE = 1.0  # seconds after which a second process that took over has written its line
SIZE = 512  # bytes of the line: it is rewritten in place
BEHIND = 1 << 30  # the byte that is locked: Windows lets nobody read what is
# What systems report for a file that another process has locked.
LOCKED = {errno.EAGAIN, errno.EWOULDBLOCK, errno.EACCES, errno.EDEADLK}


class Taken(InputError):  # noqa: N818  (said of a folder)
    """Another process trains in the folder."""


class Lost(InputError):  # noqa: N818  (said of a lock)
    """Another process has taken the lock over, while this one gave no sign of life."""


class Owner(NamedTuple):
    """What a lock says of its owner."""

    host: str
    pid: int
    since: str
    token: str
    told: dict[str, Any]

    @classmethod
    def read(cls, line: bytes) -> Owner | None:
        """From a line; None for anything else."""
        try:
            found = json.loads(line)
            host, pid, since, token = (found.pop(k) for k in ("host", "pid", "since", "token"))
        except (ValueError, TypeError, KeyError, AttributeError):
            return None
        told = all(isinstance(text, str) for text in (host, since, token)) and type(pid) is int
        return cls(host, pid, since, token, found) if told else None

    def line(self) -> bytes:
        """As it stands in the file."""
        who = {name: value for name, value in self._asdict().items() if name != "told"}
        texts = (json.dumps(who | told).encode() for told in (self.told, {}))
        return next(text for text in texts if len(text) < SIZE).ljust(SIZE - 1) + b"\n"


class Lock:
    """A lock that this process owns. `before` is what an owner that died had told in it."""

    def __init__(self, path: Path, file: BinaryIO, before: Owner | None) -> None:
        self.path = path
        self.before = {} if before is None else before.told
        self._file, self._lost = file, False
        since = datetime.now(UTC).isoformat(timespec="seconds")
        self._owner = Owner(_host(), os.getpid(), since, secrets.token_hex(8), {})
        self._signed, self._writing, self._end = time.time(), threading.Lock(), threading.Event()
        self._write()

    def tell(self, *, now: bool = False, **told: Any) -> None:
        """Say more with the next sign of life, or `now`."""
        self._owner = self._owner._replace(told=self._owner.told | told)
        if now:
            self._sign()

    def check(self) -> None:
        """Raises `Lost` where another process owns the lock by now."""
        if abs(time.time() - self._signed) > SILENT / 2:  # this process may have been suspended
            self._sign()
        if self._lost:
            raise Lost(
                f"{self.path.parent}: another process has taken it over, as this one gave no sign "
                "of life: was it suspended? It stops here"
            )

    def is_mine(self) -> bool:
        """Whether its file says so; also where that cannot be read."""
        try:
            with self.path.open("rb") as file:
                owner = Owner.read(file.read(SIZE))
        except FileNotFoundError:
            return False
        except OSError:
            return True
        return owner is not None and owner.token == self._owner.token

    def beat(self) -> None:
        """Give signs of life until the lock is released."""
        while not self._end.wait(BEAT):
            self._sign()

    def release(self) -> None:
        """Remove the file, if it is still this process's."""
        self._end.set()
        with self._writing:
            if os.name == "nt":  # where an open file cannot be removed
                self._file.close()
            if not self._lost and self.is_mine():
                with suppress(OSError):
                    patiently(os.unlink, self.path)
            self._file.close()

    def _sign(self) -> None:
        with self._writing:
            if self._end.is_set() or self._lost:
                return
            if self.is_mine():
                with suppress(OSError):
                    self._write()
                self._signed = time.time()
            else:
                self._lost = True

    def _write(self) -> None:
        self._file.seek(0)
        self._file.write(self._owner.line())
        with suppress(OSError):  # a file that cannot be synced
            os.fsync(self._file.fileno())  # else a mount keeps it from other hosts for a while


@contextmanager
def locked(path: Path, **told: Any) -> Iterator[Lock]:
    """Own the file within a `with`; its line says `told`, too.

    Raises `Taken` where another process owns it, and `OSError` where it cannot be written.
    """
    lock = _acquire(path)
    lock.tell(**told, now=bool(told))
    threading.Thread(target=lock.beat, name="signs of life", daemon=True).start()
    try:
        yield lock
    finally:
        lock.release()


def _acquire(path: Path) -> Lock:
    for attempt in range(100):
        file, fresh = _opened(path)
        by_system = _locked(file)
        owner = Owner.read(file.read(SIZE))
        if by_system is False:
            file.close()
            if attempt == 0:
                time.sleep(0.05)  # somebody may only be looking: `is_free`
                continue
            raise _taken(path, owner, None)
        ours = owner is not None and owner.host == _host()
        sure = fresh or (by_system is True and ours)
        if owner is not None and not sure and (age := silence(path)) < SILENT:
            file.close()
            raise _taken(path, owner, age)
        lock = Lock(path, file, owner)
        if not sure:
            time.sleep(SETTLE)
        if lock.is_mine():
            return lock
        file.close()  # its owner removed it after it was opened here, or another was faster
    raise _taken(path, None, None)


def _taken(path: Path, owner: Owner | None, age: float | None) -> Taken:
    if owner is None:
        return Taken(f"{path.parent}: another process is training in it")
    hint = ""
    if age is not None:
        hint = (
            f"; its last sign of life came {age:.0f} seconds ago, and {SILENT:.0f} seconds after "
            "the last one the folder is free"
        )
    return Taken(
        f"{path.parent}: process {owner.pid} on {owner.host} is training in it, since "
        f"{owner.since}{hint}"
    )


def _host() -> str:
    """The name of this machine, as much as fits the line even where each letter takes six bytes."""
    return socket.gethostname()[:50]


def _opened(path: Path) -> tuple[BinaryIO, bool]:
    """The file, and whether it was made here."""
    flags = os.O_RDWR | os.O_CREAT | getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0)
    try:
        return os.fdopen(os.open(path, flags | os.O_EXCL, 0o666), "r+b", buffering=0), True
    except FileExistsError:
        return os.fdopen(os.open(path, flags, 0o666), "r+b", buffering=0), False


def read_owner(path: Path) -> Owner | None:
    """Who owns the lock, or did when it died; None where that is not known."""
    try:
        with path.open("rb") as file:
            return Owner.read(file.read(SIZE))
    except OSError:
        return None


def is_free(path: Path) -> bool:
    """Whether no living process owns the lock."""
    try:
        file = path.open("r+b", buffering=0)
    except FileNotFoundError:
        return True
    except OSError:  # of somebody else
        return silence(path) >= SILENT
    with file:
        by_system = _locked(file)
        if by_system is False:
            return False
        owner = Owner.read(file.read(SIZE))
        if owner is None or (by_system is True and owner.host == _host()):
            return True
        return silence(path) >= SILENT


def silence(path: Path) -> float:
    """How many seconds ago a file was written, by the clock of its file system."""
    try:
        with path.open("rb") as file:  # opened: a mount then asks for the time anew
            written = os.fstat(file.fileno()).st_mtime
    except OSError:
        return 0.0
    return max(0.0, now_at(path.parent) - written)


def now_at(folder: Path) -> float:
    """The time by the clock of a folder's file system; this machine's where nothing may be made.

    It is asked for every `ASKED` seconds: each time takes a file.
    """
    device, now = folder.stat().st_dev, time.monotonic()
    if device not in _CLOCKS or now - _CLOCKS[device][0] > ASKED:
        path = folder / f".now-{secrets.token_hex(8)}{PART}"
        try:
            with path.open("wb", buffering=0) as file:
                file.write(b"\n")
                _CLOCKS[device] = now, os.fstat(file.fileno()).st_mtime
        except OSError:
            return time.time()
        finally:
            with suppress(OSError):
                path.unlink()
    then, told = _CLOCKS[device]
    return told + now - then


_CLOCKS: dict[int, tuple[float, float]] = {}  # of each file system: when it was asked, what it said


def _locked(file: BinaryIO) -> bool | None:
    """Lock the file until it is closed, or this process ends in any way.

    False where another process, or another place of this one, has it locked; None where the system
    has no locks for it.
    """
    try:
        try:
            fcntl: Any = importlib.import_module("fcntl")
        except ImportError:
            msvcrt: Any = importlib.import_module("msvcrt")
            file.seek(BEHIND)
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
            file.seek(0)
        else:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        file.seek(0)
        return False if error.errno in LOCKED else None
    return True
