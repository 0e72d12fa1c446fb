"""Compiled kernels on disk: a file for each kernel and signature, checked before it is used.

Numba's own cache trusts what it reads: a file cut short by a full disk ends a training with
`EOFError`, machine code with a changed byte ends the process, and two processes that write at once
can give each other's code to the wrong signature. Here a file begins with a digest of what it is
for and of all that follows. If the digest is wrong, the kernel is compiled again, and the file
replaced. This guards against accidents; whoever can write to the folder is still trusted.
"""

from __future__ import annotations

import functools
import hashlib
import os
import pickle
import uuid
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import numba
from numba.core.caching import FunctionCache
from numba.core.serialize import dumps

Function = TypeVar("Function", bound=Callable[..., Any])

DIGEST = 16  # bytes
# Files that every kernel is made from, besides its own.
SHARED = ("atomic.py", "compile.py", "exponential.py", "lanes.py", "tasks.py", "tiles.py")

# The parts of Numba's internals that are relied on. A later Numba where they differ caches kernels
# in its own way, unchecked.
_KNOWN = all(
    callable(getattr(FunctionCache, name, None))
    for name in ("_load_overload", "_save_overload", "_index_key", "save_overload")
)

_told = False


def kept(function: Function) -> Function:
    """A compiled function, kept on disk; where that is impossible, say so once."""
    loop: Any = function
    if not hasattr(loop, "enable_caching"):  # NUMBA_DISABLE_JIT
        return function
    try:
        loop.enable_caching()
        if _KNOWN and isinstance(getattr(loop, "_cache", None), FunctionCache):
            loop._cache = KernelCache(loop.py_func)
    except RuntimeError as error:  # Numba found no folder that it can write to
        _tell(str(error))
    return function


class KernelCache(FunctionCache):
    """Where the compiled signatures of one function are kept."""

    def __init__(self, function: Any) -> None:
        super().__init__(function)
        # as it is now: what will be compiled is what was imported, even if the file is edited since
        stamp = self._impl.locator.get_source_stamp()
        self._made_of = (numba.__version__, stamp, _shared_sources())

    def holds(self, signature: Any, context: Any) -> bool:
        """Whether there is a file of it that is right."""
        return self._payload(self._index_key(signature, context.codegen())) is not None

    def _load_overload(self, signature: Any, context: Any) -> Any:
        payload = self._payload(self._index_key(signature, context.codegen()))
        if payload is None:
            return None
        try:
            return self._impl.rebuild(context, pickle.loads(payload))  # noqa: S301  (our own)
        except Exception:  # of any kind: compiling it again puts it right
            return None

    def save_overload(self, signature: Any, result: Any) -> None:
        try:
            super().save_overload(signature, result)
        except OSError as error:  # the disk is full, or the folder has gone: nothing else is lost
            reason = error.strerror or error
            if not self.holds(signature, result.target_context):  # nor has another process kept it
                _tell(f"compiled kernels cannot be kept in {self.cache_path} ({reason})")

    def _save_overload(self, signature: Any, result: Any) -> None:
        if not self._impl.check_cachable(result):
            return
        self._impl.locator.ensure_cache_path()
        key = self._index_key(signature, result.codegen)
        payload = dumps(self._impl.reduce(result))
        path = self._path(key)
        part = path.with_name(f"{path.name}.{uuid.uuid4().hex[:8]}.part")
        try:
            part.write_bytes(self._digest(key, payload) + payload)
            part.replace(path)
        finally:
            part.unlink(missing_ok=True)

    def _payload(self, key: Any) -> bytes | None:
        try:
            content = self._path(key).read_bytes()
        except OSError:
            return None
        digest, payload = content[:DIGEST], content[DIGEST:]
        return payload if digest == self._digest(key, payload) else None

    def _path(self, key: Any) -> Path:
        signature, machine, _ = key
        name = hashlib.blake2b(repr((signature, machine)).encode(), digest_size=8).hexdigest()
        return Path(self.cache_path, f"{self._impl.filename_base}.{name}.nbc")

    def _digest(self, key: Any, payload: bytes) -> bytes:
        """Of the payload, and of all that it depends on."""
        depends_on = repr((self._made_of, key)).encode()
        return hashlib.blake2b(depends_on + payload, digest_size=DIGEST).digest()


@functools.cache
def _shared_sources() -> str:
    folder = Path(__file__).parent
    digest = hashlib.blake2b()
    for name in SHARED:
        try:
            digest.update((folder / name).read_bytes())
        except OSError:  # imported from an archive
            digest.update(os.fsencode(name))
    return digest.hexdigest()


def _tell(what: str) -> None:
    global _told
    if not _told:
        _told = True
        warnings.warn(
            f"{what}; kernels are compiled again in each process "
            "(set NUMBA_CACHE_DIR to a writable folder)",
            RuntimeWarning,
            stacklevel=2,
        )
