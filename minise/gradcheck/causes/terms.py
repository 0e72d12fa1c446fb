"""A term left out: a path, a penalty, the statistics of a normalisation."""

from __future__ import annotations

import itertools
import math

import numpy as np

from minise.arrays import Array
from minise.gradcheck.causes.evidence import CLOSE, Evidence, axes_called, close, proportion

BATCH, PIXELS = (0, 2, 3), (2, 3)


def penalty(e: Evidence) -> str | None:
    """Some number times the variable itself, as Σ w² has."""
    numeric = e.whole
    if numeric is None or numeric.size < 2:
        return None
    lack = numeric - e.analytic
    along = proportion(lack, e.x)
    if along is None and close(lack, e.x):
        along = 1.0
    if along is None:
        return None
    if not np.ndim(e.dy):  # the random dy is no part of it
        along /= float(e.dy)
    for name, value in e.settings.items():
        for c, told in (
            (2 * value, f"2·{name}·{e.name}, the gradient of {name}·Σ {e.name}², left out?"),
            (value, f"{name}·{e.name}; is it 2·{name}·{e.name}, the gradient of {name}·Σ {e.name}²?"),
            (2 * (value - 1), f"the factor {name} of the penalty's gradient left out?"),
            (value - 1, f"the factor {name} of the penalty's gradient left out?"),
        ):
            if math.isclose(along, c, rel_tol=10 * CLOSE):
                return f"what lacks is {along:.4g} times {e.name}: {told}"
    return f"a term is missing: {along:.4g} times {e.name} itself (as of a penalty Σ x²)"


def dy_itself(e: Evidence) -> str | None:
    """A path straight through."""
    numeric = e.whole
    if numeric is None or e.shape != np.shape(e.dy):
        return None
    for what, sign in (("a term is missing", 1), ("there is a term too many", -1)):
        if close(numeric - e.analytic, sign * np.asarray(e.dy)):
            return f"{what}: dy itself, as from a path straight through, or the 1 in 1 − y²"
    return None


def dy_times(e: Evidence) -> str | None:
    """The path through one factor of a product."""
    numeric = e.whole
    if numeric is None or e.shape != np.shape(e.dy) or len(e.shape) < 2:
        return None
    lack, dy = numeric - e.analytic, np.asarray(e.dy)
    for axes in [(), *((k,) for k in range(len(e.shape))), (0, 1)]:
        others = tuple(k for k in range(len(e.shape)) if k not in axes)
        if math.prod(e.shape[k] for k in others) < 3:
            continue
        by = (lack * dy).sum(axis=others, keepdims=True) / (dy * dy).sum(
            axis=others, keepdims=True
        )
        if close(lack, by * dy):
            what = f"a factor that depends on {axes_called(axes)} alone" if axes else f"{by.item():.4g}"
            return f"a term is missing: dy times {what}: one path of a product, or straight through?"
    return None


def statistics(e: Evidence) -> str | None:
    """What lacks is the same along some axes, or lies along x there: mean, variance."""
    numeric = e.whole
    if numeric is None or e.name != next(iter(e.variables)) or len(e.shape) < 2:
        return None
    if np.ndim(e.dy) == 0:  # what a loss takes a mean of is no statistics
        return None
    lack = numeric - e.analytic
    for axes in _groups(len(e.shape)):
        size = math.prod(e.shape[k] for k in axes)
        centred = e.x - e.x.mean(axis=axes, keepdims=True)
        level = lack.mean(axis=axes, keepdims=True)
        if size >= (2 if axes == PIXELS else 3) and close(lack, level + 0 * lack):
            return _of_a_mean(e, numeric, axes)
        if size < 4 or not (centred**2).sum(axis=axes).all():
            continue
        slope = (lack * centred).sum(axis=axes, keepdims=True) / (centred**2).sum(
            axis=axes, keepdims=True
        )
        if not close(lack, level + slope * centred):
            continue
        over = _called(axes, len(e.shape))
        if close(lack, slope * centred):
            return (
                f"what lacks lies along x − mean(x) over {over}: the path through the variance, "
                "left out or off by a factor?"
            )
        return (
            f"a term is missing that lies along x {over}: the path through the statistics, mean "
            "and variance, left out?"
        )
    return None


def _groups(ndim: int) -> list[tuple[int, ...]]:
    """The axes that a normalisation takes together, or a squeeze: the widest first."""
    if ndim == 4:
        return [(0, 2, 3), (1, 2, 3), (2, 3), (1,)]
    return [axes for n in (2, 1) if n < ndim for axes in itertools.combinations(range(ndim), n)]


def _called(axes: tuple[int, ...], ndim: int) -> str:
    if ndim == 4 and axes == BATCH:
        return "in each channel"
    return f"in each group of {axes_called(axes)}"


def _of_a_mean(e: Evidence, numeric: Array, axes: tuple[int, ...]) -> str:
    """Left out, or there and wrong? It is there if backward has, beside dy, a constant part."""
    if axes == PIXELS:
        path = "the path through a mean over the pixels, a squeeze and its gate,"
        alike = "the same over (H, W)"
    else:
        path = "the path through the mean of " + ("the batch" if 0 in axes else "each sample")
        alike = "the same for all of " + (
            "a channel (N, H, W)" if axes == BATCH else axes_called(axes)
        )
    parts = [_constant_part(a, e, axes) for a in (e.analytic, numeric)]
    if parts[0] is None or parts[1] is None:
        return f"what lacks is {alike}: {path} left out or wrong?"
    if close(parts[0] + parts[1], parts[1]):
        return f"a term is missing that is {alike}: {path} left out?"
    c = proportion(parts[0], parts[1])
    by = ""
    if c is not None:
        by = f" by the factor {c:.4g}"
        n = math.prod(e.shape[k] for k in axes)
        name = "·".join("NCHW"[k] for k in axes) if len(e.shape) == 4 else f"length of {axes_called(axes)}"
        if math.isclose(c, n, rel_tol=10 * CLOSE):
            by = f" by the factor {n} = {name}, a sum where a mean is needed"
        elif math.isclose(c, 1 / n, rel_tol=10 * CLOSE):
            by = f" by the factor 1/{n} = 1/({name}), a mean where a sum is needed"
    return f"the part that is {alike} is there, but wrong{by}: {path} or a factor in it?"


def _constant_part(a: Array, e: Evidence, axes: tuple[int, ...]) -> Array | None:
    """What is left of a where dy and x are 0, in each group; None where it is of other things."""
    if np.shape(e.dy) != e.shape or math.prod(e.shape[k] for k in axes) < 5:
        return None
    with_x = axes != PIXELS
    rows = [_rows(array, axes) for array in (a, np.asarray(e.dy), e.x)]
    found = np.zeros(len(rows[0]))
    largest = float(np.abs(a).max(initial=0))
    for k, (values, dy, x) in enumerate(zip(*rows, strict=True)):
        if axes == PIXELS or 0 in axes:
            basis = np.stack([np.ones_like(dy), dy] + [x - x.mean()] * with_x)
        else:  # each sample has its own mean, and each dy a gamma of its own
            return None
        fit, *_ = np.linalg.lstsq(basis.T, values, rcond=None)
        if np.abs(fit @ basis - values).max() > CLOSE * largest:
            return None
        found[k] = fit[0]
    return np.where(np.abs(found) <= 10 * CLOSE * largest, 0, found)


def _rows(array: Array, axes: tuple[int, ...]) -> Array:
    """(groups, size)."""
    kept = [k for k in range(array.ndim) if k not in axes]
    rows: Array = array.transpose(*kept, *axes).reshape(
        math.prod(array.shape[k] for k in kept), -1
    )
    return rows
