"""How far outputs are off by themselves, and so the smallest change that differences can see.

Over points at one distance δ the sixth differences of a smooth function vanish with δ⁶. What stays
however near the points are is noise: rounding, in float64 or in a float32 inside, or an iteration
that stops at a tolerance. Of noise with the standard deviation σ they have √924·σ (Hamming 1973,
chapter 6; Moré & Wild, Estimating computational noise, 2011).

Noise jumps, and often. A function that jumps here and there, as one with a mask does, has noise
only where it has some beside that. A kink gives differences that shrink with δ; a function that
swings faster than the points can follow gives some that do not, but where the points are drawn
closer about the largest, nothing is left there.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, TypeAlias

import numpy as np

from minise.arrays import Array

SPACINGS = np.logspace(-2, -7, 6)  # relative to the size of each array
POINTS = 13  # so there are seven sixth differences
FLAT = 2.5  # at one distance and at a tenth of it noise is alike, within this factor
DEVIATIONS = 3.0  # of noise, that count as its size
WIDEST, SCANNED = 0.02, 61  # the distance at which a jump is looked for, and points
CLOSER, ROUNDS = 3.0, 14  # down to a distance of 1e-8
LARGE = 0.02  # of all that an output moves: larger jumps are no noise, unless often met
SELDOM, OUTSTANDING = 16, 20.0  # the largest change by the sixteenth: of noise some 2.5
AGAIN = 19  # points about a jump: of several near each other, one may not hide where the others are
EPS = float(np.finfo(float).eps)

At: TypeAlias = Callable[[float], Array]  # the outputs at a place of a line


@dataclass(frozen=True)
class Noise:
    """Of each output; and how much more their sum in the loss has than if each erred apart."""

    size: Array
    alike: float = 1.0
    relative: float = 0.0  # the largest, to the largest output

    def __bool__(self) -> bool:
        return bool(self.size.any())

    def in_loss(self, dy: Any, touched: Any) -> float:
        """Of Σ y · dy over those outputs that are `touched`."""
        return self.alike * float(np.sqrt(((self.size * dy * touched) ** 2).sum()))


NONE = Noise(np.zeros(()))


def noise_along(at: At, dy: Any) -> Noise:
    """What some 460 points of a line show, t from −0.6 to 0.6; `NONE` where nothing jumps."""
    jump = _jump(at, dy)
    if jump is None:
        return NONE
    sizes, losses = [], []
    for spacing in SPACINGS.tolist():
        points = _points(at, 0.0, spacing)
        sizes.append(_deviation(points))
        losses.append(_deviation(_losses(points, dy)))
    scanned = _points(at, 0.0, WIDEST, SCANNED)
    most, most_of_loss = _most(scanned), _most(_losses(scanned, dy))
    jump, sizes[0] = (np.where(found <= most, found, 0.0) for found in (jump, sizes[0]))
    # an output that jumps seldom is flat nowhere; what a kink adds is kept below the largest jump
    seldom = np.minimum(DEVIATIONS * sizes[0], jump.max())
    size = np.maximum(np.maximum(DEVIATIONS * _flat(sizes, most), jump), seldom)
    size = np.maximum(size, np.median(size))
    apart = float(np.sqrt(((size * dy) ** 2).sum()))
    if apart <= 100 * EPS * float(np.abs(scanned[0] * dy).sum()):
        return NONE
    loss = max(DEVIATIONS * float(_flat(losses, most_of_loss)), abs(float((jump * dy).sum())))
    largest = float(np.abs(scanned[SCANNED // 2]).max(initial=0.0)) or np.inf
    return Noise(size, max(1.0, loss / apart), float(size.max()) / largest)


def _most(scanned: Array) -> Array:
    """What noise can be: less than jumps which are large and met in few places."""
    change = np.diff(scanned, axis=0)
    change = np.abs(change - np.median(change, axis=0))
    seldom = np.sort(change, axis=0)[-SELDOM] < change.max(axis=0) / OUTSTANDING
    most: Array = np.where(seldom, LARGE * np.ptp(scanned, axis=0), np.inf)
    return most


def _points(at: At, middle: float, spacing: float, count: int = POINTS) -> Array:
    """(count, *shape of y)."""
    half = count // 2
    return np.stack([at(middle + spacing * k) for k in range(-half, half + 1)])


def _losses(points: Array, dy: Any) -> Array:
    losses: Array = points.reshape(len(points), -1) @ np.reshape(dy, -1)
    return losses


def _deviation(points: Array) -> Array:
    """σ of the noise, were all of it noise: (P, …) -> (…)."""
    deviation: Array = np.sqrt((np.diff(points, 6, axis=0) ** 2).mean(axis=0) / 924)
    return np.where(np.isfinite(deviation), deviation, 0.0)


def _flat(sizes: list[Array], most: Array) -> Array:
    """The largest, up to `most`, that is alike at a distance and at a tenth of it."""
    found = np.zeros_like(sizes[0])
    for wide, near in pairwise(sizes):
        alike = (wide <= FLAT * near) & (near <= most)
        found = np.maximum(found, np.where(alike, np.minimum(wide, near), 0.0))
    return found


def _jump(at: At, dy: Any) -> Array | None:
    """By how much each output jumps where the loss does most, if it does at any distance."""
    middle, spacing, count, steps = 0.0, WIDEST, SCANNED, []
    for _ in range(ROUNDS):
        points = _points(at, middle, spacing, count)
        losses = _losses(points, dy)
        sixth = np.abs(np.diff(losses, 6))
        least = EPS * float((np.abs(points[0] * dy)).sum())
        if not np.isfinite(losses).all() or sixth.max() < 100 * least:
            return None
        steps.append(float(sixth.max()))
        # of the sixth differences over a jump the two largest are those with it in their middle
        middle += (int(sixth.argmax()) + 3 - count // 2) * spacing
        spacing, count = spacing / CLOSER, AGAIN
    # at a kink it would be 3⁻⁹ and 3⁻³, of a square root 3⁻⁴·⁵ and 3⁻¹·⁵; and a kink may hide noise
    # until both are alike
    if steps[-1] < 0.03 * steps[-10] and max(steps[-3:]) < 0.4 * max(steps[-6:-3]):
        return None
    change = np.diff(points, axis=0) - np.median(np.diff(points, axis=0), axis=0)
    jump: Array = np.abs(change[int(np.abs(_losses(change, dy)).argmax())])
    return jump
