"""What a pass has not proved: faults that these inputs cannot show, and inputs that show them.

An array of ones hides a factor that was left out, equal lengths an axis taken for another, and so
on. Whether a gradient depends on the values that hide something is measured, by slopes of forward
alone, so that nothing is told where nothing can hide.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np

from minise.arrays import Array
from minise.gradcheck import options
from minise.gradcheck.axes import OUTPUT, Axes, alike, apart, output_shape, told
from minise.gradcheck.checked import Checked
from minise.gradcheck.differences import Verdict
from minise.gradcheck.passed import STEP, Pass
from minise.gradcheck.subject import Subject
from minise.gradcheck.vary import distributions, redrawn

NAMES = 3  # told of one kind, at most
MANY = 8  # entries: of fewer all may have one sign by chance


def unseen(
    subject: Subject,
    gradients: Sequence[Checked],
    passed: bool,
    rng: np.random.Generator,
) -> tuple[str, ...]:
    """A line for each kind, the gravest first. Where the check failed, only what may be why."""
    of = Pass(subject, tuple(gradients), rng)
    rules = RULES if passed else RULES[:1]
    return tuple(line for rule in rules for line in rule(of))


def _unused(of: Pass) -> Iterator[str]:
    names = [g.name for g in of.gradients if not g.numeric.any() and _forgotten(of, g.name)]
    if names:
        yield (
            f"forward does not use {_list(names)}: is it forgotten there? "
            "A gradient of 0 is right, and proves nothing"
        )


def _moves_nothing(of: Pass, name: str, others: Mapping[str, Array] | None = None) -> bool:
    """Whether y is the same bit for bit, however far it moves; also with other arrays beside it."""
    others, array = others or {}, of.variables[name]
    y = of.output(others)
    moved = [of.output({**others, name: array + by * of.normal(name)}) for by in (1.0, -1.0, 100.0)]
    return y is not None and all(
        m is not None and np.array_equal(y, m, equal_nan=True) for m in moved
    )


def _forgotten(of: Pass, name: str) -> bool:
    """Wherever it was tried: beside other arrays, and where no axis has length 1.

    A softmax of one number, or a norm over one, is the same for any.
    """
    places = [of] if of.longer is None else [of, of.longer]
    return all(
        _moves_nothing(at, name, {n: at.normal(n) for n in at.variables if n != name})
        for at in places
        for _ in range(3)
    )


def _zero(of: Pass) -> Iterator[str]:
    """A gradient that is 0 here alone; or everywhere, as that of a sum of what is normalised."""
    to_try: dict[str, str] = {}
    everywhere = []
    for name in _zeros(of):
        if _forgotten(of, name):
            continue
        for others in ([name], [n for n in of.variables if n != name], list(of.variables)):
            if _has_slope(of, name, others):
                to_try[name] = _random(of, others)
                break
        else:
            if of.longer is not None and _has_slope(of.longer, name, list(of.variables)):
                to_try[name] = told({n: a for n, a in of.longer.variables.items() if of.given(n)})
            elif output_shape(of.subject) == ():
                everywhere.append(name)
    for code in dict.fromkeys(to_try.values()):
        names = [name for name in to_try if to_try[name] == code]
        yield (
            f"the gradient of {_list(names)} is 0 at these inputs, whatever multiplies it: "
            f"try {code}"
        )
    if everywhere:
        yield (
            f"the gradient of {_list(everywhere)} is 0 at other inputs too: if a sum makes y one "
            "number, weigh it, as in (y * r).sum() with r drawn at random"
        )


def _has_slope(of: Pass, name: str, others: Sequence[str]) -> bool:
    """Whether y depends on it where the others are random numbers."""
    slopes = of.slopes({name: of.normal(name)}, {n: of.normal(n) for n in others})
    y = of.output()
    if slopes is None or y is None:
        return False
    rounding = 1e-10 * (1 + float(np.abs(y).max()))
    return bool(np.abs(slopes).max() > rounding / STEP)


def _zeros(of: Pass) -> list[str]:
    return [
        g.name
        for g in of.gradients
        if set(g.verdicts) == {Verdict.TOO_SMALL}
        or not (g.analytic.any() or set(g.verdicts) == {Verdict.KINK})
    ]


def _kinks(of: Pass) -> Iterator[str]:
    if names := _at_kinks(of):
        yield (
            f"every entry of {_list(names)} is at a kink, where any slope between those on its "
            f"sides passes: try {names[0]} + 0.1 * rng.standard_normal({names[0]}.shape)"
        )


def _at_kinks(of: Pass) -> list[str]:
    return [g.name for g in of.gradients if set(g.verdicts) == {Verdict.KINK}]


def _one_number(of: Pass) -> Iterator[str]:
    if any(array.size > 1 for array in of.variables.values()):
        return
    names = list(of.subject.given)
    several = {n: of.rng.standard_normal(5) for n in names}
    shape = None
    if all(n in of.subject.inputs for n in names):
        shape = output_shape(of.subject, of.subject.inputs | several, backward=True)
    more = f"{names[0]} = rng.standard_normal(5)" if shape else f"other numbers for {names[0]} too"
    yield f"of one number many formulas are right (2·x and x·x at 2): try {more}"


def _one_sided(of: Pass) -> Iterator[str]:
    """Beyond relu's 0 its mask shows; log, which has no other side, and x² have nothing to hide."""
    for name in of.subject.given:
        array = of.variables[name]
        if array.size < MANY or not (np.all(array > 0) or np.all(array < 0)) or name in _zeros(of):
            continue
        signs = np.where(np.arange(array.size) % 2, -1.0, 1.0).reshape(array.shape)
        if of.matters(name, redrawn(array, of.rng)) is False and of.matters(name, array * signs):
            side = "positive" if np.all(array > 0) else "negative"
            yield (
                f"{name} is {side} everywhere, and forward bends where it is not: "
                f"a mask left out passes; try {_random(of, [name])}"
            )


def _values(of: Pass) -> Iterator[str]:
    hiding: dict[str, list[str]] = {}
    told_already = _zeros(of) + _at_kinks(of)
    for name, array in of.variables.items():
        if name in told_already or not array.size or not array.ndim:
            continue
        what = _hides(array)
        if what and of.matters(name, redrawn(array, of.rng) if what != SAME else of.normal(name)):
            hiding.setdefault(what, []).append(name)
    neutral = {number: hiding.pop(number) for number in ("0", "1") if number in hiding}
    if neutral:
        are = [f"{_list(names)} {_are(names)} {number}" for number, names in neutral.items()]
        names = list(itertools.chain(*neutral.values()))
        them = "it" if len(names) == 1 else "one of them"
        yield (
            f"{', '.join(are)} everywhere: a backward without {them} passes; "
            f"try {_random(of, names)}"
        )
    for what, names in hiding.items():
        yield f"{_list(names)} {_are(names)} {what}; try {_random(of, names)}"


SAME = "the same when reversed or transposed: either passes"


def _equal(of: Pass) -> Iterator[str]:
    """`check(f, x, x)`: what is x in one place may be the other in another."""
    named = [(n, a) for n, a in of.variables.items() if of.given(n) and a.size > 1 and np.ptp(a)]
    for (one, a), (other, b) in itertools.combinations(named, 2):
        if np.array_equal(a, b):
            yield (
                f"{one} and {other} are equal: code that takes one for the other passes; try "
                f"{_random(of, [other])}"
            )


def _hides(array: Array) -> str | None:
    if not np.ptp(array):
        value = float(array.reshape(-1)[0])
        if value in (0, 1):
            return f"{value:.0f}"
        many = array.ndim > 1 and array.size > 1
        return f"{value:.4g} everywhere: entries in any order pass" if many else None
    if set(np.unique(array).tolist()) <= {0.0, 1.0}:
        return None if distributions(array) else "only 0 and 1: its square passes for it"
    return SAME if array.size > 3 and _symmetric(array) else None


def _symmetric(array: Array) -> bool:
    last = [k for k in range(array.ndim) if array.shape[k] > 1][-2:]
    flips = [axes for count in (1, 2) for axes in itertools.combinations(last, count)]
    square = len(last) == 2 and array.shape[last[0]] == array.shape[last[1]]
    return any(np.array_equal(array, np.flip(array, axes)) for axes in flips) or (
        square and np.array_equal(array, array.swapaxes(*last))
    )


def _shapes(of: Pass) -> Iterator[str]:
    if _entry_by_entry(of):
        return
    axes = Axes(of.subject)
    longer = apart(axes, [b for b in axes.blocks if b.length > 1])
    inputs = axes.of(longer)
    before, after = alike(axes), alike(axes, inputs)
    hiding = {n: shape for n, shape in before.items() if n not in after}
    if len(hiding) > 1:
        hiding.pop(OUTPUT, None)  # it follows from the inputs
    square = {
        name: array.shape
        for name, array in of.variables.items()
        if name not in axes.arrays and array.ndim == 2 and array.shape[0] == array.shape[1] > 1
    }
    if hiding or square:
        better = {n: a for n, a in inputs.items() if hiding and any(n == m for m, _ in longer)}
        tries = [told(better)] * bool(better) + [f"other sizes of {_list(list(square))}"] * bool(
            square
        )
        yield (
            f"{told(hiding | square)}: code that takes the wrong one of two axes of equal length "
            f"passes; try {' and '.join(tries)}"
        )
    ones = apart(axes, [b for b in axes.blocks if b.length == 1])
    inputs = axes.of(ones)
    better = {n: a for n, a in inputs.items() if any(n == name for name, _ in ones)}
    if better:
        short = told({n: axes.arrays[n] for n in better})
        yield (
            f"{short}: a sum left out over an axis of length 1, or a mean in its place, passes; "
            f"try {told(better)}"
        )


def _entry_by_entry(of: Pass) -> bool:
    """Whether every output depends on the entry in its place alone: no axis is summed over."""
    y, changed = of.output(), {n: of.normal(n) for n in of.variables}
    if y is None or any(array.shape != y.shape for array in changed.values()):
        return False
    half = of.rng.integers(0, 2, y.shape).astype(bool)
    moved = of.output({n: np.where(half, a, of.variables[n]) for n, a in changed.items()})
    return moved is not None and np.array_equal(moved[~half], y[~half], equal_nan=True)


def _options(of: Pass) -> Iterator[str]:
    yield from options.hiding(of.subject)


RULES: tuple[Callable[[Pass], Iterator[str]], ...] = (
    _unused,
    _zero,
    _kinks,
    _one_number,
    _one_sided,
    _values,
    _equal,
    _shapes,
    _options,
)


def _list(names: Sequence[str]) -> str:
    more = len(names) - NAMES
    return ", ".join(names[:NAMES]) + (f" and {more} more" if more > 0 else "")


def _are(names: Sequence[str]) -> str:
    return "is" if len(names) == 1 else "are"


def _random(of: Pass, names: Sequence[str]) -> str:
    """Code for the first of them, or words for a parameter."""
    inputs = [name for name in names if of.given(name)]
    if not inputs:
        return f"random numbers for {'this parameter' if len(names) == 1 else 'these parameters'}"
    drawn = []
    for name in inputs[:NAMES]:
        array = of.variables[name]
        shape = str(array.shape if array.ndim != 1 else array.shape[0])
        positive = array.size and np.all(array > 0) and not np.ptp(array)
        call = f"uniform(0.5, 2, {shape})" if positive else f"standard_normal({shape})"
        drawn.append(f"{name} = rng.{call}")
    return ", ".join(drawn)
