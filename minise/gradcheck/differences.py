"""Finite differences along a line, and what they say of one slope.

The loss of a check is L = Σ y · dy with a random cotangent dy, since one of ones cannot tell
g · dy from g / dy. Along a line x + t·v, with v one entry or a direction over all of them,

    dL/dt ≈ Σ (y(t) − y(−t)) · dy / 2t

A step t too coarse meets the curvature of y or a kink, one too fine the rounding of y. So a slope
that disagrees is looked at over a ladder of steps before it is called wrong.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from minise.backend import Array

Floats: TypeAlias = npt.NDArray[np.float64]

LADDER: Floats = np.logspace(0, -8, 9)  # 1 … 1e-8; whole first: where y is linear it is exact
NEAR, NEARER = 5, 7  # two rungs, at which slopes on both sides are compared
EPS = float(np.finfo(float).eps)

# A slope much smaller than the largest of its array is held against this part of the largest
# instead: differences cannot see it relative to itself.
FLOOR = 1e-3


class Verdict(Enum):
    """What differences say of one entry of a gradient."""

    RIGHT = "right"
    WRONG = "wrong"
    KINK = "at a kink"  # the slopes on both sides differ, and backward's is one of them or between
    TOO_SMALL = "too small to judge"  # it drowns in the rounding of y
    TOO_COARSE = "step too coarse"  # right with a finer step than the one asked for
    TOO_FINE = "step too fine"


@dataclass(frozen=True)
class Judged:
    """One slope: the verdict, what differences say, and on which sides."""

    verdict: Verdict
    numeric: float
    below: float  # slope on the side of negative t
    above: float
    errors: Floats  # of backward's slope, relative, for each step of the ladder


class Line:
    """`array[where] + t · direction`, while `evaluate` gives the y that follows from it."""

    def __init__(
        self, evaluate: Callable[[], Any], dy: Any, array: Array, where: Any, direction: Any
    ) -> None:
        self.evaluate, self.dy, self.array = evaluate, dy, array
        self.where, self.direction = where, direction
        self.entry = np.ndim(direction) == 0

    def at(self, t: float) -> tuple[Array, float]:
        """y, and the t that rounding left of the one asked for."""
        here = np.copy(self.array[self.where])
        self.array[self.where] = here + t * self.direction
        moved = float((self.array[self.where] - here) / self.direction) if self.entry else t
        y = np.copy(self.evaluate())  # a copy, since y may be a view of the array
        self.array[self.where] = here
        return y, moved

    def slope(self, first: tuple[Array, float], second: tuple[Array, float]) -> float:
        """Between two points of the line."""
        (y, t), (y_second, t_second) = first, second
        return float(((y_second - y) * self.dy).sum()) / (t_second - t)

    def central(self, step: float) -> float:
        """At 0, from one point on either side."""
        return self.slope(self.at(-step), self.at(step))


@dataclass(frozen=True)
class Ladder:
    """The slopes of a line at 0, for every step of `LADDER`."""

    central: Floats
    below: Floats
    above: Floats
    doubt: Floats  # how far `central` may be off: how much it moves from step to step, or rounding
    rounding: float  # of the loss

    @classmethod
    def of(cls, line: Line) -> Ladder:
        """2 · len(LADDER) + 1 evaluations."""
        here = line.at(0.0)[0], 0.0
        rounding = EPS * float(np.abs(here[0] * line.dy).sum())  # of L
        rows = []
        for step in LADDER.tolist():
            down, up = line.at(-step), line.at(step)
            rows.append((line.slope(down, up), line.slope(down, here), line.slope(here, up)))
        central, below, above = np.array(rows).T
        moves = np.abs(np.diff(central))
        further = np.append(np.abs(central[2:] - central[:-2]), 0)  # or two agree by chance
        doubt = np.append(np.maximum(moves, further), np.inf)
        doubt = np.maximum(np.where(np.isnan(doubt), np.inf, doubt), rounding / LADDER)
        return cls(central, below, above, doubt, rounding)

    @property
    def best(self) -> int:
        """The step with the least doubt, the coarsest of several."""
        return int(np.argmin(self.doubt))


def relative_error(analytic: Any, numeric: Any, floor: float) -> Any:
    """|a − n| / max(|a|, |n|, floor), 0 where all three are 0."""
    size = np.maximum(np.maximum(np.abs(analytic), np.abs(numeric)), floor)
    return np.abs(analytic - numeric) / np.where(size == 0, 1, size)


def judge(
    line: Line, analytic: float, floor: float, tolerance: float, asked: float | None
) -> Judged:
    """Look closer at a slope that one difference, with the step `asked` for, contradicts."""
    ladder = Ladder.of(line)
    best = ladder.best
    numeric, doubt = float(ladder.central[best]), float(ladder.doubt[best])
    errors = relative_error(analytic, ladder.central, floor)
    below, above = float(ladder.below[NEARER]), float(ladder.above[NEARER])

    def judged(verdict: Verdict, numeric: float = numeric) -> Judged:
        return Judged(verdict, numeric, below, above, errors)

    if _kink(ladder):
        slack = 1e-4 * max(abs(below), abs(above))  # one-sided differences are less exact
        between = min(below, above) - slack <= analytic <= max(below, above) + slack
        return judged(Verdict.KINK if between else Verdict.WRONG, float(ladder.central[NEARER]))
    if relative_error(analytic, numeric, floor) <= tolerance:
        if asked is None:
            return judged(Verdict.RIGHT)
        return judged(Verdict.TOO_COARSE if asked > LADDER[best] else Verdict.TOO_FINE)
    if abs(analytic - numeric) <= 3 * doubt:
        return judged(Verdict.TOO_SMALL)
    return judged(Verdict.WRONG)


def _kink(ladder: Ladder) -> bool:
    """Whether the slopes on both sides stay apart, however near. Curvature's shrink with t."""
    near, nearer = (abs(ladder.above[k] - ladder.below[k]) for k in (NEAR, NEARER))
    noise = abs(ladder.central[NEAR] - ladder.central[NEARER]) + ladder.rounding / LADDER[NEARER]
    return bool(nearer > 0.5 * near and nearer > 10 * noise)
