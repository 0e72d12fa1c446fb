"""Derivatives by complex steps: f(x + i·h) has the imaginary part h · f'(x), and nothing to cancel.

So h can be 1e-30 and the slope is exact to rounding (Squire & Trapp, 1998). It wants a function
that takes complex numbers and is analytic: `np.abs` silently gives 0, so the slopes are first held
against real differences.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from minise import backend, door
from minise.errors import InputError
from minise.gradcheck.differences import Floats, Ladder, Line, relative_error
from minise.gradcheck.own_errors import in_short, told
from minise.gradcheck.subject import Subject

STEP = 1e-30
ROUGHLY = 1e-4  # how well real differences have to agree


def complex_slopes(
    subject: Subject,
    dy: Any,
    name: str,
    entries: Any,
    scale: float,
    whole: Line,
    ladder: Ladder,
) -> Floats:
    """The slope along each of these entries of `name`, moved by `scale`.

    Raises `InputError` where the function takes no complex numbers, drops their imaginary part, or
    disagrees with the real differences of `ladder` along the line `whole`.
    """
    variables = {n: a.astype(np.complex128) for n, a in subject.variables.items()}
    moved = variables[name].reshape(-1)

    def slope(step: Any, where: Any) -> float:
        here = moved[where].copy()
        moved[where] = here + 1j * STEP * step
        try:
            with backend.using("numpy"), door.complex_allowed():
                y = subject.output({n: a.copy() for n, a in variables.items()})
        except InputError:
            raise
        except Exception as error:  # whatever the function raises when it meets a complex number
            raise InputError(
                f"gradcheck: complex steps: {subject.name} does not take complex numbers: "
                f"{told(error) or in_short(error)}"
            ) from error
        finally:
            moved[where] = here
        if not np.iscomplexobj(y):
            raise InputError(f"gradcheck: complex steps: {subject.name} drops the imaginary part")
        return float((np.imag(y) * dy).sum()) / STEP

    along = slope(np.reshape(whole.direction, -1), slice(None))
    real = float(ladder.central[ladder.best])
    if not relative_error(along, real, float(ladder.doubt[ladder.best]) / ROUGHLY) <= ROUGHLY:
        raise InputError(
            f"gradcheck: complex steps give {along:.6g} along a direction of {name}, differences "
            f"{real:.6g}: {subject.name} is not analytic there (np.abs, np.maximum, a kink?)"
        )
    return np.array([slope(scale, k) for k in entries])
