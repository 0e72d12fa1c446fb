"""Who is told how a training goes: progress bars, checkpoints, event files, a class of your own."""

from __future__ import annotations

from typing import Protocol

from minise.train.history import Epoch, Step


class Watcher(Protocol):
    """Give `watchers` to `fit` or `Training.run`: each is told of every step and every epoch.

    They are told in their order, between two steps, while the training waits: it may be read and
    saved then. What one raises ends the training, and whoever comes after it is not told. A class
    that inherits from `Watcher` may leave out the method that it does not need.
    """

    def on_step(self, step: Step) -> None:
        """A step is done; on a GPU, every 50 steps and at the end of an epoch alone."""

    def on_epoch(self, epoch: Epoch) -> None:
        """An epoch is done and, unless tests come at the end alone, has been tested."""
