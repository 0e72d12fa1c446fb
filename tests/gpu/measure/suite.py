"""Every test of "each backend" with the backend cupy, and those of a GPU; several at a time."""

import os
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple
from xml.etree import ElementTree

from gpu.measure.findings import Findings

from minise.cores import cores

TESTS = Path(__file__).resolve().parents[2]
AT_ONCE = 4  # processes of pytest, which share the GPU

NOTHING_COLLECTED = 5  # pytest's exit status
NAMED = 5  # tests that failed, in the table; the others are in what is printed


class Count(NamedTuple):
    """What became of tests."""

    passed: int = 0
    skipped: int = 0
    failed: tuple[str, ...] = ()

    def __add__(self, other: "Count") -> "Count":  # type: ignore[override]
        return Count(*(a + b for a, b in zip(self, other, strict=True)))


def measure(found: Findings, quick: bool) -> None:
    files = [TESTS / "ops/test_scale.py"] if quick else of_each_backend()
    at_once = 1 if quick else max(1, min(AT_ONCE, cores() // 2))
    runs = [("-m", "gpu", *files[worker::at_once]) for worker in range(at_once)]
    _tell(found, "tests of each backend, on cupy", runs)
    if not quick:
        _tell(found, "tests/gpu/on_gpu", [("-m", "gpu", TESTS / "gpu" / "on_gpu")])


def of_each_backend() -> list[Path]:
    """All files with tests but those of tests/gpu; neighbours go to different processes."""
    return sorted(p for p in TESTS.rglob("test_*.py") if TESTS / "gpu" not in p.parents)


def _tell(found: Findings, what: str, runs: list[tuple]) -> None:
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(len(runs)) as pool:
        paths = [Path(folder) / f"{number}.xml" for number in range(len(runs))]
        count = sum(pool.map(_pytest, runs, paths), Count())
    found.figure(
        what, f"{count.passed} passed, {count.skipped} skipped, {len(count.failed)} failed"
    )
    for name in count.failed[:NAMED]:
        found.is_wrong(f"{name} failed")
    if count.failed[NAMED:]:
        found.is_wrong(f"{len(count.failed[NAMED:])} more tests failed")
    if not count.passed:
        found.is_wrong(f"no test of {what} has passed")


def _pytest(arguments: tuple, path: Path) -> Count:
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "--tb=short",
         f"--junitxml={path}", *map(str, arguments)],
        cwd=TESTS.parent,
        env=os.environ | {"HYPOTHESIS_PROFILE": "ci"},
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    if done.returncode == NOTHING_COLLECTED:
        return Count()
    if done.returncode:
        print(done.stdout, flush=True)
    if not path.exists():
        return Count(failed=(f"pytest ended with {done.returncode} and",))
    passed, skipped, failed = 0, 0, []
    for case in ElementTree.parse(path).iter("testcase"):
        if case.find("failure") is not None or case.find("error") is not None:
            failed.append(f"{case.get('classname')}::{case.get('name')}")
        elif case.find("skipped") is not None:
            skipped += 1
        else:
            passed += 1
    if done.returncode and not failed:
        failed.append(f"pytest ended with {done.returncode} and")
    return Count(passed, skipped, tuple(failed))
