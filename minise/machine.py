"""What the figures were measured on."""

from __future__ import annotations

import os
import platform
import subprocess
from importlib import metadata
from pathlib import Path

from minise import backend


def cores() -> int:
    """The number of cores that this process may use, or `NUMBA_NUM_THREADS` where it is set."""
    if given := os.environ.get("NUMBA_NUM_THREADS"):
        return int(given)
    if hasattr(os, "sched_getaffinity"):  # Linux: a container may have been given some of them
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def machine_facts(threads: int) -> dict[str, str | int | float | None]:
    """Processor, threads in use, load, and versions; None for what is not known or installed."""
    return {
        "processor": processor(),
        "cores": os.cpu_count(),
        "threads": threads,
        "load": os.getloadavg()[0] if hasattr(os, "getloadavg") else None,  # of the last minute
        "system": platform.platform(terse=True),
        "python": platform.python_version(),
        "backend": backend.current(),
        **{
            package: _version(package)
            for package in ("minise", "numpy", "numba", "pillow", "torch")
        },
    }


def processor() -> str:
    """Its name, as exactly as the system tells it."""
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        for line in cpuinfo.read_text(errors="replace").splitlines():
            if line.startswith(("model name", "Model")):
                return line.partition(":")[2].strip()
    if platform.system() == "Darwin":
        done = subprocess.run(
            ["sysctl", "-n", "machdep.cpu.brand_string"], capture_output=True, text=True
        )
        if done.returncode == 0:
            return done.stdout.strip()
    return platform.processor() or platform.machine()


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None
