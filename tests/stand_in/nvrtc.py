"""NVIDIA's own compiler for CUDA C, which needs no GPU: kernels are proved to be its language.

The library comes with the wheels `nvidia-cuda-nvrtc-cu12` (CUDA 12) or `nvidia-cuda-nvrtc`
(CUDA 13), or from an installed CUDA.
"""

from __future__ import annotations

import ctypes
import ctypes.util
import functools
import importlib.util
from collections.abc import Iterator, Sequence
from pathlib import Path


class NvrtcMissing(RuntimeError):  # noqa: N818
    """There is no libnvrtc on this machine."""


def compile_to_ptx(source: str, options: Sequence[str], name: str) -> str:
    """The assembly that NVRTC makes of the source; `name` stands for it in messages.

    Raises `NvrtcMissing` without the library, and `RuntimeError` with the compiler's words where
    the source is not CUDA C.
    """
    library = _library()
    program = ctypes.c_void_p()
    _check(
        library.nvrtcCreateProgram(
            ctypes.byref(program), source.encode(), name.encode(), 0, None, None
        )
    )
    try:
        given = (ctypes.c_char_p * len(options))(*(option.encode() for option in options))
        status = library.nvrtcCompileProgram(program, len(options), given)
        if status != 0:
            log = _text(library.nvrtcGetProgramLogSize, library.nvrtcGetProgramLog, program)
            raise RuntimeError(f"{_meaning(status)}\n{log}")
        return _text(library.nvrtcGetPTXSize, library.nvrtcGetPTX, program)
    finally:
        library.nvrtcDestroyProgram(ctypes.byref(program))


def version() -> tuple[int, int]:
    """The version of CUDA that the library belongs to."""
    major, minor = ctypes.c_int(), ctypes.c_int()
    _check(_library().nvrtcVersion(ctypes.byref(major), ctypes.byref(minor)))
    return major.value, minor.value


def _text(ask_size: ctypes._CFuncPtr, ask: ctypes._CFuncPtr, program: ctypes.c_void_p) -> str:
    size = ctypes.c_size_t()
    _check(ask_size(program, ctypes.byref(size)))
    text = ctypes.create_string_buffer(size.value)
    _check(ask(program, text))
    return text.value.decode()


def _check(status: int) -> None:
    if status != 0:
        raise RuntimeError(_meaning(status))


def _meaning(status: int) -> str:
    explain = _library().nvrtcGetErrorString
    explain.restype = ctypes.c_char_p
    return explain(status).decode()


@functools.cache
def _library() -> ctypes.CDLL:
    for place in _places():
        try:
            return ctypes.CDLL(place)
        except OSError:
            continue
    raise NvrtcMissing("no libnvrtc found: pip install nvidia-cuda-nvrtc-cu12")


def _places() -> Iterator[str]:
    nvidia = importlib.util.find_spec("nvidia")  # a folder that several wheels share
    for folder in (nvidia and nvidia.submodule_search_locations) or ():
        for pattern in ("cuda_nvrtc/lib/libnvrtc.so.*", "cu*/lib/libnvrtc.so.*"):
            yield from map(str, sorted(Path(folder).glob(pattern)))
        for pattern in ("cuda_nvrtc/bin/nvrtc64_*_0.dll", "cu*/bin/**/nvrtc64_*_0.dll"):
            yield from map(str, sorted(Path(folder).glob(pattern)))
    if found := ctypes.util.find_library("nvrtc"):
        yield found
