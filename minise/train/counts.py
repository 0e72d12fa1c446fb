"""What steps count, kept where the net is: only reading it waits for a GPU."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from minise.arrays import Array, array_module
from minise.nn import Parameter
from minise.train.finite import all_finite


class Count(NamedTuple):
    """Over the steps since the last reading."""

    loss_sum: float  # over images
    right: int
    sound: int  # steps before the first with a number that is not finite


class Counts:
    """Zero-dimensional arrays, of NumPy or CuPy, that steps add to."""

    def __init__(self, parameters: Sequence[Parameter]) -> None:
        self._parameters, xp = parameters, array_module(parameters[0].value)
        self._loss_sum, self._right, self._sound = (
            xp.zeros((), kind) for kind in (float, int, int)
        )
        # 0 after the first number that is not finite; a processor checks before it adds
        self.finite: Array | None = None if xp is np else xp.ones((), np.int32)

    def seem_finite(self, loss: Array) -> bool:
        """Whether loss and gradients are finite, if that can be told without waiting for a GPU."""
        return self.finite is not None or (bool(np.isfinite(loss)) and all_finite(self._parameters))

    def add(self, loss: Array, scores: Array, labels: Array) -> None:
        """The mean loss of scores (N, K) for labels (N,)."""
        self._loss_sum += loss.astype(float) * len(labels)
        self._right += (scores.argmax(axis=1) == labels).sum()
        if self.finite is not None:
            self.finite *= abs(loss) < np.inf

    def end(self) -> None:
        """A step is over, and its gradients have been checked too."""
        self._sound += 1 if self.finite is None else self.finite

    def read(self) -> Count:
        """Wait for the launched steps, return their counts, and start again from 0."""
        parts = self._loss_sum, self._right, self._sound
        count = Count(float(parts[0]), int(parts[1]), int(parts[2]))
        for part in parts:
            part.fill(0)
        return count
