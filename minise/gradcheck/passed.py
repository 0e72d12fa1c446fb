"""A check that has passed, and what can be measured of it with other numbers and lengths."""

from __future__ import annotations

import functools
import math
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from minise.arrays import Array
from minise.gradcheck.axes import Axes, apart
from minise.gradcheck.checked import Checked
from minise.gradcheck.subject import Subject

STEP = 1e-5  # of slopes
CHANGED = 1e-4  # of slopes, relative: more is no error of the differences


@dataclass(frozen=True)
class Pass:
    """A check, as far as it has got."""

    subject: Subject
    gradients: tuple[Checked, ...]
    rng: np.random.Generator

    @property
    def variables(self) -> dict[str, Array]:
        """What was differentiated."""
        return self.subject.variables

    def given(self, name: str) -> bool:
        """Whether it is an input: a parameter belongs to a layer."""
        return name in self.subject.given

    @functools.cached_property
    def longer(self) -> Pass | None:
        """The same where no axis has length 1, if such axes may be longer."""
        if not any(1 in a.shape for a in self.subject.inputs.values() if isinstance(a, np.ndarray)):
            return None
        axes = Axes(self.subject)
        lengths = apart(axes, [block for block in axes.blocks if block.length == 1])
        return replace(self, subject=self.subject.on(axes.of(lengths))) if lengths else None

    def output(self, changed: Mapping[str, Array] | None = None) -> Array | None:
        """With these arrays in the place of others; None where forward fails."""
        arrays = {n: np.array(a) for n, a in (self.variables | dict(changed or {})).items()}
        with np.errstate(all="ignore"), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                return np.array(self.subject.fresh().run(arrays)[0])
            except Exception:  # any: the person's own code, on values that it is not made for
                return None

    def slopes(
        self, along: Mapping[str, Array], changed: Mapping[str, Array] | None = None
    ) -> Array | None:
        """Of all outputs along a direction in some variables; None where they are not finite."""
        at = self.variables | dict(changed or {})
        up, down = (
            self.output(dict(changed or {}) | {n: at[n] + t * v for n, v in along.items()})
            for t in (STEP, -STEP)
        )
        if up is None or down is None or up.shape != down.shape:
            return None
        slopes: Array = (up - down) / (2 * STEP)
        return slopes if np.isfinite(slopes).all() else None

    def normal(self, name: str) -> Array:
        """Normal random numbers, as large as the array's."""
        array = self.variables[name]
        size = math.sqrt(np.mean(array**2)) if array.size else 0.0
        drawn: Array = (size or 1.0) * self.rng.standard_normal(array.shape)
        return drawn

    def matters(self, name: str, other: Array) -> bool | None:
        """Whether slopes are others where `name` is `other`; None where they are not finite."""
        direction = {n: self.normal(n) for n in self.variables}
        one, two = self.slopes(direction), self.slopes(direction, {name: other})
        if one is None or two is None or one.shape != two.shape:
            return None
        largest = max(float(np.abs(one).max()), float(np.abs(two).max()))
        return bool(np.abs(one - two).max() > CHANGED * largest)
