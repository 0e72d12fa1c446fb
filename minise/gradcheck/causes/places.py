"""Wrong at some places only: a mask, a border, where windows overlap, zeros between."""

from __future__ import annotations

import numpy as np

from minise.gradcheck.causes.evidence import (
    FEW,
    Evidence,
    axes_called,
    close,
    none_of,
    windows_called,
)

LOOKED_AT = 60  # entries whose outputs are counted


def mask(e: Evidence) -> str | None:
    """Where the wrong entries are, by the sign of x or dy or by a mask."""
    if e.wrong.sum() < 2 or len(e.entries) < FEW:
        return None
    x, zero = e.at(e.x), _said_nothing(e)
    if not e.wrong.all():
        for sign, there in (("negative", x < 0), ("positive", x > 0)):
            if (there == e.wrong).all():
                return f"wrong only where {e.name} is {sign}{zero}: the mask?"
        for name, array in e.integers("biu").items():
            if array.shape == e.shape and set(np.unique(array)) <= {0, 1}:
                for value in (0, 1):
                    if ((e.at(array) == value) == e.wrong).all():
                        return f"wrong only where {name} is {value}{zero}: is it left out?"
        true_zero = none_of(e.numeric, e.said)
        if (true_zero == e.wrong).all():
            return "wrong only where the true gradient is 0: is a mask left out?"
        said_zero = none_of(e.said, e.numeric)
        if (said_zero & ~true_zero == e.wrong).all() and np.shape(e.dy) == e.shape:
            dy = e.at(np.asarray(e.dy))
            for sign, there in (("positive", dy > 0), ("negative", dy < 0)):
                if not (there & said_zero & ~true_zero).any():
                    return f"backward says 0 where dy is not {sign}: a mask of dy, for one of x?"
    if np.shape(e.dy) != e.shape:
        return None
    said, true = (values / np.where(e.at(e.dy) == 0, 1, e.at(e.dy)) for values in (e.said, e.numeric))
    up, down = x > 0, x < 0
    if min(up.sum(), down.sum()) < 2 or (up | down).sum() < len(x):
        return None
    if np.ptp(true[up]) > 1e-5 or np.ptp(true[down]) > 1e-5 or np.isclose(*true[[up.argmax(), down.argmax()]]):
        return None
    slopes = true[up.argmax()], true[down.argmax()]
    if close(said, np.where(up, slopes[1], slopes[0])):
        return f"the slopes on the two sides of 0 exchanged: is the mask the wrong way round?"
    for sign, there in (("positive", e.at(e.dy) > 0), ("negative", e.at(e.dy) < 0)):
        if close(said, np.where(there, slopes[0], slopes[1])):
            return f"the mask is where dy is {sign}: is it of dy, where it has to be of {e.name}?"
    return None


def zeros_between(e: Evidence) -> str | None:
    """Backward says 0 but at every second index, or from some index on."""
    numeric = e.whole
    if numeric is None or numeric.size < FEW:
        return None
    lattice, ends = [], []
    for axis, size in enumerate(e.shape):
        others = tuple(k for k in range(numeric.ndim) if k != axis)
        said, true = e.analytic.any(axis=others), ~none_of(numeric, numeric).all(axis=others)
        at = np.flatnonzero(said)
        if size < 3 or len(at) == 0 or not (true & ~said).any():
            continue
        gaps = set(np.diff(at).tolist())
        if len(gaps) == 1 and min(gaps) > 1 and true[at[0] : at[-1]].all():
            lattice.append((axis, gaps.pop()))
        elif gaps <= {1} and at[0] == 0 and len(at) < size - 1 + (len(at) > 2):
            ends.append((axis, int(at[-1]) + 1))
    if lattice:
        every = {2: "2nd", 3: "3rd"}.get(lattice[0][1], f"{lattice[0][1]}th")
        axes = axes_called(tuple(axis for axis, _ in lattice))
        return (
            f"backward says 0 at all but every {every} index of {axes}: is only one place of each "
            "window, or stride, written?"
        )
    if ends and (e.wrong & (e.said != 0)).any():
        axis, first = ends[0]
        return (
            f"backward says 0 from index {first} of axis {axis} on, and is wrong elsewhere: is the "
            "stride left out where dx is written?"
        )
    return None


def place(e: Evidence) -> str | None:
    """Where all the wrong entries are, if that is not everywhere."""
    if e.wrong.all() or len(e.entries) < FEW or e.wrong.sum() < 2:
        return None
    zero = _said_nothing(e)
    for axis, size in enumerate(e.shape):
        met = np.unique(e.places[axis][e.wrong])
        if size < 2 or len(met) == size:
            continue
        if met[-1] == size - 1 and len(met) == size - met[0]:
            return _at_an_end(e, axis, met, f"the last{zero}", zero)
        if met[0] == 0 and len(met) == met[-1] + 1:
            return _at_an_end(e, axis, met, f"the first{zero}", zero)
        if len(met) == 1:
            return f"wrong only at index {met[0]} of axis {axis}{zero}"
        if size > 2 and set(met.tolist()) == {0, size - 1}:
            return f"wrong only at the border of axis {axis}{zero}: the padding?"
    return None


def _at_an_end(e: Evidence, axis: int, met, called: str, zero: str) -> str | None:  # type: ignore[no-untyped-def]
    """All of the last k indices are met, or all of the first."""
    if len(e.shape) < 3 or axis == 0:  # no image
        return f"wrong only at index {met[0]} of axis {axis}{zero}" if len(met) == 1 else None
    if len(met) > e.shape[axis] / 2:
        return None
    size = "" if len(met) == 1 else f"{len(met)} "
    at = f"index {met[0]} of axis {axis}, {called}" if len(met) == 1 else None
    at = at or f"{called.replace(zero, '')} {size}of axis {axis}{zero}"
    return (
        f"wrong only {'at' if len(met) == 1 else 'in'} {at}: does the loop over windows begin or end "
        "elsewhere than forward's, or is it the padding?"
    )


def overlap(e: Evidence) -> str | None:
    """Right where one output place comes from an entry, wrong where more do: = for +=."""
    if e.wrong.all() or e.subject is None or e.wrong.sum() < 2 or not e.said[e.wrong].any():
        return None
    for name, array in e.integers().items():
        used = np.bincount(array[array >= 0].reshape(-1), minlength=e.shape[0])
        if array.min(initial=0) < 0 or len(used) != e.shape[0] or not (used > 1).any():
            continue
        if set(e.places[0][e.wrong]) == set(np.flatnonzero(used > 1)):
            return (
                f"right where {name} has an index once, wrong where more often: = or += with "
                "repeated indices, where np.add.at is needed?"
            )
    chosen = np.unique(np.linspace(0, len(e.entries) - 1, LOOKED_AT).astype(int))
    if e.wrong[chosen].all() or not e.wrong[chosen].any():
        return None
    before = e.evaluate(e.x.copy())
    counts = np.zeros(len(chosen), int)
    for n, k in enumerate(e.entries[chosen].tolist()):
        moved = e.x.copy()
        moved.reshape(-1)[k] += 1.0
        after = e.evaluate(moved)
        if before is None or after is None:
            return None
        counts[n] = int((after != before).sum())
    wrong, numeric = e.wrong[chosen], e.numeric[chosen]
    used = counts > 0
    if not used.any() or not numeric[~wrong & used].any():
        return None
    once = counts[used].min()
    # by a chance few of those used often are right: what was left out there was 0
    often = counts > once
    if (wrong & ~often).any() or not often.any() or wrong[often].mean() < 0.9:
        return None
    what = windows_called(e)
    return f"right where an entry is used once, wrong where {what} overlap: is it = for +=?"


def _said_nothing(e: Evidence) -> str:
    return " (backward says 0 there)" if not e.said[e.wrong].any() else ""
