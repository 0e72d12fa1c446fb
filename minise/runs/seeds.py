"""What a training gives over several seeds, since one run says little about small differences."""

from __future__ import annotations

import statistics
from collections.abc import Mapping
from dataclasses import dataclass

from minise.errors import InputError


@dataclass(frozen=True)
class Seeds:
    """A figure of trainings that differ in their seed alone, as test accuracy, by seed.

    `a - b` are the differences, seed by seed, of those that both have: their mean and its standard
    error say what a change does.

    Raises `InputError` for fewer than two seeds.
    """

    figures: Mapping[int, float]

    def __post_init__(self) -> None:
        if len(self.figures) < 2:
            raise InputError(f"{len(self.figures)} seeds, expected two at least that both have")

    @property
    def mean(self) -> float:
        """Over the seeds."""
        return statistics.mean(self.figures.values())

    @property
    def deviation(self) -> float:
        """The standard deviation of one run, √(Σ (figure − mean)² / (n − 1))."""
        return statistics.stdev(self.figures.values())

    @property
    def standard_error(self) -> float:
        """Of the mean, deviation / √n."""
        return float(self.deviation / len(self.figures) ** 0.5)

    def both(self, other: Seeds) -> list[int]:
        """The seeds that both have."""
        return [seed for seed in self.figures if seed in other.figures]

    def __sub__(self, other: Seeds) -> Seeds:
        return Seeds({k: self.figures[k] - other.figures[k] for k in self.both(other)})
