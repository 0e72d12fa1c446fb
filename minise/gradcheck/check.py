"""`check` holds what a backward says against differences, entry by entry; and its habits."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from minise.errors import InputError
from minise.gradcheck.causes import explained
from minise.gradcheck.causes.axes import misshapen
from minise.gradcheck.compare import TOLERANCES, Comparison, Way
from minise.gradcheck.forms import Told, subject_of
from minise.gradcheck.habits import Asked, missing
from minise.gradcheck.own_errors import OwnErrors
from minise.gradcheck.precision import Precision
from minise.gradcheck.report import Report
from minise.gradcheck.smallest import with_smallest
from minise.gradcheck.subject import Gradients, Pair, Subject
from minise.gradcheck.unseen import unseen
from minise.gradcheck.vary import on_varied

# Not 0, as which people seed the generator of their inputs: the cotangent would be the input, and
# xᵀ · dy, say, would be symmetric, so that its transposed passed for it.
OWN_SEED = 20170905


def check(
    subject: Any,
    *inputs: Any,
    loss: Pair | Callable[..., Any] | None = None,
    names: Sequence[str] | None = None,
    returns: Sequence[str | None] | None = None,
    outputs: int | Sequence[str] | None = None,
    method: str = "differences",
    step: float | None = None,
    tolerance: float | None = None,
    sample: int = 200,
    training: bool = True,
    habits: Mapping[str, bool] | None = None,
    vary: bool = False,
    rng: np.random.Generator | None = None,
) -> Report:
    """Compare the backward of `subject` with differences, entry by entry.

    `subject` is a pair (forward, backward) of functions, as `y, saved = forward(*inputs)` and
    `dx, … = backward(dy, saved)` (bind options with `functools.partial`), or a layer, whose
    parameters are checked along with its input; `loss` is a pair of functions that is put behind
    a layer, and takes the inputs that follow the first. It may also be an object or a class with
    methods forward and backward, or a function that returns its gradients, `loss, dx = f(x)`.
    Float arrays, and numbers that backward gives a gradient of, are differentiated, in float64;
    anything else, labels say, is passed on as it is. All are copied first.

    What the code does not say itself is said by `names` of the inputs, `returns`, the inputs
    whose gradients backward returns, in its order (None for what is no gradient), and `outputs`,
    the number of outputs among what forward returns, or the attributes in which an object leaves
    them.

    Of PyTorch and JAX it is a `torch.autograd.Function`, a `torch.nn.Module`, behind which `loss`
    may be a function of its output, and any function of tensors or Arrays: one that is given some,
    or names torch or jax in its body. What is checked is its own backward, or autograd's.

    Of an array with more than `sample` entries so many are drawn, and the gradient along one
    random direction over all of them is compared as well. `method` is "differences", whose `step`
    (relative to the array's root mean square) is chosen for each array unless it is given, or
    "complex", which is exact to rounding where the functions take complex numbers and are smooth.
    An entry is right where the relative error is at most `tolerance`, by default 1e-6 and 1e-10.

    Beside the numbers, habits are checked: see `minise.gradcheck.habits`. Those that `habits`
    gives as False, as in `{"memory orders": False}`, are not.

    What these inputs cannot show is in the report, as `unseen`. With `vary` the check is made a
    second time, on inputs whose axes have lengths of their own, as far as forward takes them, and
    whose values are drawn between those given; the report is that of the inputs which fail, or of
    the second. Options and the parameters of a layer stay.

    Raises `InputError` where nothing can be checked, for options that make no sense and where
    complex steps cannot be taken. So it does for what your own code raises, which is its cause: it
    tells file and line, and the shapes of what your function was called with.
    """
    __tracebackhide__ = True  # pytest and IPython leave out this frame
    if method not in TOLERANCES:
        raise InputError(f"gradcheck: method is {method!r}, expected {' or '.join(TOLERANCES)}")
    tolerance = TOLERANCES[method] if tolerance is None else tolerance
    for option, value in {"step": step, "tolerance": tolerance, "sample": sample}.items():
        if value is not None and not value > 0:
            raise InputError(f"gradcheck: {option} is {value}, expected more than 0")
    if not isinstance(sample, int):
        raise InputError(f"gradcheck: sample is {sample!r}, expected an integer")
    rng = np.random.default_rng(OWN_SEED) if rng is None else rng
    told = Told.of(names, returns, outputs)
    checked = subject_of(subject, inputs, training, loss, told)
    way = Way(method, tolerance, step, sample)
    options = {
        "loss": loss, "method": method, "training": training, "habits": habits,
        "names": names, "returns": returns, "outputs": outputs,
    }  # fmt: skip
    usual = {"method": "differences", "training": True}
    typed = {name: value for name, value in options.items() if value != usual.get(name)}

    def report_of(which: Subject, rng: np.random.Generator = rng) -> Report:
        return _report(which, way, habits or {}, rng)

    def whole(which: Subject) -> Report:
        __tracebackhide__ = True
        again = partial(report_of, rng=np.random.default_rng(OWN_SEED))
        return with_smallest(report_of(which), subject, which, typed, again)

    report = whole(checked)
    return on_varied(checked, rng, whole) if vary and report.passed else report


def _report(
    checked: Subject, way: Way, habits: Mapping[str, bool], rng: np.random.Generator
) -> Report:
    with OwnErrors("in the first forward"):
        y, backward = checked.fresh().run(_copies(checked))
        y = np.copy(y)
        again, _ = checked.fresh().run(_copies(checked))
    if not np.array_equal(y, again, equal_nan=True):
        return Report(checked.name, (), (RANDOM,), way.tolerance, way.method)
    dy = rng.standard_normal(np.shape(y))[()]
    with OwnErrors("in the first backward"):
        analytic = {name: np.array(found) for name, found in backward(np.copy(dy)[()]).items()}
    moving = OwnErrors("while numbers were moved for differences")
    # a step may lead out of what a function is defined for
    with np.errstate(all="ignore"), moving:
        comparison = Comparison(checked, dy, way, rng)
        comparison.beside_all(analytic)
        gradients = tuple(
            comparison.of(name, analytic[name])
            for name, array in checked.variables.items()
            if array.size and analytic[name].shape == array.shape
        )
        gradients = explained(gradients, checked, y, dy)
        precision = Precision.of(y, analytic, comparison)
        problems = (
            *_misshapen(checked, analytic),
            *missing(Asked(checked, dy, rng, precision.close, precision.least), habits),
        )
    said = (*checked.said, *precision.said)  # of what was left out, and how judged
    report = Report(checked.name, gradients, problems, way.tolerance, way.method, said)
    return replace(report, unseen=unseen(checked, gradients, report.passed, rng))


RANDOM = (
    "forward gave different outputs for one input, so that differences say nothing. If it draws "
    "random numbers, pass them in (the mask of a dropout, say), or make the generator inside "
    "forward, from a seed; if it keeps what it has seen, such as an average, start from a copy"
)


def _copies(subject: Subject) -> Gradients:
    return {name: array.copy() for name, array in subject.variables.items()}


def _misshapen(subject: Subject, analytic: Gradients) -> list[str]:
    variables = subject.variables
    lines = [
        f"the gradient of {name} has the shape {analytic[name].shape}, expected {array.shape}"
        + misshapen(name, analytic[name], variables, analytic)
        for name, array in variables.items()
        if analytic[name].shape != array.shape
    ]
    if order := _in_another_order(variables, analytic):
        lines.append(
            f"these are the shapes of the gradients of {', '.join(order)}, in this order: if that "
            f"is what backward returns, say so with returns={tuple(order)}"
        )
    elif len(lines) > 1 and len(variables) > 2:
        lines.append(
            f"if backward returns them in another order than {', '.join(variables)}, say so with "
            "returns=, with None for what is no gradient of these"
        )
    return lines


def _in_another_order(variables: Gradients, analytic: Gradients) -> list[str]:
    """The only order of the variables in which all have the shapes of these gradients, if any."""
    left, order = dict(variables), []
    for gradient in analytic.values():
        fits = [name for name, array in left.items() if array.shape == gradient.shape]
        if not fits:
            return []
        order.append(fits[0])
        del left[fits[0]]
    shapes = [array.shape for array in variables.values()]
    return order if order != list(variables) and len(set(shapes)) == len(shapes) else []


def assert_gradients(subject: Any, *inputs: Any, **options: Any) -> None:
    """Raise `AssertionError` with the report as its message, unless `check` passes."""
    __tracebackhide__ = True
    report = check(subject, *inputs, **options)
    if not report.passed:
        raise AssertionError(str(report))
