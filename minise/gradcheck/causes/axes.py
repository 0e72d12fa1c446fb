"""Axes exchanged, shifted, summed over; numbers in other places; one gradient for another."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator

import numpy as np

from minise.arrays import Array
from minise.gradcheck.causes.evidence import FEW, Evidence, axes_called, close, listed

SHIFTS = (1, -1, 2, -2)


def exchanged(e: Evidence) -> str | None:
    """The gradient of another variable."""
    if len(e.entries) < FEW - 1:
        return None
    for name, (said, found) in e.others.items():
        if found.shape != e.shape or not close(e.said, e.at(found)):
            continue
        if close(e.at(said), e.numeric):
            return f"exchanged with that of {name}: are they returned in another order?"
        return (
            f"this is the gradient of {name}: was one taken for the other, or a product left out?"
        )
    return None


def axes_exchanged(e: Evidence) -> str | None:
    """Two axes; those that can be told apart first, longer than 1."""
    a = e.analytic
    if len(e.entries) < FEW:
        return None
    for i, j in sorted(itertools.combinations(range(a.ndim), 2), key=_short(a)):
        sizes = list(a.shape)
        sizes[i], sizes[j] = sizes[j], sizes[i]
        if close(e.at(a.reshape(sizes).swapaxes(i, j)), e.numeric):
            return f"transposed: right with axes {i} and {j} swapped"
    if e.whole is not None:
        for axes in itertools.permutations(range(a.ndim)):
            turned = a.transpose(axes)
            if axes == tuple(range(a.ndim)):
                continue
            if turned.shape == a.shape and close(turned, e.whole):
                return f"transposed: right with its axes in the order {listed(axes)}"
    for axes in itertools.chain.from_iterable(
        itertools.combinations(range(a.ndim), count) for count in range(1, a.ndim + 1)
    ):
        if close(e.at(np.flip(a, axes)), e.numeric):
            axes = tuple(k for k in axes if a.shape[k] > 1)
            return f"reversed along {axes_called(axes)}: is a kernel flipped that should not be?"
    return None


def _short(a: Array) -> Callable[[tuple[int, ...]], bool]:
    return lambda axes: min(a.shape[k] for k in axes) == 1


def rearranged(e: Evidence) -> str | None:
    """The right numbers, elsewhere."""
    numeric = e.whole
    if numeric is None or numeric.size < FEW or not e.telling:
        return None
    if not close(np.sort(e.analytic.reshape(-1)), np.sort(numeric.reshape(-1))):
        return None
    if close(e.analytic, numeric.reshape(-1).reshape(e.shape, order="F")):
        return FORTRAN
    for axes in itertools.permutations(range(numeric.ndim)):
        turned = numeric.transpose(axes)
        if axes != tuple(range(numeric.ndim)) and close(turned.reshape(e.shape), e.analytic):
            if axes == tuple(reversed(axes)) or axes == tuple(range(numeric.ndim))[::-1]:
                return FORTRAN
            return (
                f"the right numbers in wrong places, those of axes {listed(axes)} in turn: "
                "a reshape where a transpose is needed, or a transpose too many?"
            )
        if close(turned.reshape(-1).reshape(e.shape, order="F"), e.analytic):
            return FORTRAN
    if (numeric == 0).mean() > 0.25:
        return "the right numbers in wrong places: is another place chosen, as winner or index?"
    return (
        "the right numbers in wrong places: is there a reshape where a transpose is needed, "
        "or a reshape in another order?"
    )


FORTRAN = (
    "the right numbers in wrong places: is there a reshape in the other order "
    '(order="F", or of a transposed array)?'
)


def blocks_exchanged(e: Evidence) -> str | None:
    """Gates, heads, groups or halves in another order."""
    if e.whole is None or not e.telling:
        return None
    tried = itertools.product(range(e.analytic.ndim), (2, 3, 4))
    return next((t for k, n in tried if (t := _blocks(e.whole, e.analytic, k, n))), None)


def _blocks(numeric: Array, analytic: Array, axis: int, count: int) -> str | None:
    if numeric.shape[axis] % count or numeric.shape[axis] == count:
        return None
    true, said = (np.split(a, count, axis) for a in (numeric, analytic))
    for order in itertools.permutations(range(count)):
        if all(close(said[k], true[order[k]]) for k in range(count)):
            return (
                f"right with its {count} blocks along axis {axis} in another order, which is now "
                f"{listed(order)}: are parts, gates say, put together in the wrong order?"
            )
    return None


def elsewhere_in_dy(e: Evidence) -> str | None:
    """Numbers of dy, but not those of these places."""
    if np.ndim(e.dy) == 0 or not e.telling or np.size(e.dy) < 2 * FEW:
        return None
    dy = np.sort(np.ravel(e.dy))
    for values in (e.said, e.numeric):
        right = np.clip(np.searchsorted(dy, values), 1, len(dy) - 1)
        off = np.minimum(np.abs(dy[right] - values), np.abs(dy[right - 1] - values))
        if off.max() > 1e-9 * np.abs(dy).max():
            return None
    return "numbers of dy, but of other places than these: is a slice of dy taken where it is not?"


def shifted(e: Evidence) -> str | None:
    """By one or two along an axis, or along the last two at once."""
    moves: list[tuple[tuple[int, ...], tuple[int, ...]]] = [
        ((axis,), (by,)) for by in SHIFTS for axis in range(len(e.shape))
    ]
    if len(e.shape) > 1:
        moves += [((len(e.shape) - 2, len(e.shape) - 1), (by, by)) for by in SHIFTS]
    for axes, steps in moves:
        inside = np.ones(len(e.entries), bool)
        for axis, by in zip(axes, steps, strict=True):
            inside &= (e.places[axis] + by >= 0) & (e.places[axis] + by < e.shape[axis])
        if min(e.shape[axis] for axis in axes) < 3 or inside.sum() < max(FEW, len(inside) / 4):
            continue
        moved = e.at(np.roll(e.analytic, [-by for by in steps], axes))
        if close(moved[inside], e.numeric[inside]) and e.numeric[inside].any():
            size = {1: "one", 2: "two"}[abs(steps[0])]
            why = "the padding, is it cut off where it was put on, or where a window begins?"
            if len(e.shape) < 3 or axes[0] < len(e.shape) - 2:
                why = "does a slice begin elsewhere than forward's?"
            return f"shifted by {size} along {axes_called(axes)}: {why}"
    return None


def summed_over(e: Evidence) -> str | None:
    """A sum of dy, or of dy times the slope at the output, over the wrong axis."""
    if len(e.shape) != 1 or np.ndim(e.dy) < 2 or len(e.entries) != e.analytic.size:
        return None
    for called, part in _parts(e):
        axes = [k for k in range(part.ndim) if part.shape[k] == e.shape[0]]
        sums = {k: part.sum(axis=tuple(j for j in range(part.ndim) if j != k)) for k in axes}
        for kept in axes:
            if not close(sums[kept], e.numeric):
                continue
            over = tuple(j for j in range(part.ndim) if j != kept)
            for other in axes:
                if other != kept and len(e.said) > 2 and close(sums[other], e.said):
                    wrong = tuple(j for j in range(part.ndim) if j != other)
                    return (
                        f"{called} summed over {axes_called(wrong)}, where the sum over "
                        f"{axes_called(over)} is needed?"
                    )
            first = np.moveaxis(part, kept, -1).reshape(-1, part.shape[kept])
            for k in (0, -1):
                if close(first[k], e.said):
                    which = "the first" if k == 0 else "the last"
                    return (
                        f"{called} of {which} place alone, where the sum over "
                        f"{axes_called(over)} is needed?"
                    )
    return _sum_of_product(e)


def _sum_of_product(e: Evidence) -> str | None:
    """Σ dy·x, where the true one is of something made of x."""
    name, x = next(iter(e.variables.items()))
    if x.shape != np.shape(e.dy) or name == e.name:
        return None
    for kept in range(x.ndim):
        over = tuple(j for j in range(x.ndim) if j != kept)
        if x.shape[kept] == e.shape[0] and close((e.dy * x).sum(axis=over), e.said):
            return (
                f"this is Σ dy·{name} over {axes_called(over)}: is {name} taken as it came, where "
                "what was made of it, normalised say, is needed?"
            )
    return None


def _parts(e: Evidence) -> Iterator[tuple[str, Array]]:
    yield "dy", np.asarray(e.dy)
    if e.y is not None and np.shape(e.y) == np.shape(e.dy):
        yield "dy·(1 − y²)", e.dy * (1 - e.y**2)
        yield "dy·y·(1 − y)", e.dy * e.y * (1 - e.y)
        yield "dy where y > 0", e.dy * (e.y > 0)


def misshapen(name: str, said: Array, variables: dict[str, Array], found: dict[str, Array]) -> str:
    """What a shape that is not the variable's looks like: ", …", or nothing."""
    shape = variables[name].shape
    for other, array in variables.items():
        if other != name and array.shape == said.shape and found[other].shape == shape:
            return f": that of {other}; are they returned in another order?"
    if said.ndim > 1 and said.shape == shape[::-1]:
        return ": is it transposed?"
    if said.ndim == len(shape):
        more = [int(a - b) for a, b in zip(said.shape, shape, strict=True)]
        axes = tuple(k for k, n in enumerate(more) if n)
        sizes = {more[k] for k in axes}
        if (
            len(sizes) == 1
            and said.ndim > 2
            and min(sizes) > 0
            and min(sizes) % 2 == 0
            and min(axes) >= said.ndim - 2
        ):
            return f": {sizes.pop()} more along {axes_called(axes)}; is padding not cut off?"
    return ""
