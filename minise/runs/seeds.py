"""Results over several seeds, since one run says little about small differences."""

from __future__ import annotations

import statistics
from collections.abc import Mapping
from dataclasses import dataclass

from minise.errors import InputError


@dataclass(frozen=True)
class Seeds:
    """A figure, such as the test accuracy, of trainings that differ only in their seed, by seed.

    `a - b` has the differences for the seeds that both have: their mean and its standard error show
    the effect of a change.

    Raises `InputError` for fewer than two seeds.
    """

    figures: Mapping[int, float]

    def __post_init__(self) -> None:
        if len(self.figures) < 2:
            raise InputError(f"seeds: {len(self.figures)} in common, expected at least 2")

    @property
    def mean(self) -> float:
        """The mean over the seeds."""
        return statistics.mean(self.figures.values())

    @property
    def deviation(self) -> float:
        """The standard deviation of one run, √(Σ (figure − mean)² / (n − 1))."""
        return statistics.stdev(self.figures.values())

    @property
    def standard_error(self) -> float:
        """That of the mean, deviation / √n."""
        return float(self.deviation / len(self.figures) ** 0.5)

    def both(self, other: Seeds) -> list[int]:
        """The seeds that both have."""
        return [seed for seed in self.figures if seed in other.figures]

    def __sub__(self, other: Seeds) -> Seeds:
        return Seeds({k: self.figures[k] - other.figures[k] for k in self.both(other)})
