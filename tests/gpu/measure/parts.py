"""The parts of the run, each in a process of its own, so that none can keep another from running.

A kernel that reaches beyond its arrays leaves a GPU's process useless; and what takes too long can
be stopped.
"""

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from gpu.measure import table
from gpu.measure.findings import Figure, read_findings

TESTS = Path(__file__).resolve().parents[2]
IN_ALL = 450.0  # seconds that all parts may take


class Part(NamedTuple):
    """`gpu.measure.<name>`, or a function in it."""

    name: str
    module: str
    about: str
    limit: float  # seconds, after which it is stopped on a GPU
    required: bool = True  # else to be stopped is no failure


PARTS = (
    Part("tests", "suite", "every test that knows the backend cupy", 200),
    Part("agreement", "agreement", "nets on GPU and processor, and twice the same", 100),
    Part("kernels", "kernels", "kernels against what the GPU can do at all", 60),
    Part("steps", "steps", "training steps beside PyTorch, memory, where the time goes", 120),
    Part("training", "training", "MNIST, from the command to the accuracy", 120),
    Part("memory", "memory", "memory does not grow", 60),
    Part("compiled", "compiled", "training steps beside torch.compile", 110, required=False),
)  # fmt: skip


class Outcome(NamedTuple):
    """How a part ended."""

    part: Part
    passed: bool
    how: str  # in a word or two
    seconds: float
    figures: list[Figure]
    wrong: list[str]


def run_all(device: int | None, quick: bool) -> int:
    """Run all parts, print and write the table; gives the exit status."""
    environment = _environment(device)
    facts = _facts(environment)
    if facts is None:
        return 1
    if facts["stand_in"] and not quick:
        print("This CuPy is the stand-in of the tests, for which every size is too large: --quick")
        return 1
    began, outcomes = time.monotonic(), []
    for number, part in enumerate(PARTS, start=1):
        left = IN_ALL - (time.monotonic() - began)
        limit = None if facts["stand_in"] else min(part.limit, left)  # it is as slow as its machine
        print(f"\n{number}/{len(PARTS)} {part.name}: {part.about}", flush=True)
        outcomes.append(_run(part, limit, quick, environment))
        print(f"  {outcomes[-1].how} after {outcomes[-1].seconds:.0f} seconds", flush=True)
    text = table.markdown(facts, outcomes, quick, time.monotonic() - began)
    Path("gpu-report.md").write_text(text, encoding="utf-8")
    print(f"\n{text}\nwritten to gpu-report.md")
    return 0 if all(outcome.passed for outcome in outcomes) else 1


def _environment(device: int | None) -> dict[str, str]:
    """Of all processes: the checkout's own code, the GPU that was asked for, float32 as it is."""
    paths = [str(TESTS.parent), str(TESTS), os.environ.get("PYTHONPATH", "")]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, paths))}
    environment |= {"CUPY_TF32": "0", "PYTHONUNBUFFERED": "1"}
    environment.pop("MINISE_BACKEND", None)  # each part says which it wants
    if device is not None:
        visible = [name for name in os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",") if name]
        # all processes see that one alone, and call it 0
        environment["CUDA_VISIBLE_DEVICES"] = (
            visible[device] if device < len(visible) else str(device)
        )
    return environment


def _facts(environment: dict[str, str]) -> dict | None:
    """What all this runs on; None where nothing can."""
    done = subprocess.run(
        _command("facts"), cwd=TESTS.parent, env=environment, stdout=subprocess.PIPE, text=True
    )
    if done.returncode:
        print("There is no GPU that minise can use here.")
        return None
    facts = json.loads(done.stdout.splitlines()[-1])
    print("\n".join(table.machine(facts)))
    return facts


def _run(part: Part, limit: float | None, quick: bool, environment: dict[str, str]) -> Outcome:
    if limit is not None and limit < 1:
        return Outcome(part, not part.required, "not run: no time was left", 0.0, [], [])
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "findings.json"
        process = subprocess.Popen(
            [*_command("part"), part.module, str(path), *["--quick"] * quick],
            cwd=TESTS.parent,
            env=environment,
            start_new_session=True,  # it is stopped with all that it started
        )
        try:
            status = process.wait(limit)
        except subprocess.TimeoutExpired:
            status = None
        finally:
            _stop(process)
        figures, wrong = read_findings(path)
    took = time.monotonic() - began
    if status is None:
        how = f"stopped after {limit:.0f} seconds"
        return Outcome(part, not part.required and not wrong, how, took, figures, wrong)
    if status and not wrong:
        wrong = [f"its process ended with {status}"]
    return Outcome(part, not wrong, "failed" if wrong else "passed", took, figures, wrong)


def _stop(process: subprocess.Popen) -> None:
    with suppress(ProcessLookupError, PermissionError):  # all of them have ended
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _command(module: str) -> list[str]:
    return [sys.executable, "-m", f"gpu.measure.{module}"]
