"""Watchers of a training: progress bars, checkpoints, event files, a class of your own."""

from __future__ import annotations

from typing import Protocol

from minise.train.history import Epoch, Step


class Watcher(Protocol):
    """Pass `watchers` to `fit` or `Training.run`: each is told of every step and every epoch.

    They are called in order, between two steps, while the training waits: it may be read and saved
    then. An exception in one ends the training, and those after it are not called. A class that
    inherits from `Watcher` may leave out a method that it does not need.
    """

    def on_step(self, step: Step) -> None:
        """A step is done; on a GPU, only every 50 steps and at the end of an epoch."""

    def on_epoch(self, epoch: Epoch) -> None:
        """An epoch is done and, unless the test comes only at the end, has been tested."""
