"""Whether two libraries agree, checked before anything is timed."""

from __future__ import annotations

import numpy as np

from minise.bench.case import TOLERANCE, Arrays

# A gradient may be nothing but rounding, as that of a bias which the next batch norm takes away
# again: this share of the largest of all is allowed in any case.
ROUNDING = 1e-5
FORWARD = ("y", "scores", "loss")  # all other results are gradients


def differences(
    ours: Arrays,
    theirs: Arrays,
    gradient_tolerance: float = TOLERANCE,
    forward_tolerance: float = TOLERANCE,
) -> list[str]:
    """What differs, a line for each: where ‖ours − theirs‖ is above tolerance · ‖theirs‖.

    With this norm rounding errors average out, so that the tolerance can be small, and a single
    wrong entry still stands out.
    """
    found = [f"{name} is on one side only" for name in sorted(ours.keys() ^ theirs.keys())]
    gradients = [np.linalg.norm(a) for name, a in theirs.items() if name not in FORWARD]
    rounding = ROUNDING * max(gradients, default=0)
    for name in ours:
        if name not in theirs:
            continue
        a, b = ours[name], theirs[name]
        if a.shape != b.shape or a.dtype != b.dtype:
            found.append(f"{name} is {a.dtype} {a.shape}, expected {b.dtype} {b.shape}")
            continue
        tolerance = forward_tolerance if name in FORWARD else gradient_tolerance
        error, size = np.linalg.norm(a - b), np.linalg.norm(b)
        allowed = max(tolerance * size, 0 if name in FORWARD else rounding)
        if not error <= allowed:  # put this way round, NaN is caught
            found.append(
                f"{name} is off by {error:.2g} of {size:.2g}, {tolerance:g} of that is allowed"
            )
    return found
