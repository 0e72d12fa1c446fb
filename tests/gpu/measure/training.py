"""Trainings as people start them: an epoch of MNIST, and how long it takes to 99 %."""

import json
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from gpu.measure.agreement import some_digits
from gpu.measure.findings import Findings, seconds

from minise import InputError, data

GOAL = 0.99
EVERY = 0.02  # seconds between two looks at what a run has written


class Ended(NamedTuple):
    """What a run wrote, and when it was first as good as was asked for."""

    epochs: list[dict[str, Any]]
    reached_after: float | None
    seconds: float
    status: int


class Options(NamedTuple):
    """Of `minise train`, and what to call them in the table."""

    what: str
    given: tuple[str, ...]


def measure(found: Findings, quick: bool) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        source = _few(folder) if quick else _images(found)
        digits, goal = ("a few digits", 0.0) if quick else (source, GOAL)
        small = ("--model", "cnn", "--batch-size", "8") if quick else ()
        resnet = ("--model", "se-resnet8", "--data", source, *small)
        recipe = ("--recipe", "record-minute", "--data", source, "--test-each-epoch", *small)
        one = Options(f"an epoch of se-resnet8 on {digits}", (*resnet, "--epochs", "1"))
        _tell_epoch(found, one, folder / "epoch")
        for options in (
            Options(f"recipe record-minute on {digits}", recipe),
            Options(f"se-resnet8 on {digits}, 3 epochs", (*resnet, "--epochs", "3")),
        ):
            _tell_time(found, options, goal, folder / options.what)


def _images(found: Findings) -> str:
    try:
        data.load("mnist")
    except InputError as error:
        found.note(f"the sample of 12,000 digits in place of MNIST: {error}")
        return "sample"
    return "mnist"


def _few(folder: Path) -> str:
    digits, path = some_digits(24, tested=8), folder / "few.npz"
    arrays = {f"x_{k}": getattr(digits, k).images for k in ("train", "test")}
    labels = {f"y_{k}": getattr(digits, k).labels for k in ("train", "test")}
    np.savez(path, **arrays, **labels)
    return str(path)


def _tell_epoch(found: Findings, options: Options, folder: Path) -> None:
    run = _train(options, folder, goal=None)
    if run.status or not run.epochs:
        found.is_wrong(f"{options.what}: minise train ended with {run.status}")
        return
    (epoch,) = run.epochs
    speed, accuracy = epoch["images_per_second"], epoch["test_accuracy"]
    found.figure(
        options.what,
        f"{seconds(epoch['seconds'])}, {speed:,.0f} images/s, {accuracy:.2%} of test images; "
        f"{seconds(run.seconds)} from the command to its end",
    )


def _tell_time(found: Findings, options: Options, goal: float, folder: Path) -> None:
    run = _train(options, folder, goal)
    if run.reached_after is not None:
        measured = f"{seconds(run.reached_after)} from the command, in epoch {len(run.epochs)}"
    elif run.status:
        found.is_wrong(f"{options.what}: minise train ended with {run.status}")
        return
    else:
        best = max((epoch["test_accuracy"] for epoch in run.epochs), default=0.0)
        measured = f"not reached: {best:.2%} after {seconds(run.seconds)}"
    found.figure(f"{options.what}: time to {goal:.0%} of test images", measured)


def _train(options: Options, folder: Path, goal: float | None) -> Ended:
    """A process of `minise train`; it is stopped when its tests have been as good as the goal."""
    command = [sys.executable, "-m", "minise", "train", "--backend", "cupy", "--out", str(folder)]
    began = time.monotonic()
    process = subprocess.Popen([*command, *options.given], stdout=subprocess.DEVNULL)
    while True:
        ended = process.poll() is not None
        epochs = _metrics(folder)  # read behind that, so that nothing is missed
        reached = goal is not None and any(e["test_accuracy"] >= goal for e in epochs)
        if ended or reached:
            break
        time.sleep(EVERY)
    took = time.monotonic() - began
    if reached:
        process.send_signal(signal.SIGTERM)
    return Ended(epochs, took if reached else None, took, process.wait())


def _metrics(folder: Path) -> list[dict[str, Any]]:
    path = folder / "metrics.jsonl"
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
