"""Compiles kernels for the processor, and keeps what was compiled for other processes."""

from __future__ import annotations

import ctypes
import functools
import hashlib
import os
import re
import shlex
import shutil
import subprocess
import tempfile
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cupy._kernels import source
from cupy.cuda.compiler import CompileException

FLAGS = [
    "-std=c++17",
    "-O1",
    "-fPIC",
    "-shared",
    "-fvisibility=hidden",
    "-fno-strict-aliasing",
    "-ffp-contract=off",
    "-U_FORTIFY_SOURCE",
    "-w",
    "-x",
    "c++",
]
# What NVRTC takes and what makes no difference here.
WITHOUT_EFFECT = re.compile(
    "-+(std=|use_fast_math|fmad=|ftz=|prec-sqrt=|prec-div=|lineinfo|generate-line-info|restrict|"
    "device-debug|maxrregcount=|extra-device-vectorization|dopt)"
)
NOT_IN_NVRTC = {
    "INFINITY": "__int_as_float(0x7f800000)",
    "NAN": "__int_as_float(0x7fffffff)",
    "FLT_MAX": "3.402823466e+38f",
    "DBL_MAX": "1.7976931348623157e+308",
    "M_PI": "3.14159265358979323846",
    "int64_t": "long long",
    "uint64_t": "unsigned long long",
    "int32_t": "int",
    "uint32_t": "unsigned",
    "uint8_t": "unsigned char",
}
HERE = Path(__file__).parent


@dataclass(frozen=True)
class Kernel:
    """A compiled kernel: its number in the library, and a word for the type of each parameter."""

    name: str
    number: int
    parameters: tuple[source.Parameter, ...]
    words: tuple[str, ...]
    most_threads: int
    static_shared: int
    library: ctypes.PyDLL


def build(code: str, options: Sequence[str], name: str = "kernels.cu") -> dict[str, Kernel]:
    """Compile a source; its kernels by name.

    Raises `CompileException` with the compiler's words, and `RuntimeError` without a compiler.
    """
    try:
        macros = _macros(options)
        read = source.read(code)
    except ValueError as error:
        raise CompileException(str(error), code, name, tuple(options), "nvrtc") from None
    text = _whole(read, macros, name)
    compiler = _compiler()
    key = hashlib.sha256("\0".join([text, *compiler, *FLAGS]).encode()).hexdigest()[:32]
    library = _folder() / f"{key}.so"
    if not library.exists():
        log = _compile(compiler, text, library)
        if log:
            for word, instead in NOT_IN_NVRTC.items():
                if f"'{word}' was not declared" in log or f"'{word}' does not name" in log:
                    log += f"\n{word} is not known to NVRTC: write {instead}"
            raise CompileException(log, code, name, tuple(options), "nvrtc")
    return _load(library, read)


def _macros(options: Sequence[str]) -> dict[str, str]:
    if isinstance(options, str) or not all(isinstance(option, str) for option in options):
        raise TypeError("options must be a tuple of str")
    macros = {}
    for option in options:
        if option.startswith("-D") or option.startswith("--define-macro="):
            definition = option.removeprefix("-D").removeprefix("--define-macro=")
            macro, _, value = definition.partition("=")
            if macro == "T":
                raise ValueError("error: NVRTC's own header has a T: give the macro another name")
            macros[macro] = value if "=" in definition else "1"
        elif not WITHOUT_EFFECT.match(option):
            raise ValueError(f"nvrtc: error: unrecognized option {option} found")
    return macros


def _whole(read: source.Source, macros: dict[str, str], name: str) -> str:
    """Everything in one text: what CUDA has, the kernels, and what runs them."""
    lines = [(HERE / "cuda_on_host.h").read_text()]
    lines += [f"#define {macro} {value}" for macro, value in macros.items()]
    # Without a name, so that templates stay in this file; in a namespace of their own, so that
    # a kernel may have any name.
    lines += ["namespace around_kernels { using namespace cuda_on_host;"]
    lines += ["namespace kernels { namespace {", f'#line 1 "{name}"', read.text]
    lines += ['#line 1 "around the kernels"']
    for kernel in read.kernels:
        lines.append(f"constexpr unsigned most_threads_of_{kernel.name} = ({kernel.most_threads});")
    lines += ["}}}  // namespaces"]
    # The kernels' macros must not change the headers of the system.
    lines += [f"#undef {macro}" for macro in (*macros, *read.macros)]
    lines.append((HERE / "cuda_threads.h").read_text())
    for name in ("functions", *(kernel.name for kernel in read.kernels)):
        edges = f"__start_shared_of_{name}[], __stop_shared_of_{name}[]"
        lines.append(f'extern "C" __attribute__((weak, visibility("hidden"))) char {edges};')
    lines.append("namespace cuda_on_host {\nnamespace given = around_kernels::kernels;")
    lines.append("static const Kernel kernels[] = {")
    for kernel in read.kernels:
        lines.append(
            f'{{"{kernel.name}", &thread<given::{kernel.name}>, &describe<given::{kernel.name}>, '
            f"{str(kernel.waits).lower()}, given::most_threads_of_{kernel.name}, "
            f"__start_shared_of_{kernel.name}, __stop_shared_of_{kernel.name}, "
            "__start_shared_of_functions, __stop_shared_of_functions},"
        )
    lines.append("};\n}  // namespace cuda_on_host")
    for result, function, parameters, value in (
        ("const char*", "cuda_parameters", "int k", "(kernels[k].describe(), cuda_on_host::words)"),
        ("unsigned", "cuda_most_threads", "int k", "kernels[k].most_threads"),
        ("unsigned", "cuda_static_shared", "int k", "cuda_on_host::static_shared(kernels[k])"),
        (
            "const char*",
            "cuda_run",
            "int k, const unsigned* sizes, unsigned dynamic, void** given, int descending",
            "cuda_on_host::run(kernels[k], sizes, dynamic, given, descending)",
        ),
    ):
        value = value.replace("kernels[", "cuda_on_host::kernels[")
        lines.append(
            f'extern "C" __attribute__((visibility("default"))) {result} {function}({parameters}) '
            f"{{ return {value}; }}"
        )
    return "\n".join(lines) + "\n"


@functools.cache
def _compiler() -> tuple[str, ...]:
    given = os.environ.get("CXX")
    names = [shlex.split(given)] if given else [["c++"], ["g++"], ["clang++"]]
    for name, *arguments in names:
        if path := shutil.which(name):
            stamp = os.stat(path)
            # The last word tells one version of the compiler from the next.
            return path, *arguments, f"-DCOMPILER_OF_{stamp.st_size}_{int(stamp.st_mtime)}"
    raise RuntimeError(
        "the stand-in for CuPy compiles CUDA kernels for the processor and needs a C++ compiler: "
        f"g++ or clang++, on the PATH or named by CXX (looked for {names[0][0]})"
    )


def _folder() -> Path:
    """A folder of this user alone: what lies in it is loaded and run."""
    user = getattr(os, "getuid", lambda: 0)()
    folder = Path(tempfile.gettempdir()) / f"cupy-stand-in-{user}"
    folder.mkdir(mode=0o700, exist_ok=True)
    if hasattr(os, "getuid") and folder.stat().st_uid != user:
        raise RuntimeError(f"{folder} belongs to another user")
    return folder


def _compile(compiler: tuple[str, ...], text: str, library: Path) -> str:
    """The compiler's words, where it did not succeed. Several may do this at once."""
    beside = library.with_suffix(f".{uuid.uuid4().hex}")
    done = subprocess.run(
        [*compiler, *FLAGS, "-", "-o", beside, "-lm"],
        input=text,
        capture_output=True,
        text=True,
        env={**os.environ, "LC_ALL": "C"},
    )
    if done.returncode != 0:
        return done.stderr or f"the compiler ended with {done.returncode}"
    beside.replace(library)
    return ""


@functools.cache
def _library(path: Path) -> ctypes.PyDLL:
    # One that keeps Python's lock: two threads must not run kernels of one library at once.
    library = ctypes.PyDLL(str(path))
    library.cuda_parameters.restype = ctypes.c_char_p
    library.cuda_run.restype = ctypes.c_char_p
    library.cuda_most_threads.restype = library.cuda_static_shared.restype = ctypes.c_uint
    return library


def _load(path: Path, read: source.Source) -> dict[str, Kernel]:
    library = _library(path)
    return {
        kernel.name: Kernel(
            kernel.name,
            number,
            kernel.parameters,
            tuple(library.cuda_parameters(number).decode().split()),
            library.cuda_most_threads(number),
            library.cuda_static_shared(number),
            library,
        )
        for number, kernel in enumerate(read.kernels)
    }
