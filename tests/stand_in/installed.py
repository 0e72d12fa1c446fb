"""Puts the stand-in where `import cupy` finds it, and takes it away again."""

import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType

import pytest

STAND_IN = Path(__file__).parent

# Kernels run as fibres of POSIX, and their shared memory is a section of an ELF file.
needs_compiler = pytest.mark.skipif(
    sys.platform != "linux"
    or not (os.environ.get("CXX") or any(map(shutil.which, ("c++", "g++", "clang++")))),
    reason="the stand-in runs kernels on Linux, with a C++ compiler",
)


@contextmanager
def stand_in_as_cupy() -> Iterator[ModuleType]:
    """`cupy` is the stand-in in this block; a real CuPy, if there is one, is back behind it."""
    before = _modules()
    for name in before:
        del sys.modules[name]
    sys.path.insert(0, str(STAND_IN))
    try:
        import cupy

        yield cupy
    finally:
        sys.path.remove(str(STAND_IN))
        for name in _modules():
            del sys.modules[name]
        sys.modules.update(before)


def _modules() -> dict[str, ModuleType]:
    return {
        name: module
        for name, module in sys.modules.items()
        if name.partition(".")[0] in ("cupy", "cupyx")
    }
