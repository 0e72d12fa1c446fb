"""Finished and unfinished runs, read from their folders and compared."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from minise.errors import InputError
from minise.runs.config import Config, read_config, without_usual_rates
from minise.runs.folder import LOCK
from minise.runs.lock import is_free
from minise.runs.run import CONFIG, METRICS
from minise.runs.seeds import Seeds
from minise.train.history import Epoch, History

DONE = "done"
RESULT, FAILED = "result.json", "failed.json"  # the last file of a point of a sweep

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Record:
    """A run of `minise train`, or a point of `minise sweep`: what its folder says.

    `result` has test_accuracy, test_loss, test_images, train_accuracy, train_loss, epochs_done,
    parameters, seconds, images (a fingerprint), gates, finished (a time) and machine, as far as
    they are known: a run of `minise train` keeps fewer of them than a point of a sweep.
    """

    folder: Path
    config: Config
    state: str  # "done", "running", "stopped" or "failed"
    result: Mapping[str, Any]
    error: str | None = None  # why it failed

    @cached_property
    def history(self) -> History:
        """The epochs it has done, read from its folder when they are first asked for.

        Raises `InputError` where they cannot be read.
        """
        try:
            lines = _read(self.folder / METRICS).splitlines()
            return History(_epoch(json.loads(line)) for line in lines)
        except InputError:
            raise
        except (ValueError, TypeError) as error:
            raise InputError(f"{self.folder}: not a readable run: {_said(error)}") from None

    @property
    def test_accuracy(self) -> float | None:
        """That of the last test; None before the first."""
        return self.result.get("test_accuracy")


def read_record(folder: Path) -> Record:
    """The run of a folder. Raises `InputError` where there is none, or its files are broken."""
    about, result, failure = (_read_json(folder / name) for name in (CONFIG, RESULT, FAILED))
    if "config" not in about and (result or failure):
        about = result or failure  # it failed before anything was trained, or that file was lost
    error = str(failure.get("error"))
    if failure and "config" not in about:
        raise InputError(f"{folder}: failed: {error}")
    if not (about or (folder / CONFIG).exists()):
        raise InputError(f"{folder / CONFIG}: there is no such file")
    try:
        config = read_config(json.dumps(about["config"]))
        if result:
            last = _read(folder / METRICS).rstrip().rpartition("\n")[2]
            result |= {"train_loss": json.loads(last or "{}").get("loss")}
            check_result(result, config)
            return Record(folder, config, DONE, {"epochs_done": config.epochs} | result)
        machine = dict((about.get("starts") or [{}])[-1].get("environment") or {})
    except InputError as wrong:
        raise InputError(f"{folder / CONFIG}: {wrong}") from None
    except (ValueError, TypeError, LookupError, AttributeError) as wrong:
        raise InputError(f"{folder}: not a readable run: {_said(wrong)}") from None
    record = Record(folder, config, "stopped", {})
    so_far = _so_far(record.history) | {"machine": machine}
    if failure:
        return replace(record, state="failed", result=so_far, error=error)
    if len(record.history) == config.epochs:
        return replace(record, state=DONE, result=so_far)
    if not is_free(folder / LOCK):
        return replace(record, state="running", result=so_far)
    return replace(record, result=so_far)


def _said(error: Exception) -> str:
    """What is wrong with a file."""
    return str(error) if isinstance(error, ValueError) else repr(error)


def check_result(result: Mapping[str, Any], config: Config) -> None:
    """Raises `ValueError` for what a point of a sweep that trains `config` does not leave."""
    for name in ("test_loss", "train_accuracy", "train_loss", "seconds"):
        if not isinstance(result.get(name), int | float | None):
            raise ValueError(f"{name} is {result[name]!r}")
    accuracy = result.get("test_accuracy")
    if not (isinstance(accuracy, float) and 0 <= accuracy <= 1):  # nan is neither
        raise ValueError(f"test_accuracy is {accuracy!r}")
    for name in ("gates", "machine"):
        if not isinstance(result.get(name, {}), dict):
            raise ValueError(f"{name} is {result[name]!r}")
    for block, figures in result.get("gates", {}).items():
        if not isinstance(figures, dict):
            raise ValueError(f"gates of {block} are {figures!r}")
    its = read_config(json.dumps(result.get("config", config._asdict())))
    if its._replace(data="") != config._replace(data=""):  # which may have moved
        raise ValueError(f"{RESULT} is of another training than {CONFIG}")


def _so_far(history: History) -> dict[str, Any]:
    """What the epochs say of what a sweep's result.json has."""
    found: dict[str, Any] = {"epochs_done": len(history)}
    if history:
        last, seconds = history[-1], sum(epoch.seconds for epoch in history)
        found |= {"train_accuracy": last.accuracy, "train_loss": last.loss, "seconds": seconds}
    if tests := [epoch for epoch in history if epoch.test_accuracy is not None]:
        found |= {"test_accuracy": tests[-1].test_accuracy, "test_loss": tests[-1].test_loss}
    return found


def _read_json(path: Path) -> dict[str, Any]:
    try:
        return dict(json.loads(_read(path) or "{}"))
    except (ValueError, TypeError) as error:
        raise InputError(f"{path.parent}: not a readable run: {_said(error)}") from None


def _read(path: Path) -> str:
    """What is in a file; nothing where there is none."""
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return ""
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from None


def _epoch(values: dict[str, Any]) -> Epoch:
    epoch = Epoch(**values)
    for name, value in epoch._asdict().items():
        if not isinstance(value, int | float) and not (name.startswith("test") and value is None):
            raise ValueError(f"{name} is {value!r}")
    return epoch


def find_records(folder: Path) -> list[Record]:
    """All runs in the subfolders of a folder, by name; or the one whose folder it is.

    Among several, a run that cannot be read is reported and skipped. Of runs that are the same
    training, however that was written down, the configurations are equal: see `alike`.

    Raises `InputError` where there are none.
    """
    if not folder.is_dir():
        raise InputError(f"{folder}: there is no such folder")
    if (folder / CONFIG).exists():
        return alike([read_record(folder)])
    found = []
    for path in folder.iterdir():
        if not any((path / name).exists() for name in (CONFIG, RESULT, FAILED)):
            continue
        try:
            found.append(read_record(path))
        except InputError as error:
            _log.warning("%s", error)
    if not found:
        raise InputError(f"{folder}: holds no runs; minise train makes one")
    return alike(sorted(found, key=_in_order))


def alike(records: Sequence[Record]) -> list[Record]:
    """The records, with equal configurations for what is the same training.

    A rate that is the optimizer's own becomes None, and images that have lain in several places
    are called by the first of these. A place where other images have lain, too, keeps its name.
    """
    images: dict[str, set[str]] = {}
    for record in records:
        if fingerprint := record.result.get("images"):
            images.setdefault(record.config.data, set()).add(str(fingerprint))
    first: dict[str, str] = {}
    names = {d: first.setdefault(min(of), d) for d, of in images.items() if len(of) == 1}
    configs = [without_usual_rates(record.config) for record in records]
    return [
        replace(record, config=config._replace(data=names.get(config.data, config.data)))
        for record, config in zip(records, configs, strict=True)
    ]


def over_seeds(records: Sequence[Record]) -> list[tuple[Config, Seeds]]:
    """Finished runs that differ only in their seed, put together: the last test of each.

    The configuration of such a group has seed 0. A run that repeats a seed is left out. Those of
    which there are only other runs are `unfinished`.
    """
    groups: dict[str, tuple[Config, dict[int, float]]] = {}
    begun: dict[str, set[int]] = {}
    for record in records:
        accuracy, config, seed = record.test_accuracy, record.config, record.config.seed
        config = config._replace(seed=0)
        begun.setdefault(name := key(config), set()).add(seed)
        if record.state == DONE and accuracy is not None:
            # a repeated run is no additional evidence
            groups.setdefault(name, (config, {}))[1].setdefault(seed, accuracy)
    return [
        (config, Seeds(tests, tuple(sorted(begun[name] - tests.keys()))))
        for name, (config, tests) in groups.items()
    ]


def key(config: Config) -> str:
    """Equal for configurations of the same training."""
    return json.dumps(without_usual_rates(config), sort_keys=True)


def _in_order(record: Record) -> list[Any]:
    """se-cnn-2 before se-cnn-10, and seed=2 before seed=10."""
    parts = re.split(r"(\d+)", record.folder.name)
    return [int(part) if k % 2 else part for k, part in enumerate(parts)]
