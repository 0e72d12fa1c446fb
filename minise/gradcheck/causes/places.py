"""Wrong at some places only: a mask, a border, where windows overlap, zeros between."""

from __future__ import annotations

from typing import Any

import numpy as np

from minise.gradcheck.causes.evidence import (
    CLOSE,
    FEW,
    STEP,
    Evidence,
    axes_called,
    close,
    none_of,
)

PIXELS_AT_MOST = 100  # tried one by one
LOOKED_AT = 8  # entries whose outputs are taken apart
PLACES: dict[int, list[tuple[int, ...]]] = {
    4: [(2, 3), (0,), (1,), (2,), (3,), (0, 2, 3)],
    3: [(1,), (0,), (0, 1)],
    2: [(0,), (1,)],
}
ONE: dict[tuple[int, tuple[int, ...]], str] = {  # by the dimensions of dy, and where it is not 0
    (4, (2, 3)): "one window",
    (4, (0,)): "one sample",
    (4, (1,)): "one channel",
    (4, (2,)): "one row",
    (4, (3,)): "one column",
    (3, (1,)): "one step",
    (3, (0,)): "one sample",
    (2, (0,)): "one sample",
}


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
    said, true = (
        values / np.where(e.at(e.dy) == 0, 1, e.at(e.dy)) for values in (e.said, e.numeric)
    )
    up, down = x > 0, x < 0
    if min(up.sum(), down.sum()) < 2 or (up | down).sum() < len(x):
        return None
    if (
        np.ptp(true[up]) > 1e-5
        or np.ptp(true[down]) > 1e-5
        or np.isclose(*true[[up.argmax(), down.argmax()]])
    ):
        return None
    slopes = true[up.argmax()], true[down.argmax()]
    if close(said, np.where(up, slopes[1], slopes[0])):
        return "the slopes on the two sides of 0 exchanged: is the mask the wrong way round?"
    for sign, there in (("positive", e.at(e.dy) > 0), ("negative", e.at(e.dy) < 0)):
        if close(said, np.where(there, slopes[0], slopes[1])):
            return f"the mask is where dy is {sign}: is it of dy, where it has to be of {e.name}?"
    return None


def zeros_between(e: Evidence) -> str | None:
    """Backward says 0 but at every second index, or from some index on."""
    if len(e.entries) < FEW or len(e.shape) != np.ndim(e.dy):
        return None
    true_there = ~none_of(e.numeric, e.numeric)
    lattice, ends = [], []
    for axis, size in enumerate(e.shape):
        others = tuple(k for k in range(len(e.shape)) if k != axis)
        at = np.flatnonzero(e.analytic.any(axis=others))
        true = np.isin(np.arange(size), e.places[axis][true_there])
        if (
            size < max(3, np.shape(e.dy)[axis])
            or len(at) in (0, size)
            or not np.delete(true, at).any()
        ):
            continue
        gaps = set(np.diff(at).tolist())
        if len(gaps) == 1 and min(gaps) > 1 and true[at[0] : at[-1]].all():
            lattice.append((axis, gaps.pop()))
        elif gaps <= {1} and at[0] == 0:
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
    if not ((e.numeric != 0) & ~e.wrong).any():  # elsewhere there is nothing to be wrong
        return None
    for axis, size in enumerate(e.shape):
        met = np.unique(e.places[axis][e.wrong])
        there = np.isin(e.places[axis], met) & ((e.said != 0) | (e.numeric != 0))
        if size < 2 or len(met) == size or e.wrong[there].mean() < 0.9:
            continue
        if met[-1] == size - 1 and len(met) == size - met[0]:
            return _at_an_end(e, axis, met, "last", zero)
        if met[0] == 0 and len(met) == met[-1] + 1:
            return _at_an_end(e, axis, met, "first", zero)
        if len(met) == 1:
            return f"wrong only at index {met[0]} of axis {axis}{zero}"
        if size > 2 and len(e.shape) > 2 and set(met.tolist()) == {0, size - 1}:
            return f"wrong only at the border of axis {axis}{zero}: the padding?"
    return None


def _at_an_end(e: Evidence, axis: int, met: Any, which: str, zero: str) -> str | None:
    """All of the last k indices are met, or all of the first."""
    if len(e.shape) < 3 or axis < len(e.shape) - 2:  # no rows and columns
        return f"wrong only at index {met[0]} of axis {axis}{zero}" if len(met) == 1 else None
    if len(met) > e.shape[axis] / 2:
        return None
    at = f"in the {which} {len(met)} of axis {axis}{zero}"
    if len(met) == 1:
        at = f"at index {met[0]} of axis {axis}, the {which}{zero}"
    return (
        f"wrong only {at}: does the loop over windows begin or end elsewhere than forward's, or is "
        "it the padding?"
    )


def overlap(e: Evidence) -> str | None:
    """Wrong only at pixels that several windows reach: = for +=, where a maximum won."""
    if len(e.shape) != 4 or np.ndim(e.dy) != 4 or e.subject is None or e.wrong.sum() < 3:
        return None
    H, W = e.shape[2:]
    if e.wrong.all() or H * W > PIXELS_AT_MOST:
        return None
    before, reached = e.evaluate(e.x.copy()), np.zeros((H, W), int)
    for h in range(H):
        for w in range(W):
            moved = e.x.copy()
            moved[0, :, h, w] += 100 * (np.abs(e.x).max() + 1)  # the largest of all its windows
            after = e.evaluate(moved)
            if before is None or after is None:
                return None
            reached[h, w] = (after != before)[0].any(axis=0).sum()
    by = reached[e.places[2], e.places[3]]
    counted = (e.numeric != 0) | (e.said != 0)
    right_once = (counted & ~e.wrong & (by == 1)).sum()
    share = (by > 1)[counted].mean()
    if (by[e.wrong] > 1).all() and right_once > 2 and share ** e.wrong.sum() < 0.1:
        return "right where one window reaches, wrong where several overlap: is it = for +=?"
    return None


def repeated_indices(e: Evidence) -> str | None:
    """Right where an index comes once, wrong where it is repeated: = for np.add.at."""
    if e.wrong.all() or not e.said[e.wrong].any():
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
    return None


def one_use(e: Evidence) -> str | None:
    """What backward says of an entry is what one place of dy alone gives."""
    chosen = np.flatnonzero(e.wrong & ~none_of(e.said, e.said))
    if e.subject is None or np.ndim(e.dy) < 2 or len(chosen) < 3:
        return None
    chosen = chosen[np.unique(np.linspace(0, len(chosen) - 1, LOOKED_AT).astype(int))]
    step = STEP * (float(np.sqrt((e.x**2).mean())) or 1.0)
    parts = []  # of each entry, what each output adds
    for k in e.entries[chosen].tolist():
        moved = np.zeros(e.shape)
        moved.reshape(-1)[k] = step
        up, down = e.evaluate(e.x + moved), e.evaluate(e.x - moved)
        if up is None or down is None:
            return None
        parts.append((up - down) / (2 * step) * e.dy)
    for together in PLACES[min(np.ndim(e.dy), 4)]:
        others = tuple(k for k in range(np.ndim(e.dy)) if k not in together)
        sums = np.stack(parts).sum(axis=tuple(k + 1 for k in others)).reshape(len(parts), -1)
        several = (~none_of(sums, sums)).sum(axis=1) > 1
        nearest = np.abs(sums - e.said[chosen, None]).min(axis=1)
        if several.all() and (nearest <= CLOSE * np.abs(sums).max()).all():
            what = ONE.get((np.ndim(e.dy), together), "one place")
            return (
                f"backward says what {what} alone gives, where several have a part in it: is it = "
                "for +=, or is what comes back from the others not added?"
            )
    return None


def _said_nothing(e: Evidence) -> str:
    return " (backward says 0 there)" if not e.said[e.wrong].any() else ""
