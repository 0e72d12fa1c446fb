"""A guess at why a gradient is wrong, from the pattern of what backward says and what is true.

Each guess looks for one common mistake: a factor, a sign, swapped axes, dy used wrongly, a missing
term, a missing place. The first that explains every entry is reported; what is special comes before
what is general. It remains a guess.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from minise.gradcheck.causes import axes, factors, losses, places, slopes, terms, trials
from minise.gradcheck.causes.evidence import Evidence, close
from minise.gradcheck.checked import Checked
from minise.gradcheck.differences import Verdict
from minise.gradcheck.subject import Subject


def explained(
    gradients: tuple[Checked, ...], subject: Subject, y: Any, dy: Any
) -> tuple[Checked, ...]:
    """With a guess at the cause of each that is wrong."""
    true = {g.name: _true(g) for g in gradients}
    whole = {
        g.name: (g.analytic, true[g.name].reshape(g.analytic.shape))
        for g in gradients
        if len(g.entries) == g.analytic.size
    }
    return tuple(
        replace(
            g,
            cause=cause(
                Evidence(
                    g.name, subject.variables, dy, g.analytic, g.entries, true[g.name], _wrong(g),
                    y, {n: both for n, both in whole.items() if n != g.name}, subject,
                )
            ),
        )
        for g in gradients
    )  # fmt: skip


def _wrong(g: Checked) -> Any:
    return np.array([verdict is Verdict.WRONG for verdict in g.verdicts])


def _true(g: Checked) -> Any:
    """What differences say where backward is wrong, and else what it says: it is more exact."""
    return np.where(_wrong(g), g.numeric, g.analytic.reshape(-1)[g.entries])


def cause(evidence: Evidence) -> str | None:
    """One line, or None where nothing is wrong or no pattern fits."""
    if not evidence.wrong.any():
        return None
    if not np.isfinite(evidence.said).all():
        return "backward gives NaN or infinity"
    if not np.isfinite(evidence.numeric).all():
        return "forward gives NaN or infinity near these inputs"
    guesses = GUESSES if len(evidence.entries) > 1 else GUESSES_FROM_ONE
    if close(evidence.said, evidence.numeric):  # any trial fits that changes nothing
        guesses = GUESSES_FROM_LITTLE
    with np.errstate(all="ignore"):
        for guess in guesses:
            if text := guess(evidence):
                return text
    return None


GUESSES_FROM_ONE: tuple[Callable[[Evidence], str | None], ...] = (
    factors.nothing,
    factors.sign,
    factors.cotangent,
    factors.factor,
)
GUESSES_FROM_LITTLE: tuple[Callable[[Evidence], str | None], ...] = (
    places.mask,
    terms.penalty,
    factors.little,
    places.place,
)
GUESSES: tuple[Callable[[Evidence], str | None], ...] = (
    factors.nothing,
    factors.sign,
    axes.exchanged,
    factors.cotangent,
    factors.factor,
    losses.at_the_label,
    losses.softmax,
    slopes.slope,
    places.mask,
    axes.axes_exchanged,
    axes.summed_over,
    trials.transposed_matrix,
    factors.product_with_another,
    terms.penalty,
    terms.dy_itself,
    terms.statistics,
    terms.dy_times,
    terms.two_paths,
    axes.blocks_exchanged,
    axes.shifted,
    trials.one_of_several,
    axes.rearranged,
    axes.elsewhere_in_dy,
    places.repeated_indices,
    trials.part_of_dy,
    places.one_use,
    places.overlap,
    places.zeros_between,
    places.place,
    slopes.slope_at_the_output,
    trials.changed_variable,
    trials.scaled_dy,
    factors.factor_by_axes,
    slopes.slope_needed,
)
