"""Pairs of functions, and a function alone that returns a loss and its gradients."""

from __future__ import annotations

import copy
import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from minise.arrays import Array
from minise.errors import InputError
from minise.gradcheck.forms.calls import Called, Plan, Takes
from minise.gradcheck.forms.inputs import moved, named_inputs, paths, placed
from minise.gradcheck.forms.returned import all_of, dtype, gradients_of, has_floats, left_out, times
from minise.gradcheck.habits import BY_HAND
from minise.gradcheck.own_errors import OwnErrors
from minise.gradcheck.subject import Gradients, Pair, Subject, is_float, kind, name_of


class Told(NamedTuple):
    """What a person says of code that does not say it itself."""

    names: tuple[str, ...] | None = None  # of the inputs
    returns: tuple[str | None, ...] | None = None  # whose gradients backward returns, in order
    outputs: int | tuple[str, ...] | None = None  # how many, or the attributes that hold them

    @classmethod
    def of(
        cls,
        names: Sequence[str] | None,
        returns: Sequence[str | None] | None,
        outputs: int | Sequence[str] | None,
    ) -> Told:
        """A string is one name. Raises `InputError` for what is neither names nor a number."""

        def listed(option: str, value: Any) -> tuple[Any, ...] | None:
            each = (value,) if isinstance(value, str) else value
            if each is None:
                return None
            types = str if option != "returns" else str | None  # None: of no input
            if not isinstance(each, list | tuple) or not all(isinstance(n, types) for n in each):
                raise InputError(f"gradcheck: {option} is {value!r}, expected names, as ('x', 'w')")
            return tuple(each)

        if isinstance(outputs, int) and outputs < 1:
            raise InputError(f"gradcheck: outputs is {outputs}, expected 1 or more, or names")
        count = outputs if isinstance(outputs, int) else listed("outputs", outputs)
        return cls(listed("names", names), listed("returns", returns), count)


class Functions(Subject):
    """`y, saved = forward(*inputs)` and `dx, … = backward(dy, saved)`, in any order and number."""

    habits = BY_HAND

    def __init__(self, pair: Pair, inputs: tuple[Any, ...], told: Told) -> None:
        self.forward, self.backward = pair
        self.name, self.told = name_of(self.forward), told
        self.inputs = named_inputs(self.forward, inputs, told.names)
        self.paths = paths(self.inputs)
        self.bound = getattr(self.forward, "keywords", {})  # of a functools.partial
        self.plan: Plan | None = None
        if not any(is_float(x) or isinstance(x, float) or has_floats(x) for x in inputs):
            got = ", ".join(f"{n} is {dtype(value)}" for n, value in self.inputs.items())
            raise InputError(
                f"gradcheck: {self.name} was given no float array to differentiate: {got}"
            )
        with OwnErrors("in the first forward"):
            trial = self._called({})
        with OwnErrors("in the first backward"):
            found = self._found(trial, np.ones(np.shape(trial.y))[()])
        self.variables = moved(self.inputs, found)
        self.said = tuple(left_out(self.inputs, found, trial))

    def on(self, inputs: Mapping[str, Any]) -> Functions:
        """The same functions."""
        twin = copy.copy(self)
        twin.inputs, twin.variables = dict(inputs), moved(inputs, self.variables)
        return twin

    def run(self, variables: Mapping[str, Array]) -> tuple[Any, Callable[[Any], Gradients]]:
        """One call of each."""
        call = self._called(variables)

        def gradients(dy: Any) -> Gradients:
            return all_of(variables, self._found(call, dy), self.name)

        return call.y, gradients

    def _called(self, variables: Mapping[str, Array]) -> Called:
        inputs = placed(self.inputs, variables, self.paths)
        result, known = self.forward(*inputs.values()), self.bound | inputs
        if self.plan is None:
            takes = Takes.of(self.backward)
            self.plan = Plan.of(result, takes, known, self.name, self.told.outputs)
        return self.plan.called(result, self.backward, known, self.name)

    def _found(self, call: Called, dy: Any) -> dict[str, Any]:
        return gradients_of(call, dy, self.inputs, self.name, self.told.returns)


class Loss(Functions):
    """A function that returns its gradients at once: `loss, dx = f(x)`."""

    habits = frozenset({"inputs kept", "used twice in a net", "memory orders"})

    def __init__(self, function: Callable[..., Any], inputs: tuple[Any, ...], told: Told) -> None:
        super().__init__(_pair(function, told), inputs, told)


def _pair(function: Callable[..., Any], told: Told) -> Pair:
    """One gradient alone is that of the first input made of floats, unless `returns` names it."""

    @functools.wraps(function)
    def forward(*inputs: Any) -> tuple[Any, Any]:
        loss, gradients = loss_and_gradients(function(*inputs), name_of(function))
        if told.returns is None and isinstance(gradients, np.ndarray | float):
            first = next((k for k, x in enumerate(inputs) if is_float(x)), 0)
            gradients = [gradients if k == first else None for k in range(len(inputs))]
        return loss, gradients

    def backward(dy: Any, gradients: Any) -> Any:
        return times(dy, gradients)

    return forward, backward


def loss_and_gradients(result: Any, who: str) -> tuple[Any, Any]:
    """The two parts of (loss, dx), (loss, dx, dw), (loss, {"x": dx}), (grads, cost).

    Raises `InputError` for what is none of these.
    """
    if isinstance(result, tuple) and len(result) > 1:
        loss, *rest = result
        if isinstance(loss, dict) and len(rest) == 1:  # (grads, cost)
            loss, rest = rest[0], [loss]
        if np.size(loss) == 1 and all(isinstance(g, GRADIENTS) or g is None for g in rest):
            return np.reshape(loss, ())[()], rest[0] if len(rest) == 1 else rest
    returned = kind(result)
    if isinstance(result, tuple):
        returned = f"({', '.join(map(kind, result))})"
    raise InputError(
        f"gradcheck: {who} alone returned {returned}: expected a function that returns "
        f"(loss, dx), (loss, (dx, dw)) or (loss, grads), or {FORMS}"
    )


GRADIENTS = (np.ndarray, float, dict, list, tuple)

FORMS = (
    "a pair (forward, backward) of functions (f and f_backward in a file), a layer, or an object "
    "or a class with forward and backward"
)
