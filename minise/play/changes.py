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

    def fixed(self, means: Array | None, channels: int) -> Array:
        """The gate (C,) that each channel is given; NaN where it stays the net's own.

        `means` (K, C) are the mean gates of each class. Raises `InputError` for a class or a
        channel that there is not.
        """
        fixed = np.full(channels, np.nan)
        if self.off:
            fixed[:] = 1
        elif self.like is not None:
            if means is None or not 0 <= self.like < len(means) or np.isnan(means[self.like]).any():
                raise InputError(f"gates: there are no mean gates of class {self.like}")
            fixed[:] = means[self.like]
        for channel, gate in self.gates.items():
            if not 0 <= channel < channels:
                raise InputError(f"gates: channel {channel}, of 0 to {channels - 1}")
            fixed[channel] = gate
        return fixed
