"""A folder for one run alone, even where several start at the same moment."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

from minise.errors import InputError
from minise.files import check_writable
from minise.runs.lock import Lock, locked
from minise.train.history import Epoch, Step
from minise.train.loop import Training
from minise.train.watcher import Watcher

LOCK = ".lock"  # the name of a file that exists while a training runs


class Claim(NamedTuple):
    """A folder that is this process's, as long as its lock is."""

    folder: Path
    lock: Lock


def next_folder(model: str, parent: Path = Path("runs")) -> Path:
    """Make the first of runs/<model>-1, -2, … that does not exist yet: no other process gets it.

    Raises `InputError` where it cannot be created.
    """
    for number in itertools.count(1):
        folder = parent / f"{model}-{number}"
        try:
            folder.mkdir(parents=True)
            break
        except OSError as error:
            if not (isinstance(error, FileExistsError) and parent.is_dir()):
                raise InputError(f"{folder}: cannot be created: {error.strerror}") from None
    return folder


def check_empty(folder: Path) -> None:
    """Raises `InputError` where the folder holds files, and `OSError` where it is not a folder."""
    if any(path.name != LOCK for path in folder.iterdir()):
        raise InputError(f"{folder}: already holds files; a run needs a folder of its own")


@contextmanager
def claimed(folder: Path | None, model: str, *, resumed: bool = False) -> Iterator[Claim]:
    """Reserve a folder for the training of this process; None means the next free one.

    It is created, and removed again if it stays empty. Raises `Taken` where another process trains
    in it, and `InputError` where it cannot be written to, and where it holds files, unless
    `resumed`.
    """
    place = Path("runs") if folder is None else folder
    made = [path for path in (place, *place.parents) if not os.path.exists(path)]
    with ExitStack() as stack:
        stack.callback(_remove_empty, made)
        if folder is None:
            folder = next_folder(model, place)
            made.insert(0, folder)
        try:
            folder.mkdir(parents=True, exist_ok=True)
            lock = stack.enter_context(locked(folder / LOCK))
            check_writable(folder)  # writes there for a moment; nobody else may see that
            if not resumed:
                check_empty(folder)
        except OSError as error:
            raise InputError(f"{folder}: cannot be written to: {error.strerror}") from None
        yield Claim(folder, lock)


def _remove_empty(folders: list[Path]) -> None:
    for folder in folders:
        with suppress(OSError):  # it is not empty, or does not exist
            folder.rmdir()


class Signs(Watcher):
    """Lets the lock of a run's folder say how far it is, and ends a training that lost it.

    Pass it before what writes into the folder. Raises `Lost`.
    """

    def __init__(self, lock: Lock, training: Training) -> None:
        self.lock, self.images = lock, len(training.data.train.labels)
        lock.tell(epochs=training.epochs)

    def on_step(self, step: Step) -> None:
        """Tell it with the next sign of life."""
        self.lock.check()
        share, accuracy = round(step.images / self.images, 4), round(step.accuracy, 4)
        self.lock.tell(epoch=step.epoch, share=share, accuracy=accuracy)

    def on_epoch(self, epoch: Epoch) -> None:
        """See that the folder is still this process's: the test may have taken a while."""
        self.lock.check()
