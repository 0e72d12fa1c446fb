"""What the figures were measured on."""

from __future__ import annotations

import functools
import os
import platform
import subprocess
from importlib import metadata
from pathlib import Path

from minise import backend
from minise.version import __version__
from minise.work import Facts


def machine_facts(threads: int) -> Facts:
    """Processor, threads in use, load, and versions; None for what is not known or installed.

    Where a GPU is in use, also the GPU, its driver, and the newest CUDA that the driver supports.
    """
    return {
        "processor": processor(),
        "cores": os.cpu_count(),
        "threads": threads,
        "load": os.getloadavg()[0] if hasattr(os, "getloadavg") else None,  # of the last minute
        "system": platform.platform(terse=True),
        "python": platform.python_version(),
        "backend": backend.current().name,
        "minise": __version__,
        **{package: _version(package) for package in ("numpy", "numba", "pillow", "torch")},
        **backend.current().facts(),
    }


def processor() -> str:
    """The name of the processor, as precisely as the system reports it."""
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        for line in cpuinfo.read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith(("model name", "Model")):
                return line.partition(":")[2].strip()
    if platform.system() == "Darwin":
        done = subprocess.run(
            ["sysctl", "-n", "machdep.cpu.brand_string"], capture_output=True, encoding="utf-8"
        )
        if done.returncode == 0:
            return done.stdout.strip()
    return platform.processor() or platform.machine()


@functools.cache  # a search in all folders of packages
def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None
