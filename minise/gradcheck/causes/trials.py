"""What backward would be right for: another variable, another dy."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import numpy as np

from minise.arrays import Array
from minise.gradcheck.causes.evidence import CLOSE, FEW, Evidence, axes_called, close


def transposed_matrix(e: Evidence) -> str | None:
    """g @ w for g @ w.T, whatever g is: then said = g @ w, and true g @ w.T, or the reverse."""
    numeric = e.whole
    if numeric is None or len(e.shape) < 2 or not e.telling:
        return None
    for name, w in e.variables.items():
        if w.ndim != 2 or w.shape[0] != w.shape[1] or w.shape[0] != e.shape[-1] or len(w) < 2:
            continue
        if name == e.name or np.linalg.cond(w) > 1e3:
            continue
        bases = [0.0] + [e.dy] * (e.shape == np.shape(e.dy))  # beside a path straight through
        for base, (a, b) in itertools.product(bases, ((w, w.T), (w.T, w))):
            g = np.linalg.solve(a.T, (e.analytic - base).reshape(-1, len(w)).T).T
            if close((g @ b).reshape(e.shape), numeric - base):
                return (
                    f"right with {name} transposed: is it @ {name} for @ {name}.T, or the reverse?"
                )
    return None


def changed_variable(e: Evidence) -> str | None:
    """Right with another variable transposed or reversed; where backward is linear in it."""
    if e.subject is None or not e.telling:
        return None
    for name, array in e.variables.items():
        for called, changed in _changes(array):
            if not np.array_equal(changed, array) and e.right_by(e.dy, **{name: changed}):
                return f"right with {name} {called}: should it be, where backward uses it?"
    return None


def _changes(array: Array) -> Iterator[tuple[str, Array]]:
    if array.ndim == 2 and array.shape[0] == array.shape[1] > 1:
        yield "transposed", array.T
    for i, j in itertools.combinations(range(array.ndim), 2):
        if array.ndim > 2 and array.shape[i] == array.shape[j] > 1:
            yield f"transposed (axes {i} and {j})", array.swapaxes(i, j)
    if array.ndim == 4 and max(array.shape[2:]) > 1:
        for axes in ((2, 3), (2,), (3,)):
            long = tuple(k for k in axes if array.shape[k] > 1)
            yield f"reversed along {axes_called(long)}", np.flip(array, long)


def scaled_dy(e: Evidence) -> str | None:
    """Right once dy is multiplied by another variable, along its last axis or a channel."""
    if e.subject is None or np.ndim(e.dy) < 2 or not e.telling:
        return None
    for name, array in e.variables.items():
        if name == e.name or np.ptp(array) == 0:
            continue
        for axis in (1, -1):
            if array.ndim == 1 and len(array) == np.shape(e.dy)[axis] > 1:
                shape = [1] * np.ndim(e.dy)
                shape[axis] = len(array)
                if e.right_by(e.dy * array.reshape(shape)):
                    return f"right for dy·{name}: is dy multiplied by {name} in time, or at all?"
    return None


def part_of_dy(e: Evidence) -> str | None:
    """Backward is right for a dy that is 0 at the last index, or the first, of some axis."""
    if np.ndim(e.dy) < 2 or len(e.entries) < FEW or (found := e.lines()) is None:
        return None
    directions, moved = found
    said = (e.analytic * directions).reshape(len(directions), -1).sum(axis=1)
    scale = np.abs(moved * e.dy).reshape(len(moved), -1).sum(axis=1)
    for axis, size in enumerate(np.shape(e.dy)):
        for which, k in (("last", size - 1), ("first", 0)):
            part = np.array(e.dy)
            np.moveaxis(part, axis, 0)[k] = 0
            true = (moved * part).reshape(len(moved), -1).sum(axis=1)
            if size > 1 and (np.abs(true - said) <= CLOSE * scale).all() and part.any():
                why = "does a loop begin or end elsewhere than forward's?"
                if axis == 0:
                    why = "is it summed over the whole batch?"
                return f"the {which} index of axis {axis} of dy has no part in it: {why}"
    return None


def one_of_several(e: Evidence) -> str | None:
    """dy as it stands at one of the outputs that an entry makes."""
    numeric, shape = e.whole, np.shape(e.dy)
    if numeric is None or len(shape) != len(e.shape) or e.shape == shape or not e.telling:
        return None
    if any(b % a for a, b in zip(e.shape, shape, strict=True)):
        return None
    steps = [b // a for a, b in zip(e.shape, shape, strict=True)]
    parts = list(itertools.product(*map(range, steps)))
    of_dy = [
        np.asarray(e.dy)[tuple(slice(k, None, step) for k, step in zip(first, steps, strict=True))]
        for first in parts
    ]
    if not close(np.sum(of_dy, axis=0), numeric):
        return None
    for one in of_dy:
        if close(one, e.analytic):
            return f"dy of one of the {len(parts)} outputs of an entry: is their sum needed?"
    return None
