"""In which precision code computes, as far as its outputs and gradients tell."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from minise.arrays import Array
from minise.gradcheck.compare import Comparison
from minise.gradcheck.habits import CLOSE

ROUNDING = 1e-12  # relative; what outputs jump by more is told
SINGLE = 2e-5  # sums in float32, taken in another order


@dataclass(frozen=True)
class Precision:
    """How near numbers are that are the same, and what to say of it."""

    close: float  # relative to the largest
    least: float  # more than noise
    said: tuple[str, ...]

    @classmethod
    def of(cls, y: Array, gradients: Mapping[str, Array], comparison: Comparison) -> Precision:
        """From what a forward and its backward gave."""
        results = {"y": y} | {f"the gradient of {name}": g for name, g in gradients.items()}
        single = [name for name, array in results.items() if _is_single(array)]
        largest = float(np.max(np.abs(y), initial=0.0))
        noise = comparison.noise.size if comparison.noise else np.zeros(())
        relative = float(noise.max()) / largest if largest else 0.0
        said = ""
        if relative > 0.1:
            said = "y is nothing but noise here, rounding or other: its slopes cannot be seen"
        elif single:
            said = f"computes in float32: {_listed(single)}"
        elif relative > ROUNDING:
            said = (
                f"y has noise of its own, some {relative:.0e} of its size, as of a float32 inside "
                "(6e-08) or an iteration that stops at a tolerance"
            )
        if said and noise.any() and relative <= 0.1:
            said += f"; slopes are judged to within {comparison.within:.0e} of the largest"
        close = max(CLOSE, 100 * relative, SINGLE if single else 0.0)
        least = max(10 * float(noise.max()), comparison.least)
        return cls(close, least, (said,) if said else ())


def _is_single(array: Any) -> bool:
    """Whether it is float32, or holds its numbers."""
    array = np.asarray(array)
    if array.dtype != np.float64:
        return bool(np.issubdtype(array.dtype, np.floating))
    finite = array[np.isfinite(array)]
    if finite.size < 2 or not (finite == finite.astype(np.float32)).all():
        return False
    digits = np.frexp(finite)[0] * 2.0**12
    short = digits == np.round(digits)  # as numbers of any precision may be: 0, 1, a half
    # multiples of one number, as halving a bracket gives: float32 has finer ones near 0
    steps = finite / np.spacing(np.abs(finite).max().astype(np.float32)).astype(np.float64)
    near_0 = np.abs(finite) < np.abs(finite).max() / 8
    return not short.all() and not (near_0.any() and (steps == np.round(steps)).all())


def _listed(names: list[str]) -> str:
    return " and ".join([", ".join(names[:-1]), names[-1]] if names[1:] else names)
