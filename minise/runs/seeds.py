"""Results over several seeds, since one run says little about small differences."""

from __future__ import annotations

import statistics
from collections.abc import Mapping
from dataclasses import dataclass

from minise.errors import InputError
from minise.runs.intervals import student_t


@dataclass(frozen=True)
class Seeds:
    """A figure, such as the test accuracy, of trainings that differ only in their seed, by seed.

    `a - b` has the differences for the seeds that both have: their mean and its standard error show
    the effect of a change. `unfinished` are the seeds of trainings that have no figure: they run,
    were stopped, or failed.

    Raises `InputError` where there is no seed; so do the deviation and the standard error of one.
    """

    figures: Mapping[int, float]
    unfinished: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        self._check(1)

    @property
    def mean(self) -> float:
        """The mean over the seeds."""
        return statistics.mean(self.figures.values())

    @property
    def deviation(self) -> float:
        """The standard deviation of one run, √(Σ (figure − mean)² / (n − 1))."""
        self._check(2)
        return statistics.stdev(self.figures.values())

    @property
    def standard_error(self) -> float:
        """That of the mean, deviation / √n."""
        return float(self.deviation / len(self.figures) ** 0.5)

    def interval(self, confidence: float = 0.95) -> tuple[float, float] | None:
        """Student's: from many such samples, this share of the intervals holds the true mean.

        mean ∓ t · standard_error, with t of n − 1 degrees of freedom. None where there is none:
        with one seed, or where all figures are equal and so do not show how much they vary.
        """
        if not 0 < confidence < 1:
            raise InputError(f"confidence: {confidence}, expected above 0 and below 1")
        if len({round(figure, 12) for figure in self.figures.values()}) < 2:  # but for rounding
            return None
        reach = student_t(confidence, len(self.figures) - 1) * self.standard_error
        return self.mean - reach, self.mean + reach

    def both(self, other: Seeds) -> list[int]:
        """The seeds that both have."""
        return [seed for seed in self.figures if seed in other.figures]

    def __sub__(self, other: Seeds) -> Seeds:
        both = {k: self.figures[k] - other.figures[k] for k in self.both(other)}
        begun = {*self.figures, *self.unfinished} & {*other.figures, *other.unfinished}
        return Seeds(both, tuple(sorted(begun - both.keys())))

    def _check(self, least: int) -> None:
        if len(self.figures) < least:
            raise InputError(f"seeds: {len(self.figures)} in common, expected at least {least}")
