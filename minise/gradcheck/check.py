"""Central differences: every entry of every input and parameter, moved up and down by a step h.

For y = f(x) and a random cotangent dy, the loss L = Σ y · dy has dL/dx = backward(dy), and

    dL/dx[k] ≈ Σ (f(x + h·e_k) − f(x − h·e_k)) · dy / 2h

The cotangent is random because one of ones cannot tell g · dy from g / dy.
"""

from __future__ import annotations

import copy
import inspect
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

import numpy as np

from minise.backend import Array
from minise.errors import InputError
from minise.gradcheck.report import Report, Worst
from minise.nn.init import generator
from minise.nn.layer import Layer

Pair: TypeAlias = tuple[Callable[..., tuple[Any, Any]], Callable[..., Any]]
Gradients: TypeAlias = Mapping[str, Array]
Run: TypeAlias = Callable[[], tuple[Array, Callable[[Array], Gradients]]]

# Where a gradient is much smaller than the largest of its array, an error is held against this
# part of the largest instead: finite differences cannot see it relative to itself.
FLOOR = 1e-3


def check(
    subject: Pair | Layer,
    *inputs: Any,
    rng: np.random.Generator | None = None,
    step: float = 1e-5,
    tolerance: float = 1e-6,
    training: bool = True,
) -> Report:
    """Compare the backward of `subject` with central differences, entry by entry.

    `subject` is a pair (forward, backward) of functions, as `y, saved = forward(*inputs)` and
    `dx, … = backward(dy, saved)` (bind options with `functools.partial`), or a layer, whose
    parameters are checked along with its input. Float arrays among the inputs must be float64 and
    are differentiated; anything else, labels say, is passed on as it is.

    The functions see read-only arrays, so that writing into them raises NumPy's own `ValueError`
    at the guilty line. backward runs twice, since it must give the same twice and add to `grad`. A
    layer is copied for each pass: the one given, its running averages and its generators stay
    as they are.

    Raises `InputError` for float arrays that are not float64, or where nothing can be checked.
    """
    rng = generator(rng)
    if isinstance(subject, Layer):
        name = type(subject).__name__
        variables, run = _layer(subject, inputs, training)
    else:
        name = _name(subject[0])
        variables, run = _functions(subject, inputs)
    for variable, array in variables.items():
        if array.dtype != np.float64:
            raise InputError(f"gradcheck: {variable} of {name} is {array.dtype}, expected float64")
    if not variables:
        raise InputError(f"gradcheck: {name} was given no float array to differentiate")

    y, backward = run()
    dy = _read_only(rng.standard_normal(np.shape(y)))
    analytic = {variable: np.copy(gradient) for variable, gradient in backward(dy).items()}
    problems = _shape_problems(analytic, variables)
    again = backward(dy)
    problems += [
        f"backward gave another gradient of {variable} when called a second time"
        for variable, gradient in analytic.items()
        if not np.array_equal(gradient, again[variable], equal_nan=True)
    ]
    # no difference of losses is more exact than the rounding of the numbers in them
    resolution = float(np.finfo(float).eps) * float(np.abs(y * dy).sum()) / step
    worst = [
        _worst(variable, analytic[variable], _numeric(array, run, dy, step), resolution / tolerance)
        for variable, array in variables.items()
        if array.size and analytic[variable].shape == array.shape
    ]
    return Report(name, tuple(worst), tuple(problems), tolerance)


def assert_gradients(subject: Pair | Layer, *inputs: Any, **options: Any) -> None:
    """Raise `AssertionError` with the report as its message, unless `check` passes."""
    report = check(subject, *inputs, **options)
    if not report.passed:
        raise AssertionError(str(report))


def _numeric(array: Array, run: Run, dy: Array, step: float) -> Array:
    """The gradient of Σ y · dy with respect to `array`, which `run` uses, by differences."""
    numeric = np.empty_like(array)
    for index in np.ndindex(array.shape):
        here = array[index]
        h = step * max(1.0, abs(float(here)))
        array[index] = above = here + h
        y_above = np.copy(run()[0])  # a copy: y may be a view of the input
        array[index] = below = here - h
        y_below = np.copy(run()[0])
        array[index] = here
        numeric[index] = ((y_above - y_below) * dy).sum() / (above - below)
    return numeric


def _worst(name: str, analytic: Array, numeric: Array, floor: float) -> Worst:
    size = np.maximum(np.abs(analytic), np.abs(numeric))
    floor = max(floor, FLOOR * float(size.max()), float(np.finfo(float).tiny))
    error = np.abs(analytic - numeric) / np.maximum(size, floor)
    at = np.unravel_index(int(np.argmax(error)), error.shape)  # argmax takes NaN for the largest
    index = tuple(int(k) for k in at)
    said, found, off = (float(array[index]) for array in (analytic, numeric, error))
    return Worst(name, index, said, found, off, analytic.size)


def _layer(layer: Layer, inputs: tuple[Any, ...], training: bool) -> tuple[dict[str, Array], Run]:
    if len(inputs) != 1 or not isinstance(inputs[0], np.ndarray):
        raise InputError(f"gradcheck: {type(layer).__name__} takes one array, got {len(inputs)}")
    x = inputs[0].copy()
    layer = copy.deepcopy(layer)
    layer.zero_grad()
    variables = {"x": x} | {name: p.value for name, p in layer.named_parameters()}

    def run() -> tuple[Array, Callable[[Array], Gradients]]:
        twin = copy.deepcopy(layer)
        parameters = dict(twin.named_parameters())
        for parameter in parameters.values():
            parameter.value.flags.writeable = False
        y, backward = twin.forward(_read_only(x), training)

        def gradients(dy: Array) -> Gradients:
            before = {name: p.grad.copy() for name, p in parameters.items()}
            dx = backward(dy)
            return {"x": dx} | {name: p.grad - before[name] for name, p in parameters.items()}

        return y, gradients

    return variables, run


def _functions(pair: Pair, inputs: tuple[Any, ...]) -> tuple[dict[str, Array], Run]:
    forward, backward = pair
    inputs = tuple(np.copy(a) if isinstance(a, np.ndarray) else a for a in inputs)
    named = dict(zip(_argument_names(forward, len(inputs)), inputs, strict=True))
    variables = {
        name: value
        for name, value in named.items()
        if isinstance(value, np.ndarray) and np.issubdtype(value.dtype, np.floating)
    }

    def run() -> tuple[Array, Callable[[Array], Gradients]]:
        y, saved = forward(*(_read_only(a) if isinstance(a, np.ndarray) else a for a in inputs))

        def gradients(dy: Array) -> Gradients:
            found = backward(dy, saved)
            listed = found if isinstance(found, tuple) else (found,)
            listed = tuple(gradient for gradient in listed if gradient is not None)
            if len(listed) != len(variables):
                raise InputError(
                    f"gradcheck: the backward of {_name(forward)} gave {len(listed)} gradients "
                    f"for {len(variables)} inputs: {', '.join(variables)}"
                )
            return dict(zip(variables, listed, strict=True))

        return y, gradients

    return variables, run


def _shape_problems(analytic: Gradients, variables: Mapping[str, Array]) -> list[str]:
    return [
        f"the gradient of {name} is {analytic[name].dtype} {analytic[name].shape}, "
        f"expected {array.dtype} {array.shape}"
        for name, array in variables.items()
        if (analytic[name].shape, analytic[name].dtype) != (array.shape, array.dtype)
    ]


def _read_only(array: Array) -> Array:
    view = array.view()
    view.flags.writeable = False
    return view


def _name(function: Callable[..., Any]) -> str:
    function = getattr(function, "func", function)  # of a functools.partial
    return getattr(function, "__name__", "the function")


def _argument_names(forward: Callable[..., Any], count: int) -> list[str]:
    """As `forward` calls them: x, w, b; those of a *star are numbered."""
    names: list[str] = []
    for name, parameter in inspect.signature(forward).parameters.items():
        if parameter.kind is parameter.VAR_POSITIONAL:
            names += [f"{name}[{k}]" for k in range(count - len(names))]
        elif parameter.kind is not parameter.KEYWORD_ONLY:
            names.append(name)
    return names[:count]
