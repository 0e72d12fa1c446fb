"""The gradient of one input or parameter, as a check found it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from minise.arrays import Array
from minise.gradcheck.differences import Floats, Verdict


class Kink(NamedTuple):
    """An entry at which the slope changes."""

    k: int  # which of the compared entries
    below: float  # the slope on the side of smaller values
    above: float


@dataclass(frozen=True)
class Checked:
    """The gradient of one input or parameter, and the verdict on each entry that was compared."""

    name: str
    analytic: Array  # what backward says, whole
    entries: Any  # (K,) which entries were compared, as indices into the flat array
    numeric: Floats  # (K,) what differences say
    verdicts: tuple[Verdict, ...]  # (K,)
    errors: Floats  # (K,) relative
    kinks: tuple[Kink, ...]
    step: float  # relative to the root mean square of the input
    overall: Verdict | None  # along one direction over all entries, where only some were compared
    together: Verdict | None  # along a line that moves all entries at a kink, if there are several
    cause: str | None  # a guess
    curve: Floats  # the error for each step of `LADDER`, of the worst entry or along a direction

    @property
    def passed(self) -> bool:
        """Whether no entry is wrong, nor several moved together."""
        return Verdict.WRONG not in (*self.verdicts, self.overall, self.together)

    @property
    def worst(self) -> int:
        """Which of the compared entries differs most, the wrong ones first, NaN before all."""
        judged = [verdict in (Verdict.RIGHT, Verdict.WRONG) for verdict in self.verdicts]
        wrong = [verdict is Verdict.WRONG for verdict in self.verdicts]
        errors = np.where(np.isnan(self.errors), np.inf, self.errors)
        return int(np.lexsort(np.stack([errors, judged, wrong]))[-1])

    @property
    def worst_index(self) -> tuple[int, ...]:
        """Its place in the array."""
        return self.index(self.worst)

    @property
    def relative_error(self) -> float:
        """That of the worst entry; 0 where none could be judged."""
        verdict = self.verdicts[self.worst]
        judged = verdict in (Verdict.RIGHT, Verdict.WRONG)
        return float(self.errors[self.worst]) if judged else 0.0

    def index(self, k: int) -> tuple[int, ...]:
        """The place in the array of the compared entry k."""
        return place(int(self.entries[k]), self.analytic.shape)


def place(entry: int, shape: tuple[int, ...]) -> tuple[int, ...]:
    """The index of an entry of the flat array; () in an array without axes."""
    return tuple(int(n) for n in np.unravel_index(entry, shape)) if shape else ()
