"""What the last bits of a result depend on, besides the configuration of the run.

Anyone may have changed minise, so its version alone says little: a digest of its sources says
whether a run continues with the same kernels.
"""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from minise.cores import cores
from minise.machine import machine_facts

ROOM = Path(__file__).parents[1]
KINDS = {".py", ".cu", ".cuh"}
ASIDE = {
    "bench",
    "cli",
    "export",
    "gradcheck",
    "inspect",
    "play",
    "sweep",
}  # packages that no training uses
MOST = 6  # features in a line

# What is compared, and its name in messages.
NAMES = {
    "processor": "the processor",
    "target": "what Numba compiles for",
    "features": "the processor's features",
    "python": "Python",
    "minise": "minise",
    "sources": "the digest of minise's sources",
    "backend": "the backend",
    "numpy": "NumPy",
    "numba": "Numba",
    "pillow": "Pillow",
    "gpu": "the GPU",
    "cuda": "CUDA",
    "cupy": "CuPy",
}


def versions() -> dict[str, Any]:
    """The versions by the keys of `NAMES`; None for what is not in use."""
    facts: dict[str, Any] = {**machine_facts(cores()), "sources": sources()}
    if facts["backend"] == "numba":
        facts |= _compiled_for()
    return {what: facts.get(what) for what in NAMES}


def differences(then: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """What has changed, and what `then`, from an older minise, does not record."""
    untold = [name for what, name in NAMES.items() if what not in then]
    return [
        _difference(what, then[what], now[what])
        for what in NAMES
        if what in then and then[what] != now[what]
    ] + ([f"the checkpoint does not record {', '.join(untold)}"] if untold else [])


def _difference(what: str, then: Any, now: Any) -> str:
    if what == "features" and isinstance(then, str) and isinstance(now, str):
        before, after = set(then.split()), set(now.split())
        changes = [
            *(f"without {name}" for name in sorted(before - after)),
            *(f"with {name}" for name in sorted(after - before)),
        ]
        more = f" and {len(changes) - MOST} more" if len(changes) > MOST else ""
        return f"{NAMES[what]} are now {', '.join(changes[:MOST])}{more}"
    return f"{NAMES[what]} was {then}, is now {now}"


@functools.cache
def sources() -> str | None:
    """A digest of all sources of minise but those in `ASIDE`; None where they are not files."""
    paths = [
        path
        for path in sorted(ROOM.rglob("*"))
        if path.suffix in KINDS and path.relative_to(ROOM).parts[0] not in ASIDE
    ]
    digest = hashlib.sha256()
    for path in paths:
        text = path.read_bytes().replace(b"\r\n", b"\n")  # as Git may have it on Windows
        name = path.relative_to(ROOM).as_posix()
        digest.update(f"{name}\0{len(text)}\0".encode() + text)
    return digest.hexdigest()[:16] if paths else None


def _compiled_for() -> dict[str, str]:
    """The processor that Numba compiles for, and its features, found without compiling."""
    from llvmlite import binding
    from numba import config
    from numba.core import codegen

    settings: Any = config
    target: Any = codegen
    features = settings.CPU_FEATURES
    features = target.get_host_cpu_features() if features is None else features
    able = sorted(name[1:] for name in features.split(",") if name.startswith("+"))
    return {
        "target": settings.CPU_NAME or binding.get_host_cpu_name(),
        "features": " ".join(able),
    }
