"""What a hand has changed in a net's SE blocks: gates that are moved, another squeeze."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from minise.arrays import Array
from minise.errors import InputError


@dataclass(frozen=True)
class Change:
    """In one block: all gates 1, or those of a class, then single ones; and another squeeze.

    What is set by hand no longer depends on x: no gradient goes back through it.
    """

    off: bool = False
    like: int | None = None  # the class whose mean gates the block has
    gates: Mapping[int, float] = field(default_factory=dict)  # by channel
    squeeze: str | None = None  # one of `nn.se.SQUEEZES`

    def fixed(self, means: Array | None, shape: tuple[int, ...]) -> Array | None:
        """The gates that are given, of the shape (1, C), NaN where they stay the net's own.

        None where all do. `means` (K, C) are the mean gates of each class. Gates of pixels, of
        another shape, can only be all 1. Raises `InputError` for what there is not.
        """
        if len(shape) != 2 and self != Change(self.off):
            raise InputError("gates: those of pixels can be all 1, or the net's own")
        if not (self.off or self.like is not None or self.gates):
            return None
        fixed = np.full(shape, np.nan)
        if self.off:
            fixed[:] = 1
        elif self.like is not None:
            if means is None or not self.like < len(means) or np.isnan(means[self.like]).any():
                raise InputError(f"gates: there are no mean gates of class {self.like}")
            fixed[:] = means[self.like]
        for channel, gate in self.gates.items():
            if channel >= shape[1]:
                raise InputError(f"gates: channel {channel}, of 0 to {shape[1] - 1}")
            fixed[0, channel] = gate
        return fixed
