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
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from minise.arrays import Array
from minise.gradcheck.noise import NONE, Noise

Floats: TypeAlias = npt.NDArray[np.float64]

LADDER: Floats = np.logspace(0, -8, 9)  # 1 … 1e-8; whole first: where y is linear it is exact
FITTED = 8  # points on either side, in noise
NEARER = 7  # the rung at which slopes on both sides are compared, and with those two before
EPS = float(np.finfo(float).eps)
STOPPED = (
    30  # times its tolerance is how far the slope of an iteration may be off that stops at one
)
SEEN = 0.01  # a slope is seen through noise where that leaves less than this part of it in doubt

Point: TypeAlias = tuple[Array, float]  # y, and the t at which it was taken


class Verdict(Enum):
    """What differences say of one entry of a gradient."""

    RIGHT = "right"
    WRONG = "wrong"
    KINK = "at a kink"  # the slopes on both sides differ, and backward's is as good as either
    TOO_SMALL = "too small to judge"  # it drowns in the rounding of y, or in noise
    TOO_COARSE = "step too coarse"  # right with a finer step than the one asked for
    TOO_FINE = "step too fine"


@dataclass(frozen=True)
class Judged:
    """One slope: the verdict, what differences say, and on which sides."""

    verdict: Verdict
    said: float  # by backward
    numeric: float
    below: float  # slope on the side of negative t
    above: float
    errors: Floats  # of backward's slope, relative, for each step of the ladder
    doubtful: bool = False  # wrong at a kink where several meet: to be judged beside it


class Line:
    """`array[where] + t · direction`, while `evaluate` gives the y that follows from it."""

    def __init__(
        self,
        evaluate: Callable[[], Any],
        dy: Any,
        array: Array,
        where: Any,
        direction: Any,
        noise: Noise = NONE,
    ) -> None:
        self.evaluate, self.dy, self.array, self.noise = evaluate, dy, array, noise
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

    def fitted(self, step: float, least: float = 0.0) -> Fit:
        """The slope at 0 of a·t + b·t³ + c·t⁵, fitted to what is odd about the line.

        Of more points than one on either side, since noise averages out; and what is left of it
        after the fit, as of a kink, tells how far the slope may be off; noise does too, of those
        outputs that move, or of `least`.
        """
        t = np.arange(1, FITTED + 1) / FITTED
        below, above = (
            np.stack([self.at(sign * step * part)[0] for part in t.tolist()]) for sign in (-1, 1)
        )
        odd = ((above - below) * self.dy).reshape(FITTED, -1).sum(axis=1) / 2
        powers = np.stack([t, t**3, t**5], axis=1)
        inverse = np.linalg.inv(powers.T @ powers)
        a, b, c = inverse @ powers.T @ odd
        left = float(np.sqrt(((odd - powers @ [a, b, c]) ** 2).sum() / (FITTED - 3)))
        noise = self.noise.in_loss(self.dy, (above != below).any(axis=0))
        doubt = max(2 * left * float(np.sqrt(inverse[0, 0])), noise, least) / step
        return Fit(float(a) / step, doubt)


class Fit(NamedTuple):
    """A slope found in spite of noise, and how far it may be off."""

    slope: float
    doubt: float

    def sees(self, said: float) -> bool:
        """Whether `said` is that slope, and another would have been told from it."""
        return abs(said - self.slope) <= 3 * self.doubt <= SEEN * abs(self.slope)


@dataclass(frozen=True)
class Ladder:
    """The slopes of a line at 0, for every step of `LADDER`."""

    central: Floats
    below: Floats
    above: Floats
    doubt: Floats  # how far `central` may be off: how much it moves from step to step, or rounding
    rounding: float  # of the loss; with noise, that
    sides: tuple[Array, Array]  # each output's slope below and above, at the rung `nearer`
    nearer: int = NEARER

    @classmethod
    def of(cls, line: Line) -> Ladder:
        """2 · len(LADDER) + 1 evaluations."""
        here = line.at(0.0)[0], 0.0
        touched, rows, sides = np.zeros(here[0].shape, bool), [], []
        noisy = bool(line.noise)
        for k, step in enumerate(LADDER.tolist()):
            down, up = line.at(-step), line.at(step)
            if k == 0 or noisy:
                touched |= down[0] != up[0]  # the other outputs cannot round differently
            both = line.slopes(down, here), line.slopes(here, up)
            rows.append((float(line.slopes(down, up).sum()), *(float(s.sum()) for s in both)))
            sides.append(both)
        rounding = EPS * float((np.abs(here[0] * line.dy) * touched).sum())
        rounding = max(rounding, line.noise.in_loss(line.dy, touched))
        hidden = 0.0
        if not touched.any():  # a whole step moved the outputs by less than shows
            hidden = EPS * float(np.abs(here[0] * line.dy).sum())
            hidden = max(hidden, line.noise.in_loss(line.dy, True))
        central, below, above = np.array(rows).T
        doubt = np.maximum(_doubt(central), rounding / LADDER + hidden)
        if noisy:
            hopeless = rounding / LADDER > SEEN * np.abs(central[:3]).max()
            fits = [
                Fit(0.0, np.inf)
                if k > 1 and hopeless[k]
                else line.fitted(step, max(rounding, hidden))
                for k, step in enumerate(LADDER.tolist())
            ]
            central, doubt = np.array(fits).T
        doubt = np.where(np.isnan(doubt), np.inf, doubt)
        nearer = _finest_seen(below, above, rounding) if noisy else NEARER
        return cls(central, below, above, doubt, rounding, sides[nearer], nearer)

    @property
    def best(self) -> int:
        """The step with the least doubt, the coarsest of several."""
        return int(np.argmin(self.doubt))

    @property
    def kink(self) -> bool:
        """Whether the slopes on both sides stay apart, however near. Curvature's shrink with t."""
        if self.nearer < 2:
            return False
        rungs = self.nearer - 2, self.nearer
        near, nearer = (abs(self.above[k] - self.below[k]) for k in rungs)
        middle = (self.below + self.above) / 2
        noise = abs(middle[rungs[0]] - middle[rungs[1]])
        noise += self.rounding / LADDER[self.nearer]
        return bool(nearer > 0.5 * near and nearer > 10 * noise)

    @property
    def settled(self) -> bool:
        """Whether fine steps say what coarse ones do, and no less exactly than rounding lets them.

        They do not where y moves in steps of its own: those that are finer see it stand still.
        """
        best, coarser = self.central[self.best], self.central[2]
        finer = (
            np.abs(self.central - best)[self.best :] > 100 * (self.rounding / LADDER)[self.best :]
        )
        return not finer.any() and bool(abs(best - coarser) <= 0.1 * abs(coarser))


def _doubt(central: Floats) -> Floats:
    moves = np.abs(np.diff(central))
    further = np.append(np.abs(central[2:] - central[:-2]), 0)  # or two agree by chance
    return np.append(np.maximum(moves, further), np.inf)


def _finest_seen(below: Floats, above: Floats, noise: float) -> int:
    """The finest step at which noise does not hide that the slopes on both sides differ."""
    seen = np.flatnonzero(np.abs(above - below)[:NEARER] > 20 * noise / LADDER[:NEARER])
    return int(seen[-1]) if len(seen) else 0


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
    below, above = float(ladder.below[ladder.nearer]), float(ladder.above[ladder.nearer])

    def judged(verdict: Verdict) -> Judged:
        return Judged(verdict, analytic, numeric, below, above, errors)

    if ladder.kink:
        return _at_a_kink(ladder, analytic, errors)
    agree = errors[best:] <= tolerance  # a finer step may be right where a piece of y is short
    if agree[0] or (analytic and agree.any()):
        if asked is None:
            return judged(Verdict.RIGHT)
        return judged(Verdict.TOO_COARSE if asked > LADDER[best] else Verdict.TOO_FINE)
    if relative_error(analytic, numeric) <= min(STOPPED * line.noise.relative, SEEN):
        return judged(Verdict.RIGHT)
    if abs(analytic - numeric) <= 3 * doubt:
        seen = bool(line.noise) and Fit(numeric, doubt).sees(analytic)
        return judged(Verdict.RIGHT if seen else Verdict.TOO_SMALL)
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
        analytic,
        float(ladder.central[ladder.nearer]),
        below,
        above,
        errors,
        doubtful=several and not within,
    )
