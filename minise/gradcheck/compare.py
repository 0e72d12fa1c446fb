"""One gradient against differences: which entries, with which step, and the verdicts."""

from __future__ import annotations

import functools
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from minise.arrays import Array
from minise.gradcheck.beside import Beside, line_through, root_mean_square
from minise.gradcheck.checked import Checked, Kink, place
from minise.gradcheck.complex_steps import complex_slopes
from minise.gradcheck.differences import (
    EPS,
    LADDER,
    Judged,
    Ladder,
    Line,
    Point,
    Verdict,
    judge,
    relative_error,
)
from minise.gradcheck.noise import NONE, Noise, noise_along
from minise.gradcheck.subject import Gradients, Subject

TOLERANCES = {"differences": 1e-6, "complex": 1e-10}  # of each method, unless another is given

# The error of an entry that is right is told relative to itself, but to no less than this part of
# the largest entry: below, it is all rounding.
FLOOR = 1e-3

COARSE = 1e-2  # a step that noise, and slopes of its own between its jumps, cannot deceive
PLAIN = 1e-6  # of the gap to what backward says, that a finer step may differ by

UNPROVED = (Verdict.WRONG, Verdict.TOO_SMALL)


@dataclass(frozen=True)
class Way:
    """How gradients are compared."""

    method: str
    tolerance: float
    step: float | None  # relative to the root mean square of the array; None is chosen
    sample: int  # entries at most

    @property
    def exact(self) -> bool:
        """Whether slopes are exact to rounding, so that no step can be to blame."""
        return self.method == "complex"


class Comparison:
    """Σ y · dy of one subject, whose gradients are compared one variable after the other."""

    def __init__(self, subject: Subject, dy: Any, way: Way, rng: np.random.Generator) -> None:
        self.subject, self.dy, self.way, self.rng = subject, dy, way, rng
        self.variables = subject.variables
        self.noise: Noise | None = None  # until it is looked for
        self.least = 0.0  # slopes that are lost in rounding inside, times the size of the array
        self.within = 0.0  # how well slopes are known in spite of noise, to the largest

    def beside_all(self, analytic: Gradients) -> None:
        """Take a sum that cancels to nothing (of what a batch norm gives, say) for such a slope."""
        slopes = [
            root_mean_square(self.variables[name])
            * float(np.abs(g[np.isfinite(g)]).max(initial=0.0))
            for name, g in analytic.items()
        ]
        self.least = 100 * EPS * max(slopes, default=0.0)

    def of(self, name: str, analytic: Array) -> Checked:
        """What `analytic` is worth as the gradient with respect to the variable `name`.

        Where differences contradict it, the outputs may have noise of their own: that is looked
        for once, and with what is found all is judged again.
        """
        array, sample = self.variables[name], self.way.sample
        entries = np.arange(array.size)
        if array.size > sample:
            entries = np.sort(self.rng.choice(array.size, sample, replace=False))
        direction = root_mean_square(array) * self.rng.standard_normal(array.shape)
        checked, plain = self._compared(name, analytic, entries, direction)
        if self.noise is None and not plain:
            self.noise = NONE if self.way.exact else noise_of(self.subject, self.dy, self.rng)
            if self.noise:
                checked, _ = self._compared(name, analytic, entries, direction)
        return checked

    def _compared(
        self, name: str, analytic: Array, entries: Any, direction: Array
    ) -> tuple[Checked, bool]:
        """The verdicts, and whether each is plain, so that noise can have no part in it."""
        way, array = self.way, self.variables[name]
        scale, all_of_them = root_mean_square(array), len(entries) == array.size
        along = float((analytic * direction).sum())
        whole = self.line(name, ..., direction)
        ladder = Ladder.of(whole)
        step = way.step or float(LADDER[ladder.best])

        lines = [self.line(name, place(k, array.shape), scale) for k in entries.tolist()]
        said = analytic.reshape(-1)[entries] * scale
        sure = np.zeros(len(lines), bool)
        if way.exact:
            found = complex_slopes(self.subject, self.dy, name, entries, scale, whole, ladder)
        elif self.noise:
            fits = [line.fitted(step) for line in lines]
            found = np.array([fit.slope for fit in fits])
            largest = max(float(np.abs(found).max(initial=0.0)), 1e-300)
            self.within = max(self.within, 3 * max(fit.doubt for fit in fits) / largest)
            sure |= [fit.sees(slope) for fit, slope in zip(fits, said.tolist(), strict=True)]
        else:
            found = np.array([line.central(step) for line in lines])
        sure |= relative_error(said, found) <= way.tolerance
        verdicts = [Verdict.RIGHT] * len(lines)
        looked_at: dict[int, Judged] = {}
        unsure = np.flatnonzero(~sure).tolist()
        plainly: set[int] = set()
        if unsure and not way.exact and not self.noise:
            here = lines[0].at(0.0)[0], 0.0
            plainly = {
                k
                for k in unsure
                if abs(said[k] - found[k]) > self.least
                and not _own_sizes(array, lines[k].where, scale)
                and _plainly_wrong(lines[k], here, step, found[k], said[k])
            }
        worst = max(unsure, key=lambda k: abs(said[k] - found[k]), default=None)
        for k in unsure:
            if k in plainly and k != worst:
                verdicts[k] = Verdict.WRONG
                continue
            judged = looked_at[k] = self.closer(name, int(entries[k]), float(said[k]), scale)
            # where slopes are exact, a closer look can only find a kink
            right = judged.verdict is Verdict.RIGHT
            verdicts[k] = Verdict.WRONG if way.exact and right else judged.verdict
            seen = max(abs(said[k]), min(abs(judged.numeric), abs(found[k])))
            if verdicts[k] is Verdict.WRONG and seen <= self.least:
                verdicts[k] = Verdict.TOO_SMALL
            if not way.exact or verdicts[k] is Verdict.KINK:
                found[k] = judged.numeric
        wrong = np.array([verdict is Verdict.WRONG for verdict in verdicts])
        floor = FLOOR * float(np.fmax.reduce(np.abs(found), initial=0.0))
        errors, numeric = relative_error(said, found, np.where(wrong, 0, floor)), found / scale
        curve = relative_error(along, ladder.central)
        if wrong.any():
            looked = [k for k in np.flatnonzero(wrong).tolist() if k in looked_at]
            if looked:
                curve = looked_at[max(looked, key=lambda k: np.nan_to_num(errors[k], nan=9))].errors
        kinks = [k for k, verdict in enumerate(verdicts) if verdict is Verdict.KINK]
        checked = Checked(
            name=name,
            analytic=analytic,
            entries=entries,
            numeric=numeric,
            verdicts=tuple(verdicts),
            errors=errors,
            kinks=tuple(
                Kink(k, looked_at[k].below / scale, looked_at[k].above / scale) for k in kinks
            ),
            step=step,
            overall=None if all_of_them else self.along(name, direction, along, anywhere=True),
            together=self.together(name, entries[kinks], said[kinks], scale),
            cause=None,
            curve=curve,
        )
        doubted = {k for k in unsure if verdicts[k] is not Verdict.RIGHT} - plainly
        plain = not doubted and (ladder.settled or bool(analytic.any()))
        return checked, plain and (bool(plainly) or checked.overall not in UNPROVED)

    def line(self, name: str, where: Any, direction: Any) -> Line:
        """The subject along a line in one of its variables."""
        noise = self.noise or NONE
        return line_through(self.subject, self.variables, self.dy, name, where, direction, noise)

    def closer(self, name: str, entry: int, said: float, scale: float) -> Judged:
        """Judge one entry; `said` is its slope times `scale`.

        An entry much smaller than the others wants steps of its own size, one with an offset those
        of the spread: where the common ones end in doubt, these are tried too. And where several
        kinks meet, it is judged beside them.
        """
        array, tolerance = self.variables[name], self.way.tolerance
        where = place(entry, array.shape)
        judged = judge(self.line(name, where, scale), said, tolerance, self.way.step)
        for own in _own_sizes(array, where, scale):
            if judged.verdict not in (Verdict.WRONG, Verdict.TOO_SMALL) or judged.doubtful:
                break
            if self.way.step:
                continue
            again = judge(self.line(name, where, own), said / scale * own, tolerance)
            if again.verdict in (Verdict.RIGHT, Verdict.KINK, Verdict.WRONG):
                judged = replace(
                    again,
                    numeric=again.numeric * scale / own,
                    below=again.below * scale / own,
                    above=again.above * scale / own,
                )
        beside = self.beside if judged.doubtful else None
        if (
            beside
            and beside.in_reach(judged, name, where, scale)
            and beside.judge(name, where, scale, tolerance)
        ):
            return replace(judged, verdict=Verdict.KINK)
        return judged

    def along(
        self, name: str, direction: Array, said: float, anywhere: bool = False, kinks: int = 0
    ) -> Verdict:
        """Judge a direction; one that meets kinks beside them, if it may be judged anywhere.

        Of several `kinks` the slopes on both sides may be the same, as of a clip at both borders.
        """
        tolerance = max(self.way.tolerance, TOLERANCES["differences"])
        judged = judge(self.line(name, ..., direction), said, tolerance)
        hidden = kinks > 1 and judged.verdict is Verdict.WRONG
        if judged.doubtful or hidden or (anywhere and judged.verdict is Verdict.KINK):
            right = self.beside.judge(name, ..., direction, tolerance)
            right = right and self.beside.in_reach(judged, name, ..., direction)
            return Verdict.KINK if right else Verdict.WRONG
        return judged.verdict

    def together(self, name: str, entries: Any, said: Any, scale: float) -> Verdict | None:
        """Judge entries at a kink moved together.

        A tie that is given to both of its pixels is as right as any for each of them alone.
        """
        if len(entries) < 2:
            return None
        moved = np.zeros(self.variables[name].shape)
        moved.reshape(-1)[entries] = scale
        return self.along(name, moved, float(said.sum()), kinks=len(entries))

    @functools.cached_property
    def beside(self) -> Beside:
        """The same a little way off, where there is no kink but by a rare chance."""
        return Beside(self.subject, self.dy, self.rng, self.noise or NONE)


def _own_sizes(array: Array, where: Any, scale: float) -> list[float]:
    """Steps of the entry's own size, or of the spread, where these are far from the common one."""
    sizes = (abs(float(array[where])), float(np.std(array)))
    return [n for n in sizes if n and np.isfinite(n) and not 0.1 <= n / scale <= 10]


def _plainly_wrong(line: Line, here: Point, step: float, slope: float, said: float) -> bool:
    """Whether finer and coarser steps, and both sides, agree on a slope that backward contradicts.

    Then neither curvature nor a kink nor noise is to blame, and no ladder is needed to see it.
    """
    down, up = line.at(-step / 10), line.at(step / 10)
    finer = float(line.slopes(down, up).sum())
    # of each output, as kinks of several may cancel in their sum
    bend = float(np.abs(line.slopes(here, up) - line.slopes(down, here)).sum())
    gap = abs(slope - said)
    rounding = EPS * float(np.abs(here[0] * line.dy).sum())
    if gap * step / 10 <= 100 * rounding:
        return False
    agree = abs(finer - slope) <= PLAIN * gap and bend <= 0.01 * gap
    if not agree or step >= COARSE:
        return agree
    return abs(line.central(COARSE) - slope) <= 0.2 * gap


def noise_of(subject: Subject, dy: Any, rng: np.random.Generator) -> Noise:
    """Along a random line in all variables at once, each entry by its own size."""
    directions = {  # every entry moves, a masked one of −1e9 too, but none by next to nothing
        name: np.maximum(np.abs(a), np.median(np.abs(a)) if a.any() else 1.0)
        * rng.choice([-1, 1], a.shape)
        * rng.uniform(0.5, 1.5, a.shape)
        for name, a in subject.variables.items()
        if a.size
    }

    def output(t: float) -> Array:
        moved = {n: a + t * directions.get(n, 0.0) for n, a in subject.variables.items()}
        return np.array(subject.output(moved))

    found = noise_along(lambda t: output(t).astype(np.float64), dy)
    if not found and (y := output(0.0)).dtype != np.float64:  # hidden, but known
        return Noise(np.finfo(y.dtype).eps * np.abs(y.astype(np.float64)))
    return found
