"""One gradient against differences: which entries, with which step, and the verdicts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from minise.backend import Array
from minise.gradcheck.causes import Evidence, cause
from minise.gradcheck.complex_steps import complex_slopes
from minise.gradcheck.differences import (
    FLOOR,
    LADDER,
    Judged,
    Ladder,
    Line,
    Verdict,
    judge,
    relative_error,
)
from minise.gradcheck.report import Checked, Kink
from minise.gradcheck.subject import Subject

TOLERANCES = {"differences": 1e-6, "complex": 1e-10}  # of each method, unless another is given


@dataclass(frozen=True)
class Way:
    """How gradients are compared."""

    method: str
    tolerance: float
    step: float | None  # relative to the root mean square of the array; None is chosen
    sample: int  # entries at most

    def exact(self) -> bool:
        """Whether slopes are exact to rounding, so that no step can be to blame."""
        return self.method == "complex"


def compare(
    subject: Subject, name: str, analytic: Array, dy: Any, way: Way, rng: np.random.Generator
) -> Checked:
    """What `analytic` is worth as the gradient of Σ y · dy with respect to the variable `name`."""
    array = subject.variables[name]
    scale = float(np.sqrt(np.mean(array**2))) or 1.0
    entries, all_of_them = np.arange(array.size), array.size <= way.sample
    if not all_of_them:
        entries = np.sort(rng.choice(array.size, way.sample, replace=False))
    direction = scale * rng.standard_normal(array.shape)
    along = float((analytic * direction).sum())
    whole = _line(subject, dy, name, ..., direction)
    ladder = Ladder.of(whole)
    step = way.step or float(LADDER[ladder.best])

    lines = [
        _line(subject, dy, name, tuple(map(int, index)), scale)
        for index in np.transpose(np.unravel_index(entries, array.shape))
    ]
    said = analytic.reshape(-1)[entries] * scale
    if way.exact():
        found = complex_slopes(subject, dy, name, entries, scale, whole, ladder)
    else:
        found = np.array([line.central(step) for line in lines])
    floor = FLOOR * float(np.fmax.reduce(np.abs(found), initial=0.0))
    looked_at = {
        k: judge(lines[k], float(said[k]), floor, way.tolerance, way.step)
        for k in np.flatnonzero(~(relative_error(said, found, floor) <= way.tolerance)).tolist()
    }  # NaN is not within the tolerance either
    verdicts = [Verdict.RIGHT] * len(lines)
    for k, judged in looked_at.items():
        verdicts[k] = _verdict(judged, way)
        if not way.exact() or verdicts[k] is Verdict.KINK:
            found[k] = judged.numeric
    errors, numeric = relative_error(said, found, floor), found / scale

    wrong = np.array([verdict is Verdict.WRONG for verdict in verdicts])
    curve = relative_error(along, ladder.central, 0.0)
    if wrong.any():
        curve = looked_at[
            int(np.argmax(np.where(wrong, np.nan_to_num(errors, nan=9.0), -1)))
        ].errors
    roughly = max(way.tolerance, TOLERANCES["differences"])
    overall = together = None
    if not all_of_them:
        overall = judge(whole, along, 0.0, roughly, None).verdict
    kinks = [k for k, verdict in enumerate(verdicts) if verdict is Verdict.KINK]
    if len(kinks) > 1:
        # a tie that is given to both of its pixels is as right as any for each of them alone
        moved = np.zeros(array.shape)
        moved.reshape(-1)[entries[kinks]] = scale
        line = _line(subject, dy, name, ..., moved)
        together = judge(line, float(said[kinks].sum()), 0.0, roughly, None).verdict
    return Checked(
        name=name,
        analytic=analytic,
        entries=entries,
        numeric=numeric,
        verdicts=tuple(verdicts),
        errors=errors,
        kinks=tuple(Kink(k, looked_at[k].below / scale, looked_at[k].above / scale) for k in kinks),
        step=step,
        overall=overall,
        together=together,
        cause=cause(Evidence(name, subject.variables, dy, analytic, entries, numeric, wrong)),
        curve=curve,
    )


def _verdict(judged: Judged, way: Way) -> Verdict:
    """Where slopes are exact, a closer look can only find a kink."""
    return Verdict.WRONG if way.exact() and judged.verdict is Verdict.RIGHT else judged.verdict


def _line(subject: Subject, dy: Any, name: str, where: Any, direction: Any) -> Line:
    variables = subject.variables

    def evaluate() -> Any:
        # copies, because a forward may write into what it is given
        return subject.fresh().run({n: a.copy() for n, a in variables.items()})[0]

    return Line(evaluate, dy, variables[name], where, direction)
