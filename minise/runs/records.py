"""Finished and unfinished runs, read from their folders and compared."""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from minise import models
from minise.errors import InputError
from minise.runs.config import Config, read_config
from minise.runs.run import CONFIG, METRICS
from minise.runs.seeds import Seeds
from minise.train.history import Epoch, History

_log = logging.getLogger(__name__)


class Record(NamedTuple):
    """A run: its folder, its configuration, and the epochs it has done."""

    folder: Path
    config: Config
    history: History

    @property
    def test_accuracy(self) -> float | None:
        """That of the last test; None before the first."""
        tests = [e.test_accuracy for e in self.history if e.test_accuracy is not None]
        return tests[-1] if tests else None


def read_record(folder: Path) -> Record:
    """The run of a folder. Raises `InputError` where there is none, or its files are broken."""
    config, history = folder / CONFIG, History()
    try:
        text = json.dumps(json.loads(config.read_text(encoding="utf-8"))["config"])
        if (folder / METRICS).exists():
            lines = (folder / METRICS).read_text(encoding="utf-8").splitlines()
            history.extend(_epoch(json.loads(line)) for line in lines)
    except OSError as error:
        raise InputError(f"{config}: cannot be read: {error.strerror}") from None
    except (ValueError, TypeError, KeyError) as error:
        raise InputError(f"{folder}: not a readable run: {error!r}") from None
    try:
        return Record(folder, read_config(text), history)
    except InputError as error:
        raise InputError(f"{config}: {error}") from None


def _epoch(values: dict[str, Any]) -> Epoch:
    epoch = Epoch(**values)
    for name, value in epoch._asdict().items():
        if not isinstance(value, int | float) and not (name.startswith("test") and value is None):
            raise ValueError(f"{name} is {value!r}")
    return epoch


def find_records(folder: Path) -> list[Record]:
    """All runs in the subfolders of a folder, by name; or the one whose folder it is.

    Among several, a run that cannot be read is reported and skipped.

    Raises `InputError` where there are none.
    """
    if not folder.is_dir():
        raise InputError(f"{folder}: there is no such folder")
    if (folder / CONFIG).exists():
        return [read_record(folder)]
    found = []
    for config in sorted(folder.glob(f"*/{CONFIG}")):
        try:
            found.append(read_record(config.parent))
        except InputError as error:
            _log.warning("%s", error)
    if not found:
        raise InputError(f"{folder}: holds no runs; minise train makes one")
    return sorted(found, key=lambda record: _in_order(record.folder.name))


def differing(records: Sequence[Record]) -> list[str]:
    """The names of the options in which the runs differ."""
    return [
        name
        for name in Config._fields
        if len({json.dumps(getattr(r.config, name), sort_keys=True) for r in records}) > 1
    ]


def over_seeds(records: Sequence[Record]) -> list[tuple[Config, Seeds]]:
    """Finished runs that differ only in their seed, at least two: the last test of each."""
    groups: dict[str, tuple[Config, dict[int, float]]] = {}
    for record in records:
        accuracy, config = record.test_accuracy, record.config
        if len(record.history) == config.epochs and accuracy is not None:
            config, seed = config._replace(seed=0), config.seed
            alike = json.dumps(config, sort_keys=True)
            # a repeated run is no additional evidence
            groups.setdefault(alike, (config, {}))[1].setdefault(seed, accuracy)
    return [(config, Seeds(tests)) for config, tests in groups.values() if len(tests) > 1]


def without_se(config: Config) -> Config | None:
    """The same training without SE; None where there is no such net."""
    plain = config.model.removeprefix("se-")
    if plain == config.model or plain not in models.names():
        return None
    options = {k: v for k, v in config.options.items() if models.has_option(plain, k)}
    return config._replace(model=plain, options=options)


def _in_order(name: str) -> list[Any]:
    """se-cnn-2 before se-cnn-10."""
    stem, _, number = name.rpartition("-")
    return [stem, int(number)] if number.isdecimal() else [name, 0]
