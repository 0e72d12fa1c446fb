"""What is checked, as one thing: named arrays in, the output and a function for gradients out."""

from __future__ import annotations

import copy
import inspect
from collections.abc import Callable, Mapping
from typing import Any, Protocol, TypeAlias

import numpy as np

from minise.backend import Array
from minise.errors import InputError
from minise.nn.layer import Layer

Pair: TypeAlias = tuple[Callable[..., tuple[Any, Any]], Callable[..., Any]]
Gradients: TypeAlias = dict[str, Array]


class Subject(Protocol):
    """A pair of functions, or a layer, with or without a loss behind it."""

    name: str
    variables: dict[str, Array]  # what is differentiated

    def fresh(self) -> Subject:
        """Itself as it was given: no run has moved its averages or its generators."""

    def run(self, variables: Mapping[str, Array]) -> tuple[Any, Callable[[Any], Gradients]]:
        """The output, and the function from dy to the gradient of each variable."""

    def state(self) -> dict[str, Array]:
        """Copies of the arrays that it holds itself, a layer's parameters and averages."""


class Functions:
    """`y, saved = forward(*inputs)` and `dx, … = backward(dy, saved)`."""

    def __init__(self, pair: Pair, inputs: tuple[Any, ...]) -> None:
        self.forward, self.backward = pair
        self.name = name_of(self.forward)
        names = _argument_names(self.forward, len(inputs))
        self.inputs = dict(zip(names, inputs, strict=True))
        self.variables = {name: a.copy() for name, a in self.inputs.items() if _is_float(a)}

    def fresh(self) -> Functions:
        """Itself: functions keep nothing."""
        return self

    def run(self, variables: Mapping[str, Array]) -> tuple[Any, Callable[[Any], Gradients]]:
        """One call of each."""
        y, saved = self.forward(*(self.inputs | dict(variables)).values())

        def gradients(dy: Any) -> Gradients:
            found = self.backward(dy, saved)
            listed = found if isinstance(found, tuple) else (found,)
            listed = tuple(gradient for gradient in listed if gradient is not None)
            if len(listed) != len(variables):
                raise InputError(
                    f"gradcheck: the backward of {self.name} gave {len(listed)} gradients "
                    f"for {len(variables)} inputs: {', '.join(variables)}"
                )
            return {name: np.array(g) for name, g in zip(variables, listed, strict=True)}

        return y, gradients

    def state(self) -> dict[str, Array]:
        """None."""
        return {}


class LayerWithLoss:
    """A layer, or a net, and the pair of functions that makes a loss of its output, if any."""

    def __init__(
        self, layer: Layer, inputs: tuple[Any, ...], training: bool, loss: Pair | None
    ) -> None:
        self.name = type(layer).__name__
        if not inputs or not _is_float(inputs[0]) or (len(inputs) > 1 and loss is None):
            given = ", ".join(type(value).__name__ for value in inputs) or "nothing"
            raise InputError(
                f"gradcheck: {self.name} takes one float array x, and what follows goes to loss=: "
                f"got {given}"
            )
        self.layer, self.training, self.loss = copy.deepcopy(layer), training, loss
        self.layer.zero_grad()
        self.rest = inputs[1:]
        parameters = {name: p.value.copy() for name, p in layer.named_parameters()}
        self.variables = {"x": inputs[0].copy()} | parameters

    def fresh(self) -> LayerWithLoss:
        """A copy with its own parameters, averages and generators."""
        twin = copy.copy(self)
        twin.layer = copy.deepcopy(self.layer)
        return twin

    def run(self, variables: Mapping[str, Array]) -> tuple[Any, Callable[[Any], Gradients]]:
        """One pass; the parameters of the layer become the arrays given."""
        parameters = dict(self.layer.named_parameters())
        for name, entry in self.layer.named_state():
            # averages follow the kind of numbers, which complex steps change
            entry.value = variables.get(name, entry.value.astype(variables["x"].dtype, copy=False))
        y, backward = self.layer.forward(variables["x"], self.training)
        if self.loss is not None:
            y, saved = self.loss[0](y, *self.rest)

        def gradients(dy: Any) -> Gradients:
            before = {name: np.copy(p.grad) for name, p in parameters.items()}
            if self.loss is not None:
                found = self.loss[1](dy, saved)
                dy = found[0] if isinstance(found, tuple) else found
            dx = np.array(backward(dy))
            return {"x": dx} | {name: p.grad - before[name] for name, p in parameters.items()}

        return y, gradients

    def state(self) -> dict[str, Array]:
        """Parameters, buffers."""
        return self.layer.state_dict()


def subject_of(
    given: Pair | Layer, inputs: tuple[Any, ...], training: bool, loss: Pair | None
) -> Subject:
    """Raises `InputError` unless it is a pair or a layer, with float64 arrays to differentiate."""
    subject: Subject
    if isinstance(given, Layer):
        subject = LayerWithLoss(given, inputs, training, loss)
    elif isinstance(given, tuple) and len(given) == 2 and all(map(callable, given)):
        if loss is not None:
            raise InputError("gradcheck: a loss goes with a layer; for functions write one pair")
        subject = Functions(given, inputs)
    else:
        raise InputError(
            "gradcheck: expected a pair (forward, backward) of functions, or a layer, "
            f"got {given!r}"
        )
    for name, array in subject.variables.items():
        if array.dtype != np.float64:
            raise InputError(
                f"gradcheck: {name} of {subject.name} is {array.dtype}, expected float64"
            )
    if not subject.variables:
        raise InputError(f"gradcheck: {subject.name} was given no float array to differentiate")
    return subject


def name_of(function: Callable[..., Any]) -> str:
    """As it was defined, also behind a `functools.partial`."""
    function = getattr(function, "func", function)
    return getattr(function, "__name__", "the function")


def _is_float(value: Any) -> bool:
    return isinstance(value, np.ndarray) and np.issubdtype(value.dtype, np.floating)


def _argument_names(forward: Callable[..., Any], count: int) -> list[str]:
    """As `forward` calls them: x, w, b; those of a *star are numbered."""
    names: list[str] = []
    for name, parameter in inspect.signature(forward).parameters.items():
        if parameter.kind is parameter.VAR_POSITIONAL:
            names += [f"{name}[{k}]" for k in range(count - len(names))]
        elif parameter.kind is not parameter.KEYWORD_ONLY:
            names.append(name)
    if len(names) < count:
        raise InputError(f"gradcheck: {name_of(forward)} takes {len(names)} inputs, got {count}")
    return names[:count]
