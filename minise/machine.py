"""What the figures were measured on."""

from __future__ import annotations

import os
import platform
import re
import subprocess
from importlib import metadata
from pathlib import Path
from typing import TypeAlias

from minise import backend

Facts: TypeAlias = dict[str, str | int | float | None]

NVIDIA = Path("/proc/driver/nvidia/version")  # Linux: where its driver tells its version


def machine_facts(threads: int) -> Facts:
    """Processor, threads in use, load, and versions; None for what is not known or installed.

    With "cupy" in use also the GPU, its driver, and the newest CUDA that the driver knows.
    """
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
        **_gpu_facts(),
    }


def _gpu_facts() -> Facts:
    if backend.current() != "cupy":
        return dict.fromkeys(("gpu", "driver", "cuda_of_driver", "cuda", "cupy"))
    import cupy

    runtime = cupy.cuda.runtime
    return {
        "gpu": runtime.getDeviceProperties(cupy.cuda.Device().id)["name"].decode(),
        "driver": _driver(),
        "cuda_of_driver": _cuda_version(runtime.driverGetVersion()),
        "cuda": _cuda_version(runtime.runtimeGetVersion()),
        "cupy": cupy.__version__,
    }


def _driver() -> str | None:
    if not NVIDIA.exists():
        return None
    found = re.search(r"\s(\d+\.\d+[.\d]*)\s", NVIDIA.read_text(encoding="utf-8", errors="replace"))
    return found and found[1]


def _cuda_version(number: int) -> str:
    return f"{number // 1000}.{number % 1000 // 10}"


def processor() -> str:
    """Its name, as exactly as the system tells it."""
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        for line in cpuinfo.read_text(encoding="utf-8", errors="replace").splitlines():
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
