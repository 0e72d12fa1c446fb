"""A factor, a sign, dy where it does not belong, a product left out."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator

import numpy as np

from minise.arrays import Array
from minise.gradcheck.causes.evidence import (
    CLOSE,
    FEW,
    Evidence,
    axes_called,
    close,
    fitted,
    proportion,
)

LETTERS = {4: "NCHW", 3: "CHW", 2: "NC", 1: "N"}
USUAL = ("N", "H·W", "N·H·W")  # what sums and means are over
LITTLE = 1e-4  # relative
RARE = ("H", "W", "C", "C·H·W", "N·C", "N·C·H·W", "N·H", "N·W", "C·H", "C·W")


def nothing(e: Evidence) -> str | None:
    """All is 0."""
    return None if e.said.any() else "backward gives 0 everywhere"


def sign(e: Evidence) -> str | None:
    """Right but for the sign."""
    return "the sign is wrong: right when multiplied by −1" if close(e.said, -e.numeric) else None


def factor(e: Evidence) -> str | None:
    """One number for all entries."""
    c = proportion(e.said, e.numeric)
    if c is None:
        return None
    size = f"off by the constant factor {c:.6g}"
    for s, text in ((1, ""), (-1, " and by its sign")):
        for name, value in _settings(e):
            if math.isclose(s * c, value, rel_tol=CLOSE):
                return f"{size} = {name}{text}: is it left out, or taken twice?"
        if told := _of_windows(e, s * c):
            return f"{size}{text}: {told}"
        for name, n in _sizes(e):
            if math.isclose(s * c, 1 / n, rel_tol=CLOSE):
                why = f"a mean where a sum over {name} is needed?"
                if not np.ndim(e.dy):
                    why = f"divided by {name} once too often?"
                return f"{size} = 1/({name}) = 1/{n}{text}: {why}"
            if math.isclose(s * c, n, rel_tol=CLOSE):
                return f"{size} = {name} = {n}{text}: a sum where a mean over {name} is needed?"
    if np.shape(e.dy) in ((), e.shape) and math.isclose(c, 0.5, rel_tol=CLOSE):
        return f"{size}: is the 2 left out, that comes down from a square?"
    for s in (1, -1):
        n = round(c ** (2 * s))
        if math.isqrt(n) ** 2 == n and not np.ndim(e.dy):
            continue  # 2 in a loss is 2, and not the root of 4
        if n in e.shape[-1:] and n > 2 and math.isclose(c ** (2 * s), n, rel_tol=CLOSE):
            return f"{size} = {'1/' if s < 0 else ''}√{n}: is a scale by 1/√{n} left out, or twice?"
    return size if len(e.entries) > 2 else None


def little(e: Evidence) -> str | None:
    """Off everywhere by next to nothing: log(p + 1e-7) differentiated as log(p)."""
    largest = np.maximum(np.abs(e.said), np.abs(e.numeric))
    there = largest > 0
    off = float((np.abs(e.said - e.numeric)[there] / largest[there]).max())
    if off > LITTLE:
        return None
    return (
        f"off by no more than {off:.1e} of it: a small number that forward adds, as an eps, left "
        f"out? If it is meant so, tolerance={10.0 ** math.ceil(math.log10(off)):.0e}"
    )


def _settings(e: Evidence) -> Iterator[tuple[str, float]]:
    """Numbers that the function was given, and what is made of them."""
    for name, value in e.settings.items():
        made = {name: value}
        if value == int(value):
            made |= {f"{name}²": value**2}  # of a window
        else:
            made |= {f"(1 − {name})": 1 - value, f"(2·{name})": 2 * value}
        for called, n in made.items():
            if n and abs(n) != 1:
                yield called.strip("()"), n
                yield f"1/{called}", 1 / n


def _sizes(e: Evidence) -> Iterator[tuple[str, int]]:
    """Products of the sizes of x's and y's axes with their names; what means are taken over first.

    None for a gradient that is shaped as y: nothing was summed, it seems, and 3 is not C. What is
    rarely summed over alone, C or W, is looked for in the gradient of the first variable only.
    """
    if e.shape == np.shape(e.dy):
        return
    first = next(iter(e.variables))
    shapes = (("", e.variables[first].shape), (" of y", np.shape(e.dy)))
    (_, x), (_, y) = shapes
    if len(x) == len(y) == 2 and x[1] == y[1] > 2 and x[0] != y[0] and e.name != first:
        yield "axis 1 of y", y[1]  # samples in columns, as z = w·a + b has them
    for names in (USUAL, RARE if e.name == first else ()):
        for (of, shape), name in itertools.product(shapes, names):
            letters = LETTERS.get(len(shape), "")
            if set(name.split("·")) <= set(letters):
                n = math.prod(shape[letters.index(letter)] for letter in name.split("·"))
                if n > 2:
                    yield name + of, n


def _of_windows(e: Evidence, c: float) -> str | None:
    """As many entries as one output is made of, or outputs as one entry makes."""
    of_y = np.shape(e.dy)
    if len(of_y) != 4 or len(e.shape) != 4 or e.shape[:2] != of_y[:2]:
        return None
    for more, fewer, power, told in (
        (e.shape, of_y, 1, "a sum where a mean over the {} entries of a window is needed?"),
        (of_y, e.shape, -1, "a mean where a sum over the {} outputs of an entry is needed?"),
    ):
        n = math.prod(a // b for a, b in zip(more[2:], fewer[2:], strict=True))
        if n > 1 and math.isclose(c**power, n, rel_tol=CLOSE):
            return told.format(n)
        if n > 1 and math.isclose(c**power, 1 / n, rel_tol=CLOSE):
            return f"divided by the {n} entries of a window once too often?"
    return None


def cotangent(e: Evidence) -> str | None:
    """dy left out, or in the wrong place."""
    if np.ndim(e.dy) and np.shape(e.dy) != e.shape:
        return None
    dy = e.at(np.broadcast_to(e.dy, e.shape))
    if close(e.said * dy, e.numeric):
        return "right only for dy = 1: it has to be multiplied by dy"
    if close(e.said * dy * dy, e.numeric):
        return "divided by dy, where it has to be multiplied by dy"
    if close(e.said, e.numeric * dy):
        return "multiplied by dy twice"
    return None


def product_with_another(e: Evidence) -> str | None:
    """Another variable as a factor."""
    for name, array in e.variables.items():
        for spread in _spreads(array, e.shape):
            v = e.at(spread)
            if not v.any() or np.ptp(v) == 0 or len(v) < FEW - 1:
                continue
            if close(e.said * v, e.numeric):
                return f"right when multiplied by {name}: a factor left out?"
            if close(e.said, e.numeric * v):
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


def factor_by_axes(e: Evidence) -> str | None:
    """One factor for each place along some axes."""
    there = (e.numeric != 0) | (e.said != 0)
    if len(e.shape) == 2 and e.whole is not None and np.linalg.matrix_rank(e.whole, CLOSE) < 2:
        return None  # of one sample that counts: any wrong row that it is made of looks like that
    for axes in itertools.chain.from_iterable(
        itertools.combinations(range(len(e.shape)), count) for count in (1, 2)
    ):
        others = tuple(k for k in range(len(e.shape)) if k not in axes)
        if not others or math.prod(e.shape[k] for k in others) < 3:
            continue
        found = fitted(e.said[there], e.groups(others)[there], e.numeric[there])
        if found is None:
            continue
        by = found[1]
        if not (np.isclose(by, 0, atol=CLOSE) | np.isclose(by, 1, atol=CLOSE)).all():
            return (
                f"off by a factor that depends on {axes_called(axes)} alone, {by.min():.3g} to "
                f"{by.max():.3g}: a product with an array of that shape missing, or doubled?"
            )
    return None
