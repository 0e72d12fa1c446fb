"""What a worker does with a point: train it in its folder, unless another process does so."""

from __future__ import annotations

import json
import os
import socket
import threading
import time
import traceback
import warnings
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from minise import backend, data, inspect, train
from minise.errors import InputError
from minise.files import WriteError, write_whole
from minise.machine import machine_facts
from minise.runs.config import dataset_of, training_of
from minise.runs.environment import versions
from minise.runs.folder import Claim, Signs, claimed
from minise.runs.lock import Lost, Taken, read_owner
from minise.runs.run import BEST, CHECKPOINT, Every, Run, Stopped, load_checkpoint
from minise.sweep.images import loaded
from minise.sweep.point import FAILED, RESULT, Point, State
from minise.train.history import Epoch, Step
from minise.train.watcher import Watcher

GATED = 2_000  # test images whose gates are described
LOOK = 0.2  # seconds between two looks whether to stop
MOST = 5  # times that a process may die in succession at the same place of a point
DIFFERENCES = "differences"  # the name, in a checkpoint, of what changed when the point was resumed
ORPHANED = threading.Event()  # set where this process has lost the one that started it


class StopRequestedError(Exception):
    """Somebody asked the sweep to stop."""


class Work(NamedTuple):
    """What the process that runs a sweep asks of its workers. Call it with a point.

    `driver` is the name of that process's lock in the folder of the sweep. It is there as long as
    the process runs, and says whether workers are to stop.
    """

    sweep: Path
    driver: str
    every: Every = Every(1, "minute")

    def __call__(self, point: Point) -> str | None:
        """Have the point trained. Its folder says how that went.

        Where nothing can be said there, returns why: the worker finds other images or another
        folder than the sweep has, or cannot write into it.
        """
        try:
            train_point(point, self)
        except (InputError, OSError) as error:
            return f"{error} (in process {os.getpid()} on {socket.gethostname()})"
        return None

    @property
    def stopped(self) -> bool:
        """Whether workers are to stop."""
        path = self.sweep / self.driver
        owner = read_owner(path)
        asked = not path.exists() if owner is None else bool(owner.told.get("stop"))
        return asked or ORPHANED.is_set()


def train_point(point: Point, work: Work) -> State:
    """Train the point to its end, from its checkpoint if it has one; returns how far it is.

    Whatever goes wrong in the training is written into its folder. Raises `InputError` where that
    says nothing about the point: see `Work`.
    """
    sweep, folder = work.sweep, work.sweep / point.name
    if not (sweep / work.driver).exists():
        raise InputError(
            f"{sweep.absolute()}: not the folder of the sweep, or the sweep has ended: all workers "
            "need the same folder, on a disk that they share"
        )
    if work.stopped:
        return State.STOPPED
    if point.state(sweep) is State.FAILED:
        return State.FAILED
    try:
        folder.mkdir(exist_ok=True)
        with claimed(folder, point.config.model, resumed=True) as claim:
            return _claimed(point, work, claim)
    except (Taken, Lost):
        return State.RUNNING


def _claimed(point: Point, work: Work, claim: Claim) -> State:
    folder, before = claim.folder, claim.lock.before
    claim.lock.tell(tries=_count(before, "tries") + 1, step=_count(before, "step"), now=True)
    if (folder / RESULT).exists() or (folder / FAILED).exists():
        _clean(folder)
        return point.state(work.sweep)
    found = loaded(point.config.data)[1].fingerprint  # of those that it will learn from
    if found != point.images:
        raise InputError(
            f"{point.config.data}: the images here ({found}) are not those that the sweep was "
            f"started with ({point.images})"
        )
    try:
        with backend.using_num_threads(1):
            _train(point, work, claim)
    except StopRequestedError:
        return State.STOPPED
    except (Lost, WriteError):
        raise
    except Exception as error:  # a point that fails stops no other
        claim.lock.check()
        _write_failure(point, folder, error)
        return State.FAILED
    return State.DONE


def _count(told: dict[str, Any], name: str) -> int:
    value = told.get(name)
    return value if isinstance(value, int) else 0


def _train(point: Point, work: Work, claim: Claim) -> None:
    folder, lock = claim
    dataset = dataset_of(point.config, lambda source: loaded(source)[0])
    training = training_of(point.config, dataset)
    stopped = _checkpoint(point, folder)
    differences: list[str] = []
    if stopped is None:
        _empty(folder)
    else:
        told = json.loads(stopped.state.metadata.get(DIFFERENCES, "[]"))
        differences = list(dict.fromkeys([*told, *stopped.check(dataset)]))
        stopped.restore(training)
    _count_tries(claim, training)
    if work.stopped:  # all this may have taken a while
        raise StopRequestedError
    run = Run(
        folder,
        training,
        point.config,
        every=work.every,
        resumed=True,
        notes={DIFFERENCES: json.dumps(differences)} if differences else {},
    )
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always", RuntimeWarning)
        training.run(watchers=[Signs(lock, training), run, _Stop(run, work)])
    lock.check()
    if training.history.interrupted:
        run.keep()
        raise StopRequestedError
    found = _result(point, training)
    if differences:
        found["resumed_with_differences"] = differences
    if told := [str(each.message) for each in warned if each.category is RuntimeWarning]:
        found["warnings"] = told
    lock.check()
    write_whole(folder / RESULT, (json.dumps(found, indent=1) + "\n").encode())
    _clean(folder)


def _checkpoint(point: Point, folder: Path) -> Stopped | None:
    if not (folder / CHECKPOINT).exists():
        return None
    try:
        stopped = load_checkpoint(folder)
        if Point(stopped.config, point.images).digest != point.digest:
            raise InputError(f"{folder / CHECKPOINT}: belongs to another training")
    except InputError as error:
        raise InputError(f"{error}; without that file it is trained from the beginning") from None
    return stopped


def _count_tries(claim: Claim, training: train.Training) -> None:
    """Count how often the training was begun at this place, and give up where its process dies.

    What kills it, such as too little memory, would do so for ever. The lock of a process that died
    is still there and says where it had begun.
    """
    before, step = claim.lock.before, training.all_steps
    tries = _count(before, "tries") + 1 if _count(before, "step") == step else 1
    claim.lock.tell(tries=tries, step=step, now=True)
    if tries > MOST:
        raise InputError(
            f"the process that trained it was killed {MOST} times in succession, each time between "
            f"step {step} and the next checkpoint: was there too little memory?"
        )


def _empty(folder: Path) -> None:
    """Remove what a process left that was killed before its first checkpoint."""
    for path in folder.iterdir():
        if path.is_file() and not path.name.startswith(".") and path.suffix != ".broken":
            path.unlink()


def _clean(folder: Path) -> None:
    """Remove what only a training needs that goes on."""
    if (folder / RESULT).exists():
        for name in (CHECKPOINT, BEST):
            with suppress(OSError):
                (folder / name).unlink()


class _Stop(Watcher):
    """Ends the training between two steps where somebody asked for it."""

    def __init__(self, run: Run, work: Work) -> None:
        self.run, self.work, self.looked = run, work, 0.0

    def on_step(self, step: Step) -> None:
        now = time.monotonic()
        if now - self.looked < LOOK:
            return
        self.looked = now
        if self.work.stopped:
            self.run.keep()
            raise StopRequestedError

    def on_epoch(self, epoch: Epoch) -> None:
        pass


def _result(point: Point, training: train.Training) -> dict[str, Any]:
    """What was found; the last file of a point to be written."""
    last = training.history[-1]
    test = training.data.test
    return {
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


def _write_failure(point: Point, folder: Path, error: Exception) -> None:
    known = isinstance(error, InputError)
    found = {
        "config": point.config._asdict(),
        "error": str(error) if known else f"{type(error).__name__}: {error}",
        "traceback": None if known else traceback.format_exc(),
        "time": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": machine_facts(1),
    }
    write_whole(folder / FAILED, (json.dumps(found, indent=1) + "\n").encode())
