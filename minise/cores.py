"""How many processors this process may use."""

from __future__ import annotations

import functools
import math
import os
from pathlib import Path

CGROUPS = Path("/sys/fs/cgroup")  # Linux: the limits of containers
OF_PROCESS = Path("/proc/self/cgroup")


def cores() -> int:
    """How many processors this process may use, or `NUMBA_NUM_THREADS` where it is set.

    Those of the machine that the affinity of the process allows, and no more than the share of time
    that a container was given: one with two processors' time on a machine of 64 has 2.
    """
    if given := os.environ.get("NUMBA_NUM_THREADS"):
        return max(1, int(given))
    if hasattr(os, "sched_getaffinity"):
        count = len(os.sched_getaffinity(0))
    else:
        count = os.cpu_count() or 1
    quota = _quota()
    return count if quota is None else max(1, min(count, math.ceil(quota)))


@functools.cache  # what it asks is in files, and kernels ask it in each call
def most_threads() -> int:
    """The largest number of threads that can be set: the processors of the machine."""
    return max(cores(), os.cpu_count() or 1)


def _quota() -> float | None:
    """The smallest share of time, in processors, of the cgroups that the process is in."""
    shares = [share for folder in _folders() if (share := _share_v2(folder) or _share_v1(folder))]
    return min(shares, default=None)


def _folders() -> list[Path]:
    """The cgroups of the process, each with those around it; in a container they begin at /."""
    folders = {CGROUPS, CGROUPS / "cpu"}
    for line in _text(OF_PROCESS).splitlines():
        _, controllers, path = line.split(":", 2)  # as in "4:cpu,cpuacct:/user" or "0::/user"
        if controllers in ("", "cpu", "cpu,cpuacct", "cpuacct,cpu"):
            group = CGROUPS / ("cpu" if controllers else "") / path.strip("/")
            folders |= {folder for folder in (group, *group.parents) if CGROUPS in folder.parents}
    return sorted(folders)


def _share_v2(folder: Path) -> float | None:
    quota, _, period = _text(folder / "cpu.max").partition(" ")  # "max 100000", "200000 100000"
    return _ratio(quota, period)


def _share_v1(folder: Path) -> float | None:
    return _ratio(_text(folder / "cpu.cfs_quota_us"), _text(folder / "cpu.cfs_period_us"))


def _ratio(quota: str, period: str) -> float | None:
    """None where there is no limit: "max", -1, or nothing to read."""
    try:
        share = int(quota) / int(period)
    except (ValueError, ZeroDivisionError):
        return None
    return share if share > 0 else None


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="surrogateescape")  # as names of files are
    except OSError:
        return ""
