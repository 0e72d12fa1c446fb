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
from contextlib import suppress
from enum import Enum
from pathlib import Path
from typing import Any, NamedTuple

from minise.runs import records
from minise.runs.config import Config, without_usual_rates
from minise.runs.folder import LOCK
from minise.runs.lock import is_free, read_owner, silence
from minise.runs.run import CHECKPOINT

RESULT, FAILED = records.RESULT, records.FAILED  # which `minise runs` reads
READABLE = 80  # letters of a folder's name before the seed


class State(Enum):
    """How far a point is."""

    DONE = "done"
    FAILED = "failed"
    RUNNING = "running"
    STOPPED = "stopped"
    WAITING = "waiting"


ENDED = State.DONE, State.FAILED


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
        if not folder.exists():
            return State.WAITING
        if self.failure(sweep) is not None:
            return State.FAILED
        if (folder / RESULT).exists():
            return State.DONE
        if not is_free(folder / LOCK):
            return State.RUNNING
        return State.STOPPED if (folder / CHECKPOINT).exists() else State.WAITING

    def failure(self, sweep: Path) -> str | None:
        """Why it cannot be done; None where nothing says so.

        A result that is broken, or that of another training, counts as a failure, too.
        """
        folder = sweep / self.name
        if folder.exists() and not folder.is_dir():
            return f"{folder}: is a file, expected the folder of a training: move it away"
        for name in (RESULT, FAILED):
            try:
                found = json.loads((folder / name).read_bytes())
                if name == FAILED:
                    return str(found["error"])
                its = Point(Config(**found["config"]), found["images"])
                records.check_result(found, its.config)
                if its.digest == self.digest:
                    return None
                problem = "the result of another training"
            except FileNotFoundError:
                continue
            except OSError as error:
                problem = f"cannot be read: {error.strerror}"
            except (ValueError, TypeError, KeyError, AttributeError):
                problem = "broken"
            return f"{folder / name}: {problem}"
        return None

    def result(self, sweep: Path) -> dict[str, Any]:
        """What was found; nothing where that cannot be read."""
        try:
            found = json.loads((sweep / self.name / RESULT).read_bytes())
        except (OSError, ValueError):
            return {}
        return found if isinstance(found, dict) else {}

    def retry(self, sweep: Path) -> None:
        """Forget that it failed; a result that is broken is kept beside, under another name."""
        folder = sweep / self.name
        if self.failure(sweep) is not None and folder.is_dir():
            with suppress(FileNotFoundError):
                (folder / FAILED).unlink()
            with suppress(FileNotFoundError):
                (folder / RESULT).replace(folder / f"{RESULT}.broken")

    def progress(self, sweep: Path) -> Progress | None:
        """How far the training is that runs now, or has just been killed; None where none does."""
        owner = read_owner(sweep / self.name / LOCK)
        if owner is None:
            return None
        told = owner.told
        return Progress(
            told.get("epoch", 0),
            told.get("epochs", self.config.epochs),
            told.get("share", 0.0),
            told.get("accuracy"),
            owner.host,
            owner.pid,
            silence(sweep / self.name / LOCK),
        )

    def tries(self, sweep: Path) -> int:
        """How many times its process has died in succession without getting any further."""
        owner = read_owner(sweep / self.name / LOCK)
        tries = 0 if owner is None else owner.told.get("tries", 0)
        return tries if isinstance(tries, int) else 0


class Progress(NamedTuple):
    """How far a running training is."""

    epoch: int  # from 1; 0 before its first step
    epochs: int
    share: float  # of the images of this epoch, 0 to 1
    accuracy: float | None  # on these
    host: str
    pid: int
    silent: float  # seconds since the last sign of life


def _differing(config: Config) -> dict[str, Any]:
    """What differs from the defaults; a rate that is given as its default does not."""
    usual, config = Config(), without_usual_rates(config)
    return {name: v for name, v in config._asdict().items() if v != getattr(usual, name)}
