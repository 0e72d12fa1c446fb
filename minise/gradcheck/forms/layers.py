"""Layers and nets of minise."""

from __future__ import annotations

import copy
import functools
from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeAlias

import numpy as np

from minise import backend
from minise.arrays import Array, asnumpy
from minise.errors import InputError
from minise.gradcheck.habits import BY_HAND
from minise.gradcheck.subject import (
    Gradients,
    Pair,
    Subject,
    differentiable,
    here,
    is_float,
    kind,
    there,
)
from minise.nn.layer import PLAIN, Buffer, Layer, Parameter

Entries: TypeAlias = list[tuple[str, Parameter | Buffer]]


class LayerWithLoss(Subject):
    """A layer, or a net, and the pair of functions that makes a loss of its output, if any."""

    habits = BY_HAND

    def __init__(
        self, layer: Layer, inputs: tuple[Any, ...], training: bool, loss: Pair | None
    ) -> None:
        self.name = type(layer).__name__
        if not inputs or not is_float(inputs[0]) or (len(inputs) > 1 and loss is None):
            given = ", ".join(kind(value) for value in inputs) or "nothing"
            raise InputError(
                f"gradcheck: {self.name} takes one float array x, and inputs after it only with "
                f"loss=: got {given}"
            )
        self.layer, self.training, self.loss = copy.deepcopy(layer), training, loss
        for _, entry in self.layer.named_state():  # in float64, whatever they were made in
            if is_float(here(entry.value)):
                entry.value = there(here(entry.value).astype(np.float64))
        for parameter in self.layer.parameters():
            parameter.grad = there(np.zeros(parameter.value.shape))
        parameters = {name: np.copy(here(p.value)) for name, p in self.layer.named_parameters()}
        self.x = "x" if "x" not in parameters else "input"
        self.inputs = {self.x: inputs[0]} | {f"inputs[{k}]": v for k, v in enumerate(inputs) if k}
        self.variables = differentiable({self.x: inputs[0]}) | parameters

    @property
    def given(self) -> tuple[str, ...]:
        """The first input."""
        return (self.x,)

    def on(self, inputs: Mapping[str, Any]) -> LayerWithLoss:
        """The same layer."""
        twin = copy.copy(self)
        twin.inputs = dict(inputs)
        twin.variables = self.variables | differentiable({self.x: inputs[self.x]})
        return twin

    def fresh(self) -> LayerWithLoss:
        """A copy with its own parameters, averages and generators."""
        twin = copy.copy(self)
        twin.layer = copy.deepcopy(self.layer)
        return twin

    def run(self, variables: Mapping[str, Array]) -> tuple[Any, Callable[[Any], Gradients]]:
        """One pass; the parameters of the layer become the arrays given."""
        y, backward, saved = self._forward(self.layer, list(self.layer.named_state()), variables)
        parameters = dict(self.layer.named_parameters())

        def gradients(dy: Any) -> Gradients:
            before = {name: np.copy(here(p.grad)) for name, p in parameters.items()}
            dy = there(dy)
            if self.loss is not None:
                found = self.loss[1](dy, saved)
                dy = found[0] if isinstance(found, tuple) else found
            gradients = {self.x: asnumpy(backward(dy))}
            return gradients | {n: here(p.grad) - before[n] for n, p in parameters.items()}

        return y, gradients

    def output(self, variables: Mapping[str, Array]) -> Any:
        """That of a layer that is restored instead of copied, where that is the same."""
        restored = self.restored
        if restored is None:
            return super().output(variables)
        return self._forward(restored.layer(), restored.entries, variables)[0]

    @functools.cached_property
    def restored(self) -> _Restored | None:
        """Unless the layer holds what no copy of its attributes would restore, a list, say."""
        return _Restored(copy.deepcopy(self.layer)) if _restorable(self.layer) else None

    def _forward(
        self, layer: Layer, entries: Entries, variables: Mapping[str, Array]
    ) -> tuple[Any, Callable[[Any], Any], Any]:
        """The output, and what a backward needs of the layer and of the loss."""
        x, put = variables[self.x], backend.current().asarray
        averages_too = np.iscomplexobj(x)  # or they would drop the imaginary part
        for name, entry in entries:
            if name in variables and name != self.x:
                entry.value = put(variables[name])
            elif averages_too and is_float(here(entry.value)):
                entry.value = put(here(entry.value).astype(x.dtype))
        y, backward = layer.forward(put(x), self.training)
        if self.loss is None:
            return here(y), backward, None
        rest = [value for name, value in self.inputs.items() if name != self.x]
        y, saved = self.loss[0](y, *map(there, copy.deepcopy(rest)))
        return here(y), backward, saved

    def state(self) -> dict[str, Array]:
        """Parameters, buffers."""
        return self.layer.state_dict()

    def overlooked(self) -> list[str]:
        """Lists, tuples and dictionaries: a layer finds only what is an attribute itself."""
        return list(_overlooked(self.layer, ""))


class _Restored:
    """A layer and what its attributes, its averages and its generators were."""

    def __init__(self, layer: Layer) -> None:
        self.kept = layer
        self.entries = list(layer.named_state())
        layers = [each for _, each in layer.named_layers()]
        self.attributes = [(vars(each), dict(vars(each))) for each in layers]
        values = [value for _, held in self.attributes for value in held.values()]
        self.averages = [(v, np.copy(here(v.value))) for v in values if isinstance(v, Buffer)]
        self.generators = [
            (v.bit_generator, v.bit_generator.state)
            for v in values
            if isinstance(v, np.random.Generator)
        ]

    def layer(self) -> Layer:
        """As it was given."""
        for attributes, were in self.attributes:
            attributes.clear()
            attributes.update(were)
        for buffer, average in self.averages:
            buffer.value = there(average.copy())
        for generator, state in self.generators:
            generator.state = state
        return self.kept


def _restorable(value: Any) -> bool:
    if isinstance(value, Layer):
        return all(map(_restorable, vars(value).values()))
    if isinstance(value, tuple):
        return all(map(_restorable, value))
    return isinstance(value, Parameter | Buffer | np.random.Generator) or type(value) in PLAIN


def _overlooked(layer: Layer, prefix: str) -> Iterator[str]:
    for name, value in vars(layer).items():
        held = value.values() if isinstance(value, dict) else value
        if isinstance(value, list | tuple | dict) and any(
            isinstance(part, Parameter | Layer) for part in held
        ):
            yield prefix + name
    for name, child in layer.children():
        yield from _overlooked(child, f"{prefix}{name}.")
