"""A term left out: a path, a penalty, the statistics of a normalisation."""

from __future__ import annotations

import itertools
import math

import numpy as np

from minise.gradcheck.causes.evidence import (
    CLOSE,
    FEW,
    Evidence,
    axes_called,
    close,
    fitted,
    proportion,
)
from minise.gradcheck.differences import Floats

BATCH, PIXELS = (0, 2, 3), (2, 3)
NONE = 1e-7  # a part of the largest that is the rounding of differences


def penalty(e: Evidence) -> str | None:
    """Some number times the variable itself, as Σ w² has."""
    lack, x = e.numeric - e.said, e.at(e.x)
    along = proportion(lack, x)
    if along is None and close(lack, x):
        along = 1.0
    if along is None or len(lack) < FEW - 1:
        return None
    if not np.ndim(e.dy):  # the random dy is no part of it
        along /= float(e.dy)
    for name, value in e.settings.items():
        for c, told in (
            (2 * value, f"2·{name}·{e.name}, the gradient of {name}·Σ {e.name}², left out?"),
            (
                value,
                f"{name}·{e.name}; is it 2·{name}·{e.name}, the gradient of {name}·Σ {e.name}²?",
            ),
            (2 * (value - 1), f"the factor {name} of the penalty's gradient left out?"),
            (value - 1, f"the factor {name} of the penalty's gradient left out?"),
        ):
            if math.isclose(along, c, rel_tol=10 * CLOSE):
                return f"what lacks is {along:.4g} times {e.name}: {told}"
    return f"a term is missing: {along:.4g} times {e.name} itself (as of a penalty Σ x²)"


def dy_itself(e: Evidence) -> str | None:
    """A path straight through."""
    if e.shape != np.shape(e.dy) or len(e.entries) < FEW - 1:
        return None
    for what, sign in (("a term is missing", 1), ("there is a term too many", -1)):
        if close(e.numeric - e.said, sign * e.at(np.asarray(e.dy))):
            return f"{what}: dy itself, as from a path straight through, or the 1 in 1 − y²"
    return None


def dy_times(e: Evidence) -> str | None:
    """The path through one factor of a product."""
    if e.shape != np.shape(e.dy) or len(e.shape) < 2:
        return None
    lack, dy = e.numeric - e.said, e.at(np.asarray(e.dy))
    for axes in [(), *((k,) for k in range(len(e.shape))), (0, 1)]:
        groups = e.groups(tuple(k for k in range(len(e.shape)) if k not in axes))
        if (found := fitted(lack, groups, dy)) is None:
            continue
        if fitted(e.said, groups, dy) and e.said.any():
            return None  # dy is there, with another factor
        what = f"a factor that depends on {axes_called(axes)} alone"
        if not axes:
            what = f"{found[1].item():.4g}"
        return f"a term is missing: dy times {what}: one path of a product, or straight through?"
    return None


def statistics(e: Evidence) -> str | None:
    """What lacks is the same along some axes, or lies along x there: mean, variance."""
    if e.name != next(iter(e.variables)) or len(e.shape) < 2:
        return None
    if np.ndim(e.dy) == 0:  # what a loss takes a mean of is no statistics
        return None
    lack = e.numeric - e.said
    for axes in _groups(len(e.shape)):
        if math.prod(e.shape[k] for k in axes) < 2:
            continue
        groups = e.groups(axes)
        centred = e.at(e.x - e.x.mean(axis=axes, keepdims=True))
        if fitted(lack, groups, np.ones_like(lack)):
            return _too_many(e, axes) or _of_a_mean(e, axes)
        if axes == PIXELS or fitted(lack, groups, np.ones_like(lack), centred) is None:
            continue
        over = (
            "in each channel"
            if len(e.shape) == 4 and axes == BATCH
            else f"over {axes_called(axes)}"
        )
        if fitted(lack, groups, centred):
            return (
                f"what lacks lies along x − mean(x) {over}: the path through the variance, left "
                "out or off by a factor?"
            )
        if fitted(lack, groups, e.at(e.x)):
            return (
                f"what lacks lies along x {over}: the path through its norm, left out or off by a "
                "factor?"
            )
        return _too_many(e, axes) or (
            f"a term is missing that lies along x {over}: the path through the statistics, mean "
            "and variance, left out?"
        )
    return None


def two_paths(e: Evidence) -> str | None:
    """Straight through, and through a mean over the pixels."""
    if len(e.shape) != 4 or e.shape != np.shape(e.dy):
        return None
    lack, dy = e.numeric - e.said, e.at(np.asarray(e.dy))
    found = fitted(lack, e.groups(PIXELS), np.ones_like(lack), dy)
    if found is None or len(found[1]) < FEW:
        return None
    c = found[1][:, 1]
    if abs(c[0]) < CLOSE or np.ptp(c) > 10 * CLOSE * abs(c[0]):
        return None
    times = "dy itself" if math.isclose(c[0], 1, rel_tol=10 * CLOSE) else f"dy times {c[0]:.4g}"
    return (
        f"two things lack: {times}, as from a path straight through, and a part that is the same "
        "over (H, W), as from one through a mean over the pixels, a squeeze and its gate"
    )


def _groups(ndim: int) -> list[tuple[int, ...]]:
    """The axes that a normalisation takes together, or a squeeze: the widest first."""
    if ndim == 4:
        return [BATCH, (1, 2, 3), PIXELS, (1,)]
    return [axes for n in (2, 1) if n < ndim for axes in itertools.combinations(range(ndim), n)]


def _too_many(e: Evidence, axes: tuple[int, ...]) -> str | None:
    """Where the statistics are constants, there is no path through them."""
    if axes == PIXELS or np.shape(e.dy) != e.shape:
        return None
    if fitted(e.numeric, e.groups(axes), e.at(np.asarray(e.dy))) is None:
        return None
    return (
        "the true gradient is dy times a number for each channel, and backward has more: a path "
        "through mean and variance, where they are constants, as in evaluation?"
    )


def _of_a_mean(e: Evidence, axes: tuple[int, ...]) -> str:
    """Left out, or there and wrong? It is there if backward has, beside dy, a constant part."""
    if axes == PIXELS:
        path = "the path through a mean over the pixels, a squeeze and its gate,"
        alike = "the same over (H, W)"
    else:
        path = "the path through the mean of " + ("the batch" if 0 in axes else "each sample")
        alike = "the same for all of " + (
            "a channel (N, H, W)" if axes == BATCH else axes_called(axes)
        )
    said, true = _constant_part(e.said, e, axes), _constant_part(e.numeric, e, axes)
    if said is None or true is None:
        return f"what lacks is {alike}: {path} left out or wrong?"
    if not said.any():
        return f"a term is missing that is {alike}: {path} left out?"
    c, by = proportion(said, true), ""
    if c is not None and len(said) > 2:
        by = f" by the factor {c:.4g}"
        n = math.prod(e.shape[k] for k in axes)
        called = f"size of {axes_called(axes)}"
        if len(e.shape) == 4:
            called = "·".join("NCHW"[k] for k in axes)
        if math.isclose(c, n, rel_tol=10 * CLOSE):
            by = f" by the factor {n} = {called}, a sum where a mean is needed"
        elif math.isclose(c, 1 / n, rel_tol=10 * CLOSE):
            by = f" by the factor 1/{n} = 1/({called}), a mean where a sum is needed"
    return f"the part that is {alike} is there, but wrong{by}: {path} or a factor in it?"


def _constant_part(a: Floats, e: Evidence, axes: tuple[int, ...]) -> Floats | None:
    """What is left of a where dy and x are 0, for each group; None where it is of other things."""
    if np.shape(e.dy) != e.shape or not (axes == PIXELS or 0 in axes):
        return None
    bases = [np.ones(len(a)), e.at(np.asarray(e.dy))]
    if axes != PIXELS:
        bases.append(e.at(e.x - e.x.mean(axis=axes, keepdims=True)))
    found = fitted(a, e.groups(axes), *bases)
    if found is None:
        return None
    part = found[1][:, 0]
    return np.where(np.abs(part) <= NONE * np.abs(a).max(), 0, part)
