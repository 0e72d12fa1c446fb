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

from minise.arrays import Array

Floats: TypeAlias = npt.NDArray[np.float64]

LADDER: Floats = np.logspace(0, -8, 9)  # 1 … 1e-8; whole first: where y is linear it is exact
NEAR, NEARER = 5, 7  # two rungs, at which slopes on both sides are compared
EPS = float(np.finfo(float).eps)

Point: TypeAlias = tuple[Array, float]  # y, and the t at which it was taken


class Verdict(Enum):
    """What differences say of one entry of a gradient."""

    RIGHT = "right"
    WRONG = "wrong"
    KINK = "at a kink"  # the slopes on both sides differ, and backward's is as good as either
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
    doubtful: bool = False  # wrong at a kink where several meet: to be judged beside it


class Line:
    """`array[where] + t · direction`, while `evaluate` gives the y that follows from it."""

    def __init__(
        self, evaluate: Callable[[], Any], dy: Any, array: Array, where: Any, direction: Any
    ) -> None:
        self.evaluate, self.dy, self.array = evaluate, dy, array
        self.where, self.direction = where, direction
        self.entry = np.ndim(direction) == 0

    def at(self, t: float) -> Point:
        """y, and the t that rounding left of the one asked for."""
        here = np.copy(self.array[self.where])
        self.array[self.where] = here + t * self.direction
        moved = float((self.array[self.where] - here) / self.direction) if self.entry else t
        y = np.copy(self.evaluate())  # a copy, since y may be a view of the array
        self.array[self.where] = here
        return y, moved

    def slopes(self, first: Point, second: Point) -> Array:
        """Of each output's part in the loss, between two points of the line."""
        (y, t), (y_second, t_second) = first, second
        parts: Array = (y_second - y) * self.dy / (t_second - t)
        return parts

    def central(self, step: float) -> float:
        """The slope at 0, from one point on either side."""
        return float(self.slopes(self.at(-step), self.at(step)).sum())


@dataclass(frozen=True)
class Ladder:
    """The slopes of a line at 0, for every step of `LADDER`."""

    central: Floats
    below: Floats
    above: Floats
    doubt: Floats  # how far `central` may be off: how much it moves from step to step, or rounding
    rounding: float  # of the loss
    sides: tuple[Array, Array]  # each output's slope below and above, at the rung NEARER

    @classmethod
    def of(cls, line: Line) -> Ladder:
        """2 · len(LADDER) + 1 evaluations."""
        here = line.at(0.0)[0], 0.0
        rounding, rows, sides = 0.0, [], (here[0], here[0])
        for k, step in enumerate(LADDER.tolist()):
            down, up = line.at(-step), line.at(step)
            if k == 0:
                touched = down[0] != up[0]  # the other outputs cannot round differently
                rounding = EPS * float((np.abs(here[0] * line.dy) * touched).sum())
            both = line.slopes(down, here), line.slopes(here, up)
            rows.append((float(line.slopes(down, up).sum()), *(float(s.sum()) for s in both)))
            if k == NEARER:
                sides = both
        central, below, above = np.array(rows).T
        moves = np.abs(np.diff(central))
        further = np.append(np.abs(central[2:] - central[:-2]), 0)  # or two agree by chance
        doubt = np.append(np.maximum(moves, further), np.inf)
        doubt = np.maximum(np.where(np.isnan(doubt), np.inf, doubt), rounding / LADDER)
        return cls(central, below, above, doubt, rounding, sides)

    @property
    def best(self) -> int:
        """The step with the least doubt, the coarsest of several."""
        return int(np.argmin(self.doubt))

    @property
    def kink(self) -> bool:
        """Whether the slopes on both sides stay apart, however near. Curvature's shrink with t."""
        near, nearer = (abs(self.above[k] - self.below[k]) for k in (NEAR, NEARER))
        noise = abs(self.central[NEAR] - self.central[NEARER]) + self.rounding / LADDER[NEARER]
        return bool(nearer > 0.5 * near and nearer > 10 * noise)


def relative_error(analytic: Any, numeric: Any, floor: Any = 0.0) -> Any:
    """|a − n| / max(|a|, |n|, floor), 0 where all three are 0."""
    size = np.maximum(np.maximum(np.abs(analytic), np.abs(numeric)), floor)
    return np.abs(analytic - numeric) / np.where(size == 0, 1, size)


def judge(line: Line, analytic: float, tolerance: float, asked: float | None = None) -> Judged:
    """Look closer at a slope that one difference, with the step `asked` for, contradicts."""
    ladder = Ladder.of(line)
    best = ladder.best
    numeric, doubt = float(ladder.central[best]), float(ladder.doubt[best])
    errors = relative_error(analytic, ladder.central)
    below, above = float(ladder.below[NEARER]), float(ladder.above[NEARER])

    def judged(verdict: Verdict) -> Judged:
        return Judged(verdict, numeric, below, above, errors)

    if ladder.kink:
        return _at_a_kink(ladder, analytic, errors)
    if relative_error(analytic, numeric) <= tolerance:
        if asked is None:
            return judged(Verdict.RIGHT)
        return judged(Verdict.TOO_COARSE if asked > LADDER[best] else Verdict.TOO_FINE)
    if abs(analytic - numeric) <= 3 * doubt:
        return judged(Verdict.TOO_SMALL)
    return judged(Verdict.WRONG)


def _at_a_kink(ladder: Ladder, analytic: float, errors: Floats) -> Judged:
    """Each output may take either of its slopes, or one between; their sum has to be in reach."""
    down, up = ladder.sides
    least, most = float(np.minimum(down, up).sum()), float(np.maximum(down, up).sum())
    below, above = float(down.sum()), float(up.sum())
    slack = 1e-4 * max(abs(least), abs(most))  # one-sided differences are less exact
    within = least - slack <= analytic <= most + slack
    apart = np.abs(up - down) > 1e-3 * np.maximum(np.abs(up), np.abs(down))
    # where several kinks meet in one output, a right slope may be out of reach
    several = bool(np.size(down) == 1 or apart.sum() > 1)
    return Judged(
        Verdict.KINK if within else Verdict.WRONG,
        float(ladder.central[NEARER]),
        below,
        above,
        errors,
        doubtful=several and not within,
    )
