"""One entry of a gradient beside its finite difference.

dL/dt ≈ (L(t) − L(−t)) / 2t, where t is added to one number that a layer gives or is given

L and the backward that is judged are in float64, by the specification on NumPy, which needs nothing
compiled; those of a large net, with which that takes minutes, by the kernels. Along one of the two
paths into x of an SE block, the other is held: for s · dy the gates, for the gates' path x itself,
so that only the squeeze sees t.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np

from minise import backend
from minise.arrays import Array, asnumpy
from minise.errors import InputError
from minise.gradcheck.differences import LADDER, Judged, Line, Verdict, judge, relative_error
from minise.nn import Layer
from minise.play.changes import Change
from minise.play.watch import Nudge, Watcher
from minise.play.watched import Watched, part_of

OF_A_BLOCK = ("dx", "scaled", "squeezed", "dz", "dhidden", "ds")
STEP, TOLERANCE = 1e-4, 1e-6
LARGE = 2**20  # numbers in all maps
ROUNDED = 1e-3  # of a number in float32: where more is lost, it is told


class Point(NamedTuple):
    """An entry of a gradient."""

    of: str  # "dy", "parameter", or one of `OF_A_BLOCK`
    name: str
    entry: tuple[int, ...]


def check(
    net: Layer,
    seen: Watched,
    x: Array,
    label: int,
    changes: Mapping[str, Change],
    means: Mapping[str, Array],
    point: Point,
    unwanted: Callable[[], bool] = lambda: False,
) -> dict[str, Any]:
    """What backward says in `seen`, what it says in float64, and what differences say.

    `seen` are both passes of the image x (1, C, H, W) with these changes. Raises `InputError` for
    a point that there is not, and soon after `unwanted()` is true: with a large net it takes long.
    """
    shown = _entry(net, seen, point)
    numbers = sum(part.y.size for part in seen.parts.values())
    with backend.using("numpy" if numbers <= LARGE else backend.on_processor().name):
        twin, x = _in_float64(net), asnumpy(x).astype(np.float64)
        watcher = Watcher(twin)
        exact = watcher.watch(x, changes, means)
        exact.backward(label)
        said = _entry(twin, exact, point)
        held = {point.name: exact.blocks[point.name].s} if point.of == "scaled" else {}

        def loss(nudge: Nudge | None = None) -> Array:
            if unwanted():
                raise InputError("check: nobody waits for it any more")
            scores = watcher.watch(x, changes, means, held=held, nudge=nudge).scores[0]
            return _loss(scores, label)

        judged, step, losses = _judged(_line(twin, exact, point, loss), said)
    error = float(relative_error(said, judged.numeric))
    words = _words(judged, error)
    if relative_error(said, shown) > ROUNDED:
        words += f"; in float32 rounding makes {shown:.3g} of it"
    return {
        "of": point.of,
        "name": point.name,
        "index": list(point.entry),
        "backward": shown,
        "exact": said,
        "numeric": judged.numeric,
        "losses": losses,
        "step": step,
        "relative_error": error,
        "verdict": (Verdict.KINK if judged.doubtful else judged.verdict).value,
        "words": words,
    }


def _in_float64(net: Layer) -> Layer:
    """A copy as NumPy arrays, its gradients 0."""
    twin = copy.deepcopy(net)
    for _, entry in twin.named_state():
        entry.value = asnumpy(entry.value).astype(np.float64)
    for parameter in twin.parameters():
        parameter.grad = np.zeros_like(parameter.value)
    return twin


def _entry(net: Layer, seen: Watched, point: Point) -> float:
    """The number in the gradient."""
    gradient = _gradient(net, seen, point)
    entry, shape = point.entry, gradient.shape
    if len(entry) != len(shape) or any(i >= n for i, n in zip(entry, shape, strict=True)):
        raise InputError(f"check: {point.of} of {point.name} {shape} has no entry {entry}")
    return float(gradient[entry])


def _gradient(net: Layer, seen: Watched, point: Point) -> Array:
    found: Array | None = None
    if point.of == "parameter":
        parameter = dict(net.named_parameters()).get(point.name)
        if parameter is not None:
            return asnumpy(parameter.grad)
    elif point.of == "dy":
        layer = seen.blocks.get(point.name) or seen.parts.get(point.name)
        found = None if layer is None else layer.dy
    elif point.of in OF_A_BLOCK and point.name in seen.blocks:
        found = getattr(seen.blocks[point.name], point.of)
    if found is None:
        raise InputError(f"check: there is no {point.of[:20]} of {point.name[:40]!r}")
    gradient: Array = found[0]
    return gradient


def _line(net: Layer, exact: Watched, point: Point, loss: Any) -> Line:
    """The loss, while the entry moves that the gradient is of."""
    if point.of == "parameter":
        value = dict(net.named_parameters())[point.name].value
        return Line(loss, 1.0, value, point.entry, 1.0)
    nudge, t = _nudge(exact, point), np.zeros(1)
    return Line(lambda: loss(nudge._replace(step=float(t[0]))), 1.0, t, 0, 1.0)


def _nudge(exact: Watched, point: Point) -> Nudge:
    of, name, entry = point
    into, joined = False, name in exact.joins
    match of:
        case "dy":
            name = exact.joins.get(name, name)
        case "dx" | "scaled" if joined:  # whose forward nothing calls: what comes out before it
            x = exact.blocks[name].x
            before = next((part.name for part in exact.parts.values() if part.y is x), None)
            if before is None:
                raise InputError(f"check: what goes into {name} comes from no layer")
            name = before
        case "dx" | "scaled":
            into = True
        case "squeezed":
            name, into = exact.blocks[name].reader, True
        case _:
            name = part_of(name, {"dz": "squeeze", "dhidden": "activation", "ds": "gate"}[of])
    return Nudge(name, entry, 0.0, into)


def _judged(line: Line, said: float) -> tuple[Judged, float, list[float]]:
    """The verdict, the step of its difference, and the losses on both sides."""
    step, numeric = STEP, line.central(STEP)
    errors = relative_error(said, np.full(len(LADDER), numeric))
    judged = Judged(Verdict.RIGHT, said, numeric, numeric, numeric, errors)
    if relative_error(said, numeric) > TOLERANCE:
        judged = judge(line, said, TOLERANCE)
        # the rung that the judge took
        rung = np.abs(judged.errors - relative_error(said, judged.numeric)).argmin()
        step = float(LADDER[rung])
    losses = [float(line.at(side * step)[0]) for side in (-1, 1)]
    return judged, step, losses


def _loss(scores: Array, label: int) -> Array:
    """log Σ exp(score) − score of the label, of which a small one has all its digits."""
    others = np.delete(scores - scores[label], label)
    loss: Array = np.logaddexp(0.0, np.logaddexp.reduce(others))
    return loss


def _words(judged: Judged, error: float) -> str:
    if judged.said == judged.numeric == 0:
        return "right: the loss does not depend on this number here, and both are 0"
    if judged.doubtful:
        return "several kinks meet here, and no difference can judge backward"
    match judged.verdict:
        case Verdict.RIGHT:
            return f"right: backward and the difference agree to {error:.0e} of their size"
        case Verdict.KINK:
            return (
                f"a kink: the slope is {judged.below:.4g} on one side and {judged.above:.4g} on "
                "the other, and backward gives one of them, or one between"
            )
        case Verdict.TOO_SMALL:
            return "too small to judge: the rounding of the loss hides it"
    return "wrong: no step makes the difference agree with backward"
