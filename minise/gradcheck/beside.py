"""A little way off a kink: slopes there, and what they say of the one that is at the kink."""

from __future__ import annotations

from typing import Any

import numpy as np

from minise.arrays import Array
from minise.gradcheck.differences import Judged, Line, Verdict, judge
from minise.gradcheck.noise import Noise
from minise.gradcheck.subject import Gradients, Subject

# Beside a kink: so far off, relative to the root mean square of each array.
BESIDE = 1e-3
AROUND = 12  # points
WITHIN = 3e-5  # steps at them that meet no kink; finer ones are of no use where there is noise
APART = 0.05  # slopes are two where they differ by more than this part of all that they span


class Beside:
    """Points around the one that is checked, none of them at its kinks."""

    def __init__(self, subject: Subject, dy: Any, rng: np.random.Generator, noise: Noise) -> None:
        self.subject, self.dy, self.noise = subject, dy, noise
        self.points = [
            {
                name: array + BESIDE * root_mean_square(array) * rng.standard_normal(array.shape)
                for name, array in subject.variables.items()
            }
            for _ in range(AROUND)
        ]
        self.gradients = [self._gradients(point) for point in self.points]

    def _gradients(self, point: dict[str, Array]) -> Gradients:
        _, backward = self.subject.fresh().run({n: a.copy() for n, a in point.items()})
        return {name: np.array(found) for name, found in backward(np.copy(self.dy)[()]).items()}

    def judge(self, name: str, where: Any, direction: Any, tolerance: float) -> bool:
        """Whether the slope is right at the first of them."""
        direction = direction * WITHIN if self.noise else direction
        line = line_through(
            self.subject, self.points[0], self.dy, name, where, direction, self.noise
        )
        said = float((self.gradients[0][name][where] * direction).sum())
        return judge(line, said, tolerance).verdict is not Verdict.WRONG

    def in_reach(self, judged: Judged, name: str, where: Any, direction: Any) -> bool:
        """Whether a slope at the kink may be made of those around it.

        A single kink has two slopes, and any between is right. Where several meet, each takes its
        own side: more combinations than are met around it, so as far again on either side.
        """
        around = [float((each[name][where] * direction).sum()) for each in self.gradients]
        slopes = np.sort([*around, judged.below, judged.above])
        spread = float(slopes[-1] - slopes[0])
        several = int((np.diff(slopes) > APART * spread).sum()) > 1
        slack = spread * (1.0 if several else APART)
        return bool(slopes[0] - slack <= judged.said <= slopes[-1] + slack)


def line_through(
    subject: Subject,
    variables: dict[str, Array],
    dy: Any,
    name: str,
    where: Any,
    direction: Any,
    noise: Noise,
) -> Line:
    """The outputs along a direction in one variable, `where` an entry or all of it."""

    def evaluate() -> Any:
        # copies, because a forward may write into what it is given
        return subject.output({n: a.copy() for n, a in variables.items()})

    return Line(evaluate, dy, variables[name], where, direction, noise)


def root_mean_square(array: Array) -> float:
    """The root mean square of what is finite, or 1; neither squares nor their sum overflow."""
    finite = np.abs(array[np.isfinite(array)])
    largest = float(finite.max(initial=0.0))
    return largest * float(np.sqrt(np.mean((finite / largest) ** 2))) if largest else 1.0
