"""The folder of a run: its configuration, metrics, checkpoints, weights, and pictures."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

from minise.arrays import Array
from minise.cores import cores
from minise.data import Dataset, Split
from minise.errors import InputError
from minise.files import (
    WEIGHTS,
    Tensors,
    read_tensors,
    remove_parts,
    write_tensors,
    write_whole,
)
from minise.machine import machine_facts
from minise.models.weights import find_weights
from minise.nn import Layer
from minise.runs import checkpoint, pictures
from minise.runs.config import Config, fingerprint, read_config
from minise.runs.environment import differences, versions
from minise.runs.folder import check_empty
from minise.runs.weights import About, load_weights, metadata_of, save_weights
from minise.train.history import Epoch, Step
from minise.train.loop import Training
from minise.train.watcher import Watcher

CONFIG, METRICS = "config.json", "metrics.jsonl"
CHECKPOINT, BEST = "checkpoint.safetensors", "best.safetensors"
CURVES, MISTAKES = "curves.png", "mistakes.png"
UNITS = ("epoch", "step", "minute")


class Every(NamedTuple):
    """How often a checkpoint is written: every `number` epochs, steps or minutes."""

    number: int
    unit: str  # of UNITS


def read_every(text: str) -> Every:
    """As in "2 epochs", "100steps" or "5 min". Raises `InputError` for anything else."""
    found = re.fullmatch(r"(\d{1,9}) *(epoch|step|min|minute)s?", text.strip())
    if not found or int(found[1]) < 1:
        raise InputError(
            f"checkpoint every {text!r}: expected '1 epoch', '100 steps', '5 minutes' or the like"
        )
    return Every(int(found[1]), "minute" if found[2] == "min" else found[2])


class Run(Watcher):
    """Writes what a training does into a folder, so that it can resume whatever happens.

    The folder must be new or empty, unless `resumed`. A checkpoint is written at the start, as
    often as `every` says, at the end of the last epoch, and by `keep`; the one after the best test
    so far is kept beside it. Both also keep `notes`. Pass it to the training as one of its
    `watchers`.

    Raises `InputError` where the folder holds files, or cannot be made or written to.
    """

    def __init__(
        self,
        folder: Path,
        training: Training,
        config: Config,
        *,
        every: Every = Every(1, "epoch"),  # noqa: B008  (it never changes)
        resumed: bool = False,
        notes: Mapping[str, str] | None = None,
    ) -> None:
        self.folder, self.training = folder, training
        self.about = _about(config, training)
        self.every, self._written = every, time.monotonic()
        self._metadata = {
            "config": json.dumps(config._asdict()),
            "data": fingerprint(training.data),
            "versions": json.dumps(versions()),
            "every": f"{every.number} {every.unit}",
            **metadata_of(self.about),
            **(notes or {}),
        }
        try:
            folder.mkdir(parents=True, exist_ok=True)
            if resumed:
                remove_parts(folder)
            else:
                check_empty(folder)
                self._claim()
        except OSError as error:
            raise InputError(f"{folder}: cannot be written to: {error.strerror}") from None
        if resumed:
            write_whole(folder / CONFIG, _explained(config, _earlier(folder)))
        else:
            write_whole(folder / CONFIG, _explained(config, []))
            self.keep()

    def _claim(self) -> None:
        try:
            (self.folder / CONFIG).touch(exist_ok=False)
        except FileExistsError:
            check_empty(self.folder)  # another run that began at the same moment

    def on_step(self, step: Step) -> None:
        """Write a checkpoint if one is due."""
        number, unit = self.every
        if unit == "minute":
            due = time.monotonic() - self._written >= 60 * number
        else:
            due = unit == "step" and self.training.all_steps % number == 0
        if due:
            self.keep()

    def on_epoch(self, epoch: Epoch) -> None:
        """Write the metrics, the current weights, and checkpoints if they are due.

        The checkpoint comes last: anything lost before it will be written again.
        """
        lines = [json.dumps(e._asdict()) + "\n" for e in self.training.history]
        write_whole(self.folder / METRICS, "".join(lines).encode())
        save_weights(self.folder / WEIGHTS, self.training.net, self.about)
        tests = [e.test_accuracy for e in self.training.history if e.test_accuracy is not None]
        if epoch.test_accuracy is not None and epoch.test_accuracy >= max(tests):
            self._write(BEST)
        number, unit = self.every
        last = epoch.epoch == self.training.epochs
        if last or (unit == "epoch" and epoch.epoch % number == 0):
            self.keep()

    def keep(self) -> None:
        """Write a checkpoint now."""
        self._write(CHECKPOINT)
        self._written = time.monotonic()

    def _write(self, name: str) -> None:
        arrays, metadata = checkpoint.state_of(self.training)
        write_tensors(self.folder / name, Tensors(arrays, metadata | self._metadata))

    def finish(self, test: Split, probabilities: Array) -> None:
        """Draw the curves of the training, and the test images that were misclassified."""
        write_whole(self.folder / CURVES, pictures.curves(self.training.history))
        drawn = pictures.mistakes(test, probabilities, self.training.data.class_name)
        write_whole(self.folder / MISTAKES, drawn)

    def files(self) -> dict[str, Path]:
        """The files that have been written, by kind."""
        names = {
            "weights": WEIGHTS,
            "best": BEST,
            "checkpoint": CHECKPOINT,
            "metrics": METRICS,
            "config": CONFIG,
            "curves": CURVES,
            "mistakes": MISTAKES,
        }
        paths = {what: self.folder / name for what, name in names.items()}
        return {what: path for what, path in paths.items() if path.exists()}


class Stopped(NamedTuple):
    """What is known of a run that can be resumed."""

    path: Path
    config: Config
    every: Every
    state: Tensors

    def restore(self, training: Training) -> None:
        """Put a training, made from the configuration, back where it was."""
        try:
            checkpoint.restore(training, self.state)
        except InputError as error:
            raise InputError(f"{self.path}: {error}") from None

    def check(self, dataset: Dataset) -> list[str]:
        """What has changed or is not known: the same bits are then not guaranteed.

        Raises `InputError` for other images.
        """
        if self.state.metadata.get("data") != fingerprint(dataset):
            raise InputError(f"{dataset.name}: these are not the images the run was trained on")
        now = versions()
        try:
            then = dict(json.loads(self.state.metadata.get("versions", "")))
        except (ValueError, TypeError):
            raise InputError(f"{self.path}: does not say which versions wrote it") from None
        return differences(then, now)


def load_checkpoint(folder: Path) -> Stopped:
    """The last checkpoint of a run. Raises `InputError` where there is none that can be used."""
    if folder.is_file():
        raise InputError(f"{folder} is a file, expected a run's folder")
    path = folder / CHECKPOINT
    state = read_tensors(path)
    try:
        config = read_config(state.metadata.get("config", ""))
        return Stopped(path, config, read_every(state.metadata.get("every", "")), state)
    except InputError as error:
        raise InputError(f"{path}: {error}") from None


def _about(config: Config, training: Training) -> About:
    return About(
        config.model,
        training.data.num_classes,
        training.data.image_shape,
        training.mean,
        training.std,
        config.data,
        config.seed,
        config.options,
        training.data.class_names,
    )


def _explained(config: Config, earlier: list[Any]) -> bytes:
    """A run's configuration and each of its starts, as readable JSON."""
    start = {
        "command": sys.argv,
        "time": datetime.now(UTC).isoformat(timespec="seconds"),
        "environment": machine_facts(cores()) | versions(),
        "git": _revision(),
    }
    text = {"config": config._asdict(), "starts": [*earlier, start]}
    lines = json.dumps(text, indent=2, ensure_ascii=False) + "\n"
    return lines.encode(errors="backslashreplace")  # names of files may be any bytes


def _earlier(folder: Path) -> list[Any]:
    """The starts of a run before it was resumed."""
    try:
        return list(json.loads((folder / CONFIG).read_text(encoding="utf-8"))["starts"])
    except (OSError, ValueError, TypeError, KeyError):
        return []  # lost, which is no reason to stop


def _revision() -> str | None:
    """That of the repository the run is started in, with "+" where files were changed."""
    try:
        done = [
            subprocess.run(
                ["git", *command],
                capture_output=True,
                encoding="utf-8",
                errors="replace",  # names of files may be any bytes
                timeout=10,
            )
            for command in (("rev-parse", "HEAD"), ("status", "--porcelain", "-uno"))
        ]
    except (OSError, subprocess.TimeoutExpired):
        return None
    if any(run.returncode for run in done):
        return None
    return done[0].stdout.strip() + ("+" if done[1].stdout.strip() else "")


def load_run(path: Path) -> tuple[Layer, About]:
    """The net of a run's folder, or of a file of weights."""
    return load_weights(find_weights(path))
