"""A guess at why a gradient is wrong, from the pattern of what backward says and what is true.

Each guess looks for one common mistake: a factor, a sign, swapped axes, dy used wrongly, a missing
term, a missing place. The first that explains every entry is reported. It remains a guess.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from minise.arrays import Array
from minise.gradcheck.differences import Floats

CLOSE = 1e-5  # relative to the largest
FEW = 4  # entries: among fewer, a pattern is chance

LETTERS = {4: "NCHW", 3: "CHW", 2: "NC", 1: "N"}


@dataclass(frozen=True)
class Evidence:
    """The gradient of one variable, at those entries that were compared."""

    name: str
    variables: dict[str, Array]
    dy: Any
    analytic: Array
    entries: Any  # (K,), flat
    numeric: Floats  # (K,)
    wrong: Any  # (K,), bool

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
    def whole(self) -> Array | None:
        """What differences say as an array, where all entries were compared."""
        return self.numeric.reshape(self.shape) if len(self.entries) == self.analytic.size else None


def cause(evidence: Evidence) -> str | None:
    """One line, or None where nothing is wrong or no pattern fits."""
    if not evidence.wrong.any():
        return None
    if not np.isfinite(evidence.said).all():
        return "backward gives NaN or infinity"
    if not np.isfinite(evidence.numeric).all():
        return "forward gives NaN or infinity near these inputs"
    for guess in GUESSES if len(evidence.entries) > 1 else GUESSES_FROM_ONE:
        if text := guess(evidence):
            return text
    return None


def _nothing(e: Evidence) -> str | None:
    return None if e.said.any() else "backward gives 0 everywhere"


def _sign(e: Evidence) -> str | None:
    return "the sign is wrong: right when multiplied by −1" if _close(e.said, -e.numeric) else None


def _factor(e: Evidence) -> str | None:
    c = _proportion(e.said, e.numeric)
    if c is None:
        return None
    size = f"off by the constant factor {c:.6g}"
    for sign, text in ((1, ""), (-1, " and by its sign")):
        for name, n in _sizes(e):
            if math.isclose(sign * c, 1 / n, rel_tol=CLOSE):
                return (
                    f"{size} = 1/({name}) = 1/{n}{text}: a mean where a sum over {name} is needed?"
                )
            if math.isclose(sign * c, n, rel_tol=CLOSE):
                return f"{size} = {name} = {n}{text}: a sum where a mean over {name} is needed?"
    return size if len(e.entries) > 1 else None


def _sizes(e: Evidence) -> Iterator[tuple[str, int]]:
    """Products of the sizes of x's and y's axes with their names; those of fewer axes first.

    None for a gradient that is shaped as y: nothing was summed, it seems, and 3 is not C.
    """
    if e.shape == np.shape(e.dy):
        return
    first = next(iter(e.variables.values())).shape
    for of, shape in (("", first), (" of y", np.shape(e.dy))):
        letters = LETTERS.get(len(shape), "")
        for count in range(1, len(letters) + 1):
            for axes in itertools.combinations(range(len(letters)), count):
                n = math.prod(shape[k] for k in axes)
                if n > 2:
                    yield "·".join(letters[k] for k in axes) + of, n


def _axes_exchanged(e: Evidence) -> str | None:
    a = e.analytic
    if len(e.entries) < FEW:
        return None
    for i, j in itertools.combinations(range(a.ndim), 2):
        sizes = list(a.shape)
        sizes[i], sizes[j] = sizes[j], sizes[i]
        if _close(e.at(a.reshape(sizes).swapaxes(i, j)), e.numeric):
            return f"transposed: right with axes {i} and {j} swapped"
    for axes in itertools.chain.from_iterable(
        itertools.combinations(range(a.ndim), count) for count in range(1, a.ndim + 1)
    ):
        if _close(e.at(np.flip(a, axes)), e.numeric):
            return f"reversed along {_axes(axes)}: is a kernel flipped that should not be?"
    return None


def _shifted(e: Evidence) -> str | None:
    places = np.unravel_index(e.entries, e.shape)
    for axis, size in enumerate(e.shape):
        for by in (1, -1):
            inside = (places[axis] + by >= 0) & (places[axis] + by < size)
            if size < 3 or inside.sum() < FEW:
                continue
            moved = e.at(np.roll(e.analytic, -by, axis))
            if _close(moved[inside], e.numeric[inside]) and e.numeric[inside].any():
                return f"shifted by one along axis {axis}: the padding, or where a window begins?"
    return None


def _cotangent(e: Evidence) -> str | None:
    if np.ndim(e.dy) and np.shape(e.dy) != e.shape:
        return None
    dy = e.at(np.broadcast_to(e.dy, e.shape))
    if _close(e.said * dy, e.numeric):
        return "right only for dy = 1: it has to be multiplied by dy"
    if _close(e.said * dy * dy, e.numeric):
        return "divided by dy, where it has to be multiplied by dy"
    if _close(e.said, e.numeric * dy):
        return "multiplied by dy twice"
    return None


def _product_with_another(e: Evidence) -> str | None:
    for name, array in e.variables.items():
        for spread in _spreads(array, e.shape):
            v = e.at(spread)
            if not v.any() or np.ptp(v) == 0:
                continue
            if _close(e.said * v, e.numeric):
                return f"right when multiplied by {name}: a factor left out?"
            if _close(e.said, e.numeric * v):
                return f"multiplied by {name} once too often"
    return None


def _spreads(array: Array, shape: tuple[int, ...]) -> Iterator[Array]:
    """The array in this shape: as it is, for each sample and channel, or for each channel."""
    if array.shape == shape:
        yield array
    elif array.shape == shape[:2]:
        yield np.broadcast_to(array.reshape(array.shape + (1,) * (len(shape) - 2)), shape)
    elif len(shape) > 1 and array.shape == shape[1:2]:
        yield np.broadcast_to(array.reshape((1, -1) + (1,) * (len(shape) - 2)), shape)


def _term_missing(e: Evidence) -> str | None:
    """What lacks is alike over pixels, lies along x, or is dy itself."""
    numeric = e.whole
    if numeric is None:
        return None
    lack = numeric - e.analytic
    if e.shape == np.shape(e.dy):
        for what, sign in (("a term is missing", 1), ("there is a term too many", -1)):
            if _close(lack.reshape(-1), sign * np.asarray(e.dy).reshape(-1)):
                return f"{what}: dy itself, as from a path straight through, or the 1 in 1 − y²"
    x = e.variables[e.name]
    along_x = _proportion(lack, x)
    if along_x is not None:
        return f"a term is missing: {along_x:.4g} times {e.name} itself (as of a penalty Σ x²)"
    if e.name != next(iter(e.variables)) or len(e.shape) != 4 or np.ndim(e.dy) < 2:
        return None
    if e.shape[2] * e.shape[3] < 2:
        return None
    if _close(lack, lack.mean(axis=(2, 3), keepdims=True)):
        if _close(lack, lack.mean(axis=(0, 2, 3), keepdims=True)):
            return (
                "a term is missing that is the same for all of a channel (N, H, W): "
                "the path through the mean of the batch left out?"
            )
        return (
            "a term is missing that is the same over (H, W): the path through a mean over "
            "the pixels, a squeeze and its gate, left out?"
        )
    if e.shape[0] * e.shape[2] * e.shape[3] > 3 and _close(lack, _along(lack, x)):
        return (
            "a term is missing that lies along x in each channel: the path through the "
            "statistics, mean and variance, left out?"
        )
    return None


def _along(lack: Array, x: Array) -> Array:
    """The nearest a + b·x of every channel."""
    axes = (0, 2, 3)
    centred = x - x.mean(axis=axes, keepdims=True)
    slope = (lack * centred).sum(axis=axes, keepdims=True) / (centred**2).sum(
        axis=axes, keepdims=True
    )
    nearest: Array = lack.mean(axis=axes, keepdims=True) + slope * centred
    return nearest


def _factor_by_axes(e: Evidence) -> str | None:
    """One factor for each place along some axes."""
    numeric = e.whole
    if numeric is None or numeric.ndim < 2:
        return None
    for axes in itertools.chain.from_iterable(
        itertools.combinations(range(numeric.ndim), count) for count in (1, 2)
    ):
        others = tuple(k for k in range(numeric.ndim) if k not in axes)
        if math.prod(e.shape[k] for k in others) < 2 or not others:
            continue
        power = (numeric**2).sum(axis=others, keepdims=True)
        factor = (e.analytic * numeric).sum(axis=others, keepdims=True) / np.where(
            power == 0, 1, power
        )
        if _close(e.analytic, factor * numeric):
            return (
                f"off by a factor that depends on {_axes(axes)} alone, {factor.min():.3g} to "
                f"{factor.max():.3g}: a product with an array of that shape missing, or doubled?"
            )
    return None


def _place(e: Evidence) -> str | None:
    """Where all the wrong entries are, if that is not everywhere."""
    if e.wrong.all() or len(e.entries) < FEW or e.wrong.sum() < 2:
        return None
    said_nothing = " (backward says 0 there)" if not e.said[e.wrong].any() else ""
    x = e.at(e.variables[e.name])
    for sign, mask in (("negative", x < 0), ("positive", x > 0)):
        if (mask == e.wrong).all():
            return f"wrong only where {e.name} is {sign}{said_nothing}: the mask?"
    places = np.unravel_index(e.entries, e.shape)
    for axis, size in enumerate(e.shape):
        met = np.unique(places[axis][e.wrong]).tolist()
        if len(met) == 1 and size > 1:
            return f"wrong only at index {met[0]} of axis {axis}{said_nothing}"
        if size > 2 and set(met) <= {0, size - 1}:
            return f"wrong only at the border of axis {axis}{said_nothing}: the padding?"
    return None


def _axes(axes: tuple[int, ...]) -> str:
    return ("axis " if len(axes) == 1 else "axes ") + " and ".join(map(str, axes))


def _proportion(a: Array, b: Array) -> float | None:
    """The c with a = c·b, if there is one."""
    power = float((b * b).sum())
    c = float((a * b).sum()) / power if power else 0.0
    return c if c and abs(c - 1) > CLOSE and _close(a, c * b) else None


def _close(a: Array, b: Array) -> bool:
    largest = max(float(np.abs(a).max(initial=0)), float(np.abs(b).max(initial=0)))
    return bool(np.abs(a - b).max(initial=0) <= CLOSE * largest)


GUESSES_FROM_ONE: tuple[Callable[[Evidence], str | None], ...] = (
    _nothing,
    _sign,
    _cotangent,
    _factor,
)
GUESSES: tuple[Callable[[Evidence], str | None], ...] = (
    _nothing,
    _sign,
    _cotangent,
    _factor,
    _axes_exchanged,
    _product_with_another,
    _term_missing,
    _shifted,
    _place,
    _factor_by_axes,
)
