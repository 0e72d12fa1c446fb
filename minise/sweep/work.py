"""What a worker does with a point: train it in its folder, unless another process does so."""

from __future__ import annotations

import functools
import json
import time
import traceback
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from minise import backend, data, inspect, train
from minise.errors import InputError
from minise.files import write_whole
from minise.machine import machine_facts
from minise.runs.config import dataset_of, fingerprint, training_of
from minise.runs.environment import versions
from minise.runs.folder import Taken, claimed
from minise.runs.run import BEST, CHECKPOINT, Run, load_checkpoint
from minise.sweep.point import FAILED, RESULT, Point, State
from minise.train.history import Epoch, Step
from minise.train.watcher import Watcher

STOP = ".stop"  # a file in the folder of a sweep that asks all its workers to stop
GATED = 2_000  # test images whose gates are described


class StopRequestedError(Exception):
    """Somebody asked the sweep to stop."""


def train_point(point: Point, sweep: Path) -> State:
    """Train the point to its end, from its checkpoint if it has one; returns how far it is.

    Whatever goes wrong in the training is written into its folder: nothing is raised.
    """
    folder = sweep / point.name
    try:
        with claimed(folder, point.config.model, resumed=True):
            if point.state(sweep) in (State.DONE, State.FAILED):
                return point.state(sweep)
            try:
                _train(point, folder, sweep)
            except StopRequestedError:
                return State.STOPPED
            except Exception as error:  # a point that fails stops no other
                _write_failure(folder, error)
                return State.FAILED
            return State.DONE
    except Taken:
        return State.RUNNING


def _train(point: Point, folder: Path, sweep: Path) -> None:
    backend.set_num_threads(1)
    dataset = dataset_of(point.config)
    if (found := fingerprint_of(point.config.data)) != point.images:
        raise InputError(
            f"{point.config.data}: this worker has other images ({found}) than the sweep was "
            f"started with ({point.images})"
        )
    training = training_of(point.config, dataset)
    stopped = load_checkpoint(folder) if (folder / CHECKPOINT).exists() else None
    if stopped is None:
        _empty(folder)
    else:
        stopped.check(dataset)
        stopped.restore(training)
    run = Run(folder, training, point.config, resumed=True)
    if stopped is None:
        run.keep()
    training.run(watchers=[run, _Stop(run, sweep)])
    if training.history.interrupted:
        run.keep()
        raise StopRequestedError
    write_whole(folder / RESULT, _result(point, training))
    for name in (CHECKPOINT, BEST):  # nothing will be resumed
        with suppress(OSError):
            (folder / name).unlink()


def _empty(folder: Path) -> None:
    """Remove what a process left that was killed before its first checkpoint."""
    for path in folder.iterdir():
        if path.is_file() and not path.name.startswith("."):
            path.unlink()


class _Stop(Watcher):
    """Ends the training between two steps where somebody asked for it."""

    def __init__(self, run: Run, sweep: Path) -> None:
        self.run, self.file, self.looked = run, sweep / STOP, 0.0

    def on_step(self, step: Step) -> None:
        now = time.monotonic()
        if now - self.looked < 0.2:
            return
        self.looked = now
        if self.file.exists():
            self.run.keep()
            raise StopRequestedError

    def on_epoch(self, epoch: Epoch) -> None:
        pass


def _result(point: Point, training: train.Training) -> bytes:
    """What was found, as JSON; the last file of a point to be written."""
    last = training.history[-1]
    test = training.data.test
    found: dict[str, Any] = {
        "config": point.config._asdict(),
        "images": point.images,
        "test_accuracy": last.test_accuracy,
        "test_loss": last.test_loss,
        "test_images": len(test.labels),
        "train_accuracy": last.accuracy,
        "parameters": sum(p.value.size for p in training.net.parameters()),
        "seconds": round(sum(epoch.seconds for epoch in training.history), 2),
        "gates": _gates(training),
        "finished": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": machine_facts(1) | versions(),
    }
    return (json.dumps(found, indent=1) + "\n").encode()


def _gates(training: train.Training) -> dict[str, dict[str, float]]:
    """Of each block with gates for channels: their deviation over classes, and dead hidden units.

    They are those of the first test images.
    """
    net, test = training.net, training.data.test
    if not any(layer.gates_channels for _, layer in net.named_layers()):
        return {}
    x = data.to_input(test.images[:GATED], training.mean, training.std)
    dead = inspect.dead_units(net, x)
    found = {}
    for name, s in inspect.gates(net, x).items():
        of_class = inspect.by_class(s, test.labels[:GATED])
        found[name] = {
            "mean": float(s.mean()),
            "between_classes": float(np.nanstd(of_class.mean, axis=0).mean()),
            "within_class": float(np.nanmean(of_class.deviation)),
        }
        if name in dead:
            found[name] |= {"hidden": len(dead[name]), "dead": int(dead[name].sum())}
    return found


def _write_failure(folder: Path, error: Exception) -> None:
    known = isinstance(error, InputError)
    found = {
        "error": str(error) if known else f"{type(error).__name__}: {error}",
        "traceback": None if known else traceback.format_exc(),
        "time": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": machine_facts(1),
    }
    write_whole(folder / FAILED, (json.dumps(found, indent=1) + "\n").encode())


@functools.lru_cache(maxsize=4)
def fingerprint_of(source: str) -> str:
    """A number that changes with any image or label of `data.load(source)`."""
    dataset = data.load(source)
    test = dataset._replace(train=dataset.test)
    return f"{fingerprint(dataset)}{fingerprint(test)}"
