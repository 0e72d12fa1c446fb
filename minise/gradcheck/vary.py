"""Inputs of other shapes and values, at which faults show that the given ones hide."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from minise.arrays import Array
from minise.errors import InputError
from minise.gradcheck.axes import Axes, apart, told
from minise.gradcheck.report import Report
from minise.gradcheck.subject import Subject, is_float

DRAWS = 5  # of values, until forward gives finite numbers as it did


def on_varied(
    subject: Subject, rng: np.random.Generator, report_of: Callable[[Subject], Report]
) -> Report:
    """The report on varied inputs; an error that backward raises there is a failure."""
    other = varied(subject, rng)
    try:
        report = report_of(other)
    except Exception as error:  # any: it is what the person's own code raised
        own = error if isinstance(error, InputError) else f"{type(error).__name__}: {error}"
        why = f"fails on the varied inputs: {own}"
        report = Report(subject.name, (), (why,), 0.0, "differences")
    return replace(report, said=(shapes(other), *report.said))


def varied(subject: Subject, rng: np.random.Generator) -> Subject:
    """The subject on inputs whose axes have lengths of their own, and whose values are drawn.

    What is differentiated is drawn between the numbers given, so that what was positive stays so;
    labels and masks from among them. Options, and parameters that the subject holds, stay.
    """
    axes = Axes(subject)
    inputs = axes.of(apart(axes))
    finite = np.isfinite(_output(subject)).all()
    for _ in range(DRAWS):
        drawn = {name: _drawn(subject, name, value, rng) for name, value in inputs.items()}
        try:
            twin = subject.on(drawn)
            y = _output(twin)
        except Exception:  # any: the person's own code raised it; labels beyond a shorter axis, say
            continue
        if np.isfinite(y).all() or not finite:
            return twin
    return subject.on(inputs)


def _drawn(subject: Subject, name: str, value: Any, rng: np.random.Generator) -> Any:
    """For one input, which has its new shape already."""
    given = subject.inputs[name]
    if not isinstance(given, np.ndarray) or not given.size:
        return value
    if distributions(given):  # their formulas hold for sums of 1 alone, and indices for one 1
        if set(np.unique(given).tolist()) <= {0.0, 1.0}:
            ones = rng.integers(0, value.shape[-1], value.shape[:-1])
            return np.eye(value.shape[-1], dtype=value.dtype)[ones]
        parts = rng.uniform(0.1, 1, value.shape)
        return (parts / parts.sum(axis=-1, keepdims=True)).astype(value.dtype)
    if given.dtype == bool or (name not in subject.variables and _mask(given)):
        return value  # one that is drawn may leave a row without any 1, which attention is not for
    if name not in subject.variables:
        return rng.choice(given.reshape(-1), value.shape)
    return redrawn(value, rng)


def _mask(array: Array) -> bool:
    """Whether it is made of 0 and 1, and is a table, or has several axes."""
    return array.ndim > 1 and set(np.unique(array).tolist()) <= {0, 1}


def distributions(array: Array) -> bool:
    """Whether all rows are probabilities, or have one 1 and zeros."""
    return bool(
        is_float(array)
        and array.ndim
        and array.shape[-1] > 1
        and (array >= 0).all()
        and np.allclose(array.sum(axis=-1), 1)
    )


def redrawn(array: Array, rng: np.random.Generator) -> Array:
    """An array of the same shape and of other values from the same range."""
    flat = array.reshape(-1)
    one = rng.choice(flat, array.shape)
    if not np.isfinite(flat).all():
        return one
    part = rng.uniform(0, 1, array.shape)
    if np.ptp(flat):
        drawn = part * one + (1 - part) * rng.choice(flat, array.shape)
    elif flat[0]:
        drawn = flat[0] * (0.5 + part)
    else:
        drawn = rng.standard_normal(array.shape)
    return np.asarray(drawn).astype(array.dtype)


def shapes(subject: Subject) -> str:
    """Of the inputs, as a report tells them."""
    arrays: Mapping[str, Array] = {
        name: value for name, value in subject.inputs.items() if isinstance(value, np.ndarray)
    }
    return f"varied: {told(arrays)}"


def _output(subject: Subject) -> Any:
    with np.errstate(all="ignore"):
        y, _ = subject.fresh().run({n: np.copy(a) for n, a in subject.variables.items()})
    return np.asarray(y)
