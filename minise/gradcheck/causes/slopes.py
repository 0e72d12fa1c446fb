"""The slope of an activation, left out or another one."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from minise.arrays import Array
from minise.gradcheck.causes.evidence import FEW, Evidence, close


def _sigmoid(x: Array) -> Array:
    s: Array = 1 / (1 + np.exp(-x))
    return s


def _phi(x: Array) -> Array:
    """The normal distribution's Φ."""
    phi: Array = (1 + np.vectorize(math.erf, otypes=[float])(x / math.sqrt(2))) / 2
    return phi


def _bell(x: Array) -> Array:
    """And its density φ."""
    density: Array = np.exp(-(x**2) / 2) / math.sqrt(2 * math.pi)
    return density


def _hard_sigmoid(x: Array) -> Array:
    s: Array = np.clip(x / 6 + 0.5, 0, 1)
    return s


def _true(x: Array, y: Array) -> Iterator[tuple[str, str, Array]]:
    """Functions that y may be of x, with their slopes."""
    for name, f, formula, slope in (
        ("tanh", np.tanh(x), "1 − y²", 1 - y**2),
        ("sigmoid", _sigmoid(x), "y·(1 − y)", y * (1 - y)),
        ("softplus", np.log1p(np.exp(x)), "σ(x)", _sigmoid(x)),
        ("exp", np.exp(x), "y", y),
        ("the square", x**2, "2·x", 2 * x),
        ("SiLU", x * _sigmoid(x), "σ(x) + y·(1 − σ(x))", _sigmoid(x) + y * (1 - _sigmoid(x))),
        (
            "hard swish",
            x * _hard_sigmoid(x),
            "x/3 + 1/2 between −3 and 3",
            np.where(np.abs(x) < 3, x / 3 + 0.5, x >= 3),
        ),
        ("GELU", x * _phi(x), "Φ(x) + x·φ(x)", _phi(x) + x * _bell(x)),
    ):
        if close(y, f):
            yield name, formula, slope


def _claimed(x: Array, y: Array) -> Iterator[tuple[str, Array]]:
    """What people write for them."""
    for called, a in (("y", y), ("x", x)):
        yield called, a
        yield f"1 − {called}", 1 - a
        yield f"1 + {called}", 1 + a
        yield f"{called}²", a**2
        yield f"1 − {called}²", 1 - a**2
        yield f"1 + {called}²", 1 + a**2
        yield f"{called}·(1 − {called})", a * (1 - a)
        yield f"{called}·(1 + {called})", a * (1 + a)
        yield f"2·{called}", 2 * a
        yield f"1/{called}", 1 / np.where(a == 0, 1, a)
    yield "(1 − y)²", (1 - y) ** 2
    yield "(1 − y²)²", (1 - y**2) ** 2
    yield "σ(x)", _sigmoid(x)
    yield "1 − σ(x)", _sigmoid(-x)
    yield "σ(x)·(1 − σ(x))", _sigmoid(x) * _sigmoid(-x)
    yield "the 1 − y² of y", 1 - np.tanh(y) ** 2
    yield "the y·(1 − y) of y", _sigmoid(y) * _sigmoid(-y)
    yield "the hard sigmoid of x", _hard_sigmoid(x)
    yield "0 beyond 3 as well", np.where(np.abs(x) < 3, x / 3 + 0.5, 0)
    yield "x/3 + 1/2 everywhere", x / 3 + 0.5
    yield "Φ(x)", _phi(x)
    yield "x·φ(x)", x * _bell(x)
    yield "Φ(x) + φ(x)", _phi(x) + _bell(x)


def slope(e: Evidence) -> str | None:
    """Of y = f(x), entry by entry."""
    if e.shape != np.shape(e.dy) or np.shape(e.y) != e.shape or len(e.entries) < FEW:
        return None
    x, y, dy = e.at(e.x), e.at(e.y), e.at(e.dy)
    for name, formula, true in _true(x, y):
        if np.ptp(true) == 0 or not close(true * dy, e.numeric):
            continue
        if close(e.said, dy):
            return f"the slope of {name}, {formula}, is left out"
        for called, claimed in _claimed(x, y):
            if close(claimed * dy, e.said):
                return f"dy needs the slope of {name}, {formula}, but backward has {called}"
    return None


def slope_needed(e: Evidence) -> str | None:
    """Where y = f(x) is recognised and what backward has is not."""
    if e.shape != np.shape(e.dy) or np.shape(e.y) != e.shape or len(e.entries) < FEW:
        return None
    x, y, dy = e.at(e.x), e.at(e.y), e.at(e.dy)
    for name, formula, true in _true(x, y):
        if np.ptp(true) and close(true * dy, e.numeric):
            return (
                f"dy times the slope of {name}, {formula}, is needed; backward has something else"
            )
    return None


def slope_at_the_output(e: Evidence) -> str | None:
    """Of an activation that comes last: right for dy times the slope, or times what it lacks."""
    y = e.y
    if e.subject is None or np.shape(y) != np.shape(e.dy) or np.size(y) < FEW:
        return None
    if np.ptp(y) == 0 or not e.telling:
        return None
    for name, true, formula, fits in (
        ("tanh", 1 - y**2, "1 − y²", (np.abs(y) < 1).all()),
        ("sigmoid", y * (1 - y), "y·(1 − y)", ((y > 0) & (y < 1)).all()),
        ("relu", (y > 0) * 1.0, "y > 0", (y >= 0).all() and (y == 0).any()),
    ):
        if not fits:
            continue
        if e.right_by(e.dy * true):
            return (
                f"right once dy is multiplied by {formula}: is the slope of {name} at the output "
                "left out?"
            )
        if name == "relu":
            continue
        for called, claimed in (
            ("1 − y", 1 - y),
            ("y", y),
            ("1 + y", 1 + y),
            ("y²", y**2),
            ("1 + y²", 1 + y**2),
            ("1 − y²", 1 - y**2),
            ("y·(1 − y)", y * (1 - y)),
            ("the slope twice", true**2),
        ):
            if claimed.all() and called != formula and e.right_by(e.dy * true / claimed):
                return (
                    f"right once dy is multiplied by {formula} and divided by {called}: is the "
                    f"slope of {name} at the output, {formula}, and backward has {called}?"
                )
    return None
