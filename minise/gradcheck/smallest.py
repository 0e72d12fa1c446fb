"""The smallest input on which a gradient still fails in the same way, as code to paste."""

from __future__ import annotations

import functools
import re
import warnings
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from minise.gradcheck.axes import Axes
from minise.gradcheck.differences import Verdict
from minise.gradcheck.report import Report
from minise.gradcheck.subject import Subject, is_float, name_of

TRIES = 60  # candidates
LENGTHS = (1, 2, 3)  # of an axis; then half of it
FEW = 60  # entries of all arrays together: more is no small input
WIDTH = 76  # of a terminal, but for the indentation
STEP = 1e-5
WRONG = 1e-4  # relative: slopes along a direction


def with_smallest(
    report: Report,
    given: Any,
    subject: Subject,
    options: Mapping[str, Any],
    report_of: Callable[[Subject], Report],
) -> Report:
    """The same report, with the smallest input if a gradient is wrong and nothing tells why."""
    fails = _failure(report)
    if fails is None:
        return report
    search = _Search(fails)
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if not search.fails(subject):
            return report
        small = _rounded(search, _shrunk(search, subject))
        sizes = [v.size for v in small.inputs.values() if isinstance(v, np.ndarray)]
        if sum(sizes) > FEW or not _same(report, report_of(small)):
            return report
    return replace(report, smallest=_code(given, small, options))


def _failure(report: Report) -> Callable[[Subject], bool] | None:
    """What tells whether other inputs fail in the same way, if nothing was told of why.

    A cause tells, a habit that is missing, a tie that is given twice.
    """
    unclear = (
        gradient.name
        for gradient in report.gradients
        if not (gradient.passed or gradient.cause or gradient.together is Verdict.WRONG)
    )
    name = next(unclear, None)
    return functools.partial(_wrong, name=name) if name else None


def _same(one: Report, other: Report) -> bool:
    names = {g.name for g in one.gradients if not g.passed}
    return any(not g.passed for g in other.gradients if g.name in names)


def _wrong(subject: Subject, name: str) -> bool:
    """Whether the gradient is off along a random direction."""
    rng = np.random.default_rng(0)
    arrays = subject.variables
    y, backward = subject.fresh().run({n: np.copy(a) for n, a in arrays.items()})
    dy = rng.standard_normal(np.shape(y))[()]
    analytic = np.array(backward(np.copy(dy)[()])[name])
    if analytic.shape != arrays[name].shape or not np.isfinite(analytic).all():
        return False
    for _ in range(2):
        direction = rng.standard_normal(analytic.shape)
        up, down = (
            subject.fresh().run(
                {n: a + t * direction if n == name else np.copy(a) for n, a in arrays.items()}
            )[0]
            for t in (STEP, -STEP)
        )
        found = float(((up - down) * dy).sum()) / (2 * STEP)
        said = float((analytic * direction).sum())
        size = max(abs(found), abs(said), float(np.sqrt((analytic**2).sum())))
        if abs(found - said) > WRONG * size:
            return True
    return False


class _Search:
    """Candidates, of which so many are tried."""

    def __init__(self, failing: Callable[[Subject], bool]) -> None:
        self.failing, self.left = failing, TRIES

    def fails(self, subject: Subject) -> bool:
        """Whether it still does; not where it cannot be run."""
        self.left -= 1
        if self.left < 0:
            return False
        try:
            return self.failing(subject)
        except Exception:  # any: the person's own code, on an input that it does not take
            return False

    def on(self, subject: Subject, inputs: Mapping[str, Any]) -> Subject | None:
        """The subject on these inputs, if it still fails on them."""
        try:
            other = subject.on(inputs)
        except Exception:  # any: as above
            return None
        return other if self.fails(other) else None


def _shrunk(search: _Search, subject: Subject) -> Subject:
    """Block of axes after block, the longest first; the first entries of each stay.

    Until none can be shortened: an image may have to stay as wide as its kernel was at first.
    """
    axes = Axes(subject)
    kept: dict[tuple[str, int], int] = {}
    smallest, before = subject, None
    while before != kept:
        before = kept
        for block in sorted(axes.blocks, key=lambda b: -b.length):
            now = min(kept.get(axis, block.length) for axis in block.axes)
            for length in sorted({n for n in (*LENGTHS, now // 2) if 0 < n < now}):
                trial = kept | dict.fromkeys(block.axes, length)
                if small := search.on(subject, axes.of(trial)):
                    kept, smallest = trial, small
                    break
    return smallest


def _rounded(search: _Search, subject: Subject) -> Subject:
    """To as few digits as still fail, all inputs at once."""
    for digits in (1, 2, 3):
        inputs = {
            name: np.round(value, digits) + 0.0 if is_float(value) else value
            for name, value in subject.inputs.items()
        }
        if other := search.on(subject, inputs):
            return other
    return subject


def _code(given: Any, subject: Subject, options: Mapping[str, Any]) -> str:
    """An assignment for each input, and the call."""
    names = {name: re.sub(r"\W+", "_", name).strip("_") for name in subject.inputs}
    lines = [_assigned(names[name], value) for name, value in subject.inputs.items()]
    arguments = [_expression(given), *names.values()]
    arguments += [f"{name}={_expression(value)}" for name, value in options.items()]
    if arguments[0] == type(given).__name__.lower():
        lines.insert(0, f"# {arguments[0]} is the {type(given).__name__} that was checked")
    call = f"gradcheck.check({', '.join(arguments)})"
    if len(call) > WIDTH:
        call = f"gradcheck.check(\n    {', '.join(arguments)}\n)"
    return "\n".join([*lines, call])


def _assigned(name: str, value: Any) -> str:
    if not isinstance(value, np.ndarray):
        return f"{name} = {value!r}"
    flat = value.ndim > 2
    start = f"{name} = np.array("
    text = np.array2string(
        value.reshape(-1) if flat else value,
        separator=", ", floatmode="unique", max_line_width=WIDTH, prefix=start,
    )  # fmt: skip
    dtype = "" if value.dtype in (np.float64, np.int64) else f", dtype=np.{value.dtype}"
    return f"{start}{text}{dtype})" + (f".reshape{value.shape}" if flat else "")


def _expression(value: Any) -> str:
    """What was typed for it, as far as that can be known."""
    if isinstance(value, tuple):
        parts = list(map(_expression, value))
        if parts[1:] == ["f"]:  # not named either
            parts[1] = "f_backward"
        return f"({', '.join(parts)})"
    if isinstance(value, functools.partial):
        parts = [_expression(value.func), *map(_expression, value.args)]
        parts += [f"{name}={_expression(part)}" for name, part in value.keywords.items()]
        return f"partial({', '.join(parts)})"
    if isinstance(value, bool | int | float | str | dict | None):
        return repr(value)
    if callable(value) and hasattr(value, "__name__"):
        name = name_of(value)
        return "f" if name == "<lambda>" else name
    return type(value).__name__.lower()
