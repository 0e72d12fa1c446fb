"""One training of a sweep, and the folder that is its record.

The folder's name follows from the configuration alone, so that whoever asks for the same training
finds it, and no two have one folder. What is in it says how far it is:

result.json     finished: what was found
failed.json     why it failed
.lock           a process trains it now
checkpoint      begun, and stopped or killed: it resumes from there
"""

from __future__ import annotations

import hashlib
import json
import re
from enum import Enum
from pathlib import Path
from typing import Any, NamedTuple

from minise.runs.config import LR, WEIGHT_DECAY, Config
from minise.runs.folder import LOCK
from minise.runs.run import CHECKPOINT

RESULT, FAILED = "result.json", "failed.json"
READABLE = 80  # letters of a folder's name before the seed


class State(Enum):
    """How far a point is."""

    DONE = "done"
    FAILED = "failed"
    RUNNING = "running"
    STOPPED = "stopped"
    WAITING = "waiting"


class Point(NamedTuple):
    """A training to do: its configuration, and a fingerprint of the images it is meant for."""

    config: Config
    images: str

    @property
    def name(self) -> str:
        """That of its folder: what differs from the defaults, in words, and a digest of all.

        Data count by their contents, wherever they lie.
        """
        told = _differing(self.config)
        words = [told.pop("model", self.config.model)]
        seed = told.pop("seed", self.config.seed)
        if "data" in told:
            words.append(Path(told.pop("data")).name)
        words += [f"{name}={value}" for name, value in (told.pop("options", {}) | told).items()]
        readable = re.sub(r"[^\w.=+-]+", "_", "-".join(words), flags=re.ASCII)[:READABLE]
        return f"{readable.strip('._-')}-seed={seed}-{self.digest}"

    @property
    def digest(self) -> str:
        """48 bits of a digest of the configuration and the images, in hexadecimal."""
        told = _differing(self.config) | {"data": self.images}
        text = json.dumps(told, sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()[:12]

    def state(self, sweep: Path) -> State:
        """How far it is in the folder of a sweep."""
        folder = sweep / self.name
        for name, state in (
            (RESULT, State.DONE),
            (FAILED, State.FAILED),
            (LOCK, State.RUNNING),
            (CHECKPOINT, State.STOPPED),
        ):
            if (folder / name).exists():
                return state
        return State.WAITING


def _differing(config: Config) -> dict[str, Any]:
    """What differs from the defaults; a rate that is given as its default does not."""
    usual = Config()
    told = {name: v for name, v in config._asdict().items() if v != getattr(usual, name)}
    for name, default in (("lr", LR), ("weight_decay", WEIGHT_DECAY)):
        if told.get(name) == default.get(config.optimizer):
            told.pop(name, None)
    return told
