"""What is checked, as one thing: named arrays in, the output and a function for gradients out.

The arrays are NumPy's. With "cupy" in use they go to the GPU for each run, and come back from it.
"""

from __future__ import annotations

import copy
import inspect
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Protocol, TypeAlias

import numpy as np

from minise.arrays import Array, asnumpy, on_gpu
from minise.backend import asarray
from minise.errors import InputError
from minise.nn.layer import Layer, Parameter

Pair: TypeAlias = tuple[Callable[..., tuple[Any, Any]], Callable[..., Any]]
Gradients: TypeAlias = dict[str, Array]


class Subject(Protocol):
    """A pair of functions, or a layer, with or without a loss behind it."""

    name: str
    variables: dict[str, Array]  # what is differentiated
    given: tuple[str, ...]  # which of them come from outside: all but a layer's own parameters
    training: bool

    def fresh(self) -> Subject:
        """Itself as it was given: no run has moved its averages or its generators."""

    def run(self, variables: Mapping[str, Array]) -> tuple[Any, Callable[[Any], Gradients]]:
        """The output, and the function from dy to the gradient of each variable."""

    def state(self) -> dict[str, Array]:
        """Copies of the arrays that it holds itself, a layer's parameters and averages."""

    def overlooked(self) -> list[str]:
        """Attributes that hold parameters which a layer does not find."""


class Functions:
    """`y, saved = forward(*inputs)` and `dx, … = backward(dy, saved)`."""

    def __init__(self, pair: Pair, inputs: tuple[Any, ...]) -> None:
        self.forward, self.backward = pair
        self.name = name_of(self.forward)
        names = _argument_names(self.forward, len(inputs))
        self.inputs = dict(zip(names, inputs, strict=True))
        self.variables = {name: a.copy() for name, a in self.inputs.items() if _is_float(a)}
        self.given, self.training = tuple(self.variables), True

    def fresh(self) -> Functions:
        """Itself: functions keep nothing."""
        return self

    def run(self, variables: Mapping[str, Array]) -> tuple[Any, Callable[[Any], Gradients]]:
        """One call of each."""
        others = {n: copy.deepcopy(v) for n, v in self.inputs.items() if n not in variables}
        inputs = self.inputs | others | dict(variables)
        result = self.forward(*map(_there, inputs.values()))
        if not isinstance(result, tuple) or len(result) != 2:
            raise InputError(
                f"gradcheck: {self.name} returned {type(result).__name__}, expected (y, saved)"
            )
        y, saved = result

        def gradients(dy: Any) -> Gradients:
            found = self.backward(_there(dy), saved)
            listed = found if isinstance(found, tuple | list) else (found,)
            listed = [gradient for gradient in listed if gradient is not None]
            if len(listed) != len(variables):
                raise InputError(
                    f"gradcheck: the backward of {self.name} gave {len(listed)} gradients "
                    f"for {len(variables)} inputs: {', '.join(variables)}"
                )
            return {name: asnumpy(g) for name, g in zip(variables, listed, strict=True)}

        return _here(y), gradients

    def state(self) -> dict[str, Array]:
        """None."""
        return {}

    def overlooked(self) -> list[str]:
        """None."""
        return []


class LayerWithLoss:
    """A layer, or a net, and the pair of functions that makes a loss of its output, if any."""

    def __init__(
        self, layer: Layer, inputs: tuple[Any, ...], training: bool, loss: Pair | None
    ) -> None:
        self.name = type(layer).__name__
        if not inputs or not _is_float(inputs[0]) or (len(inputs) > 1 and loss is None):
            given = ", ".join(_kind(value) for value in inputs) or "nothing"
            raise InputError(
                f"gradcheck: {self.name} takes one float array x, and inputs after it only with "
                f"loss=: got {given}"
            )
        self.layer, self.training, self.loss = copy.deepcopy(layer), training, loss
        self.layer.zero_grad()
        self.rest = inputs[1:]
        parameters = {name: asnumpy(p.value).copy() for name, p in layer.named_parameters()}
        self.x = "x" if "x" not in parameters else "input"
        self.variables = {self.x: inputs[0].copy()} | parameters
        self.given: tuple[str, ...] = (self.x,)

    def fresh(self) -> LayerWithLoss:
        """A copy with its own parameters, averages and generators."""
        twin = copy.copy(self)
        twin.layer = copy.deepcopy(self.layer)
        return twin

    def run(self, variables: Mapping[str, Array]) -> tuple[Any, Callable[[Any], Gradients]]:
        """One pass; the parameters of the layer become the arrays given."""
        parameters = dict(self.layer.named_parameters())
        x = variables[self.x]
        for name, entry in self.layer.named_state():
            if name in variables and name != self.x:
                entry.value = _there(variables[name])
            elif _is_float(_here(entry.value)):  # complex steps make averages complex
                entry.value = _there(_here(entry.value).astype(x.dtype))
        y, backward = self.layer.forward(_there(x), self.training)
        if self.loss is not None:
            y, saved = self.loss[0](y, *map(_there, copy.deepcopy(self.rest)))

        def gradients(dy: Any) -> Gradients:
            before = {name: np.copy(_here(p.grad)) for name, p in parameters.items()}
            dy = _there(dy)
            if self.loss is not None:
                found = self.loss[1](dy, saved)
                dy = found[0] if isinstance(found, tuple) else found
            gradients = {self.x: asnumpy(backward(dy))}
            return gradients | {n: _here(p.grad) - before[n] for n, p in parameters.items()}

        return _here(y), gradients

    def state(self) -> dict[str, Array]:
        """Parameters, buffers."""
        return self.layer.state_dict()

    def overlooked(self) -> list[str]:
        """Lists, tuples and dictionaries: a layer finds only what is an attribute itself."""
        return list(_overlooked(self.layer, ""))


def subject_of(
    given: Pair | Layer, inputs: tuple[Any, ...], training: bool, loss: Pair | None
) -> Subject:
    """Raises `InputError` unless it is a pair or a layer, with float64 arrays to differentiate."""
    subject: Subject
    if isinstance(given, Layer):
        subject = LayerWithLoss(given, inputs, training, loss)
    elif isinstance(given, tuple) and len(given) == 2 and all(map(callable, given)):
        if loss is not None:
            raise InputError(
                "gradcheck: loss= is for layers; put the loss of functions into the pair"
            )
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
    if not any(array.size for array in subject.variables.values()):
        raise InputError(f"gradcheck: {subject.name} was given no float array to differentiate")
    return subject


def name_of(function: Callable[..., Any]) -> str:
    """As it was defined, also behind a `functools.partial`."""
    function = getattr(function, "func", function)
    return getattr(function, "__name__", "the function")


def _overlooked(layer: Layer, prefix: str) -> Iterator[str]:
    for name, value in vars(layer).items():
        held = value.values() if isinstance(value, dict) else value
        if isinstance(value, list | tuple | dict) and any(
            isinstance(part, Parameter | Layer) for part in held
        ):
            yield prefix + name
    for name, child in layer.children():
        yield from _overlooked(child, f"{prefix}{name}.")


def _there(value: Any) -> Any:
    """Where the backend in use wants it."""
    return asarray(value) if isinstance(value, np.ndarray) else value


def _here(value: Any) -> Any:
    return asnumpy(value) if on_gpu(value) else value


def _kind(value: Any) -> str:
    return f"{value.dtype} array" if isinstance(value, np.ndarray) else type(value).__name__


def _is_float(value: Any) -> bool:
    return isinstance(value, np.ndarray) and np.issubdtype(value.dtype, np.floating)


def _argument_names(forward: Callable[..., Any], count: int) -> list[str]:
    """As `forward` calls them: x, w, b; numbered for a *star, or where it tells no names."""
    names: list[str] = []
    try:
        parameters = inspect.signature(forward).parameters
    except ValueError:  # written in C, as NumPy's functions are before 2.4
        return [f"inputs[{k}]" for k in range(count)]
    for name, parameter in parameters.items():
        if parameter.kind is parameter.VAR_POSITIONAL:
            names += [f"{name}[{k}]" for k in range(count - len(names))]
        elif parameter.kind is not parameter.KEYWORD_ONLY:
            names.append(name)
    if len(names) < count:
        raise InputError(f"gradcheck: {name_of(forward)} takes {len(names)} inputs, got {count}")
    return names[:count]
