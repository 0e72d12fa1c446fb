"""What a guess may look at, and what it is measured by."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from minise.arrays import Array
from minise.gradcheck.differences import Floats
from minise.gradcheck.subject import Subject

CLOSE = 1e-5  # relative to the largest
FEW = 4  # entries: among fewer, a pattern is chance
STEP = 1e-5  # of the differences that a guess takes itself
LINES = 4  # along which they are taken


@dataclass(frozen=True)
class Evidence:
    """The gradient of one variable, at those entries that were compared.

    Of a subject with several variables `others` has, by name, what backward says and what
    differences say of those that were compared whole.
    """

    name: str
    variables: Mapping[str, Array]
    dy: Any
    analytic: Array
    entries: Any  # (K,), flat
    numeric: Floats  # (K,)
    wrong: Any  # (K,), bool
    y: Any = None
    others: Mapping[str, tuple[Array, Array]] = field(default_factory=dict)
    subject: Subject | None = None

    @property
    def said(self) -> Floats:
        """What backward says, (K,)."""
        return self.at(self.analytic)

    def at(self, array: Array) -> Floats:
        """The compared entries of an array that is shaped as the gradient, (K,)."""
        flat: Floats = array.reshape(-1)[self.entries]
        return flat

    @property
    def shape(self) -> tuple[int, ...]:
        """Of the gradient."""
        return self.analytic.shape

    @property
    def x(self) -> Array:
        """The variable itself."""
        return self.variables[self.name]

    @property
    def whole(self) -> Array | None:
        """What differences say as an array, where all entries were compared."""
        return self.numeric.reshape(self.shape) if len(self.entries) == self.analytic.size else None

    @property
    def places(self) -> tuple[Any, ...]:
        """Of the compared entries, the indices along each axis."""
        return np.unravel_index(self.entries, self.shape)

    def groups(self, axes: tuple[int, ...]) -> Any:
        """Of the compared entries, a number each: one for all that differ along `axes` alone."""
        kept = [k for k in range(len(self.shape)) if k not in axes]
        if not kept:
            return np.zeros(len(self.entries), int)
        return np.ravel_multi_index([self.places[k] for k in kept], [self.shape[k] for k in kept])

    @property
    def settings(self) -> dict[str, float]:
        """Numbers that the function was given, such as `keep=0.6`."""
        given = self.subject.inputs if self.subject else {}
        return {
            name: float(value)
            for name, value in given.items()
            if isinstance(value, int | float) and not isinstance(value, bool)
        }

    def integers(self, kinds: str = "iu") -> dict[str, Array]:
        """Arrays that the function was given, of kinds of dtype: labels, indices, masks."""
        given = self.subject.inputs if self.subject else {}
        return {
            name: value
            for name, value in given.items()
            if isinstance(value, np.ndarray) and value.dtype.kind in kinds
        }

    def backward(self, dy: Any, **changed: Array) -> Array | None:
        """What backward says for another dy, or with other variables; None where it cannot."""
        if self.subject is None:
            return None
        variables = {n: np.array(changed.get(n, array)) for n, array in self.variables.items()}
        try:
            found = self.subject.fresh().run(variables)[1](np.array(dy)[()])[self.name]
        except Exception:  # any: it is the person's own code, asked for what it may not be made for
            return None
        return np.array(found) if np.shape(found) == self.shape else None

    def right_by(self, dy: Any, **changed: Array) -> bool:
        """Whether backward is right once dy or variables are changed, and not without."""
        found = self.backward(dy, **changed)
        return found is not None and close(self.at(found), self.numeric) and self.telling

    @property
    def telling(self) -> bool:
        """Whether enough entries were compared, of which enough are not 0."""
        return len(self.entries) >= FEW and int((self.numeric != 0).sum()) >= FEW

    def evaluate(self, array: Array) -> Array | None:
        """y with another array in the place of the variable."""
        assert self.subject is not None
        variables = {n: np.array(value) for n, value in self.variables.items()}
        variables[self.name] = array
        try:
            return np.array(self.subject.fresh().run(variables)[0])
        except Exception:  # as above
            return None

    def lines(self) -> tuple[Array, Array] | None:
        """Directions v, (LINES, …), and how y moves along each, (LINES, …)."""
        if self.subject is None or not np.ndim(self.dy):
            return None
        rng = np.random.default_rng(1)
        directions = rng.standard_normal((LINES, *self.shape))
        step = STEP * (float(np.sqrt((self.x**2).mean())) or 1.0)
        moved = []
        for v in directions:
            up, down = self.evaluate(self.x + step * v), self.evaluate(self.x - step * v)
            if up is None or down is None or not np.isfinite([up, down]).all():
                return None
            moved.append((up - down) / (2 * step))
        return directions, np.stack(moved)


def close(a: Array, b: Array) -> bool:
    """Whether they are the same to `CLOSE`, relative to the largest."""
    largest = max(float(np.abs(a).max(initial=0)), float(np.abs(b).max(initial=0)))
    return bool(np.abs(a - b).max(initial=0) <= CLOSE * largest)


def none_of(a: Array, beside: Array) -> Any:
    """Which entries are 0, but for rounding beside the largest of another array."""
    return np.abs(a) <= CLOSE * np.abs(beside).max(initial=0)


def proportion(a: Array, b: Array) -> float | None:
    """The c with a = c·b, if there is one that is neither 0 nor 1."""
    power = float((b * b).sum())
    c = float((a * b).sum()) / power if power else 0.0
    return c if c and abs(c - 1) > CLOSE and close(a, c * b) else None


def fitted(values: Floats, groups: Any, *bases: Floats) -> tuple[Floats, Floats] | None:
    """What the bases add up to, with numbers for each group; and these numbers, (groups, bases).

    None where it is not what the values are, or where so many numbers fit anything.
    """
    names, which, sizes = np.unique(groups, return_inverse=True, return_counts=True)
    free = int(np.maximum(sizes - len(bases), 0).sum())
    if free < max(FEW, len(values) / 4):
        return None
    basis, numbers = np.stack(bases, axis=1), np.zeros((len(names), len(bases)))
    for k in range(len(names)):
        numbers[k] = np.linalg.lstsq(basis[which == k], values[which == k], rcond=None)[0]
    found = (numbers[which] * basis).sum(axis=1)
    return (found, numbers) if close(found, values) else None


def listed(numbers: Any) -> str:
    """As in "1", "1 and 2", "0, 2 and 3"."""
    texts = [str(number) for number in numbers]
    return " and ".join([", ".join(texts[:-1]), texts[-1]] if len(texts) > 1 else texts)


def axes_called(axes: tuple[int, ...]) -> str:
    """As in "axis 1", "axes 2 and 3"."""
    return ("axis " if len(axes) == 1 else "axes ") + listed(axes)
