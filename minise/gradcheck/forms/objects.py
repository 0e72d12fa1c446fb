"""Objects that hold parameters and keep, between forward and backward, what they need."""

from __future__ import annotations

import copy
import inspect
import types
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np

from minise.arrays import Array
from minise.errors import InputError
from minise.gradcheck.forms import held
from minise.gradcheck.forms.calls import OUTPUT, Called, Plan, Takes
from minise.gradcheck.forms.held import Where
from minise.gradcheck.forms.inputs import TRAINING, moved, named_inputs, paths, placed
from minise.gradcheck.forms.naming import owner
from minise.gradcheck.forms.pairs import Told, loss_and_gradients
from minise.gradcheck.forms.returned import all_of, gradients_of, left_out
from minise.gradcheck.habits import BY_HAND
from minise.gradcheck.own_errors import OwnErrors
from minise.gradcheck.subject import Gradients, Subject, is_float

# The numbers of the last forward are kept on the object: a second use wants a second object.
KEPT = BY_HAND - {"used twice in a net"}
LEARNING_RATE = ("learning_rate", "lr", "eta", "alpha")  # of a backward that moves parameters
FORWARD = ("forward", "__call__")


class Methods(NamedTuple):
    """Of an object, by name."""

    forward: str
    backward: str | None  # None where forward returns the gradients at once


def methods_of(thing: Any) -> Methods | None:
    """Those of an object with forward and backward, or with loss."""
    if isinstance(thing, type | types.ModuleType):
        return None
    for forward in FORWARD:
        if callable(getattr(thing, forward, None)) and callable(getattr(thing, "backward", None)):
            return Methods(forward, "backward")
    return with_gradient(thing, "loss") if callable(getattr(thing, "loss", None)) else None


def with_gradient(thing: Any, method: str) -> Methods:
    """A method that returns its gradients, or leaves that to one called gradient."""
    return Methods(method, "gradient" if hasattr(thing, "gradient") else None)


class Object(Subject):
    """`y = thing.forward(*inputs)` and `dx = thing.backward(dy)`, with gradients in attributes.

    Where forward returns nothing y is in `thing.output`, and where backward does dx is in
    `thing.dinputs`, or dx. Another method may return its gradients at once, as
    `loss, grads = thing.loss(x, labels)`. The gradients of parameters are found by their names,
    as `held.owned` tells, be they set or added to; a backward that takes a learning rate may move
    the parameters instead.
    """

    def __init__(
        self, thing: Any, methods: Methods, inputs: tuple[Any, ...], training: bool, told: Told
    ) -> None:
        self.name = type(thing).__name__
        if methods.forward not in FORWARD:
            self.name += f".{methods.forward}"
        self.thing, self.methods = held.in_float64(thing), methods
        self.training, self.told, self.habits = training, told, KEPT
        forward = getattr(self.thing, methods.forward)
        self.inputs = named_inputs(forward, inputs, told.names)
        self.takes = Takes.of(getattr(self.thing, methods.backward or methods.forward))
        self.mode = _mode(forward, self.inputs, training)
        self.paths = paths(self.inputs)
        self.plan: Plan | None = None
        self.used: Any = self.thing
        self.places: dict[str, Where] = {}  # of the parameters, by name
        self.gradients_at: dict[str, Where] = {}  # of those that are in attributes
        self.added: set[str] = set()  # those that backward adds to
        self.descended: set[str] = set()  # parameters that backward moves itself, by −gradient
        self._try_it()

    def _try_it(self) -> None:
        """Run it once, to see where its gradients are."""
        used = held.copied(self.thing)
        before = held.arrays(used)
        with OwnErrors("in the first forward"):
            call = self._forward(used, {})
            if self.plan and self.takes.one and call.takes_dy and self._without_dy():
                self.plan = self.plan.for_dy_of_one()
                call = self._forward(used, {})
        after = held.arrays(used)
        kept = [p for p, a in before.items() if after.get(p) is a and _same(a, self._at(p))]
        was = _copies(after)
        parameters = held.named([p for p in kept if held.owned(p, kept) is None], self.inputs)

        dy = np.ones(np.shape(call.y))[()]
        with OwnErrors("in the first backward"):
            found = self._backward(used, call, dy, parameters)
        once = _copies(held.arrays(used))
        untouched = {p for p in once if p in was and _same(was[p], once[p])}
        owners: dict[Where, Where] = {}  # those that backward touched before the others
        for place in sorted(once, key=untouched.__contains__):
            if (own := held.owned(place, list(parameters.values()))) is not None:
                owners.setdefault(own, place)

        ids: set[int] = set()  # one array may be held in several places
        descends = not set(LEARNING_RATE).isdisjoint(self.takes.options)
        for name, place in parameters.items():
            moves = descends and place in once and place not in untouched
            if id(self._at(place)) in ids or not (moves or place in owners or name in found):
                continue
            ids.add(id(self._at(place)))
            self.places[name] = place
            if place in owners and name not in found:
                self.gradients_at[name] = owners[place]
            elif name not in found:
                self.descended.add(name)
        values = {name: np.copy(self._at(place)) for name, place in self.places.items()}
        self.variables = moved(self.inputs, found) | values
        if not self.variables:
            raise InputError(
                f"gradcheck: no gradient of {self.name} was found: its backward returned none, and "
                "there is none in an attribute, as dx, dW or grads['W'] would be"
            )
        self._see_what_is_added(used, call, was, once)
        without = {n: p for n, p in parameters.items() if id(self._at(p)) not in ids}
        self.said = (*left_out(self.inputs, found, call), *self._unfound(without))

    def _without_dy(self) -> bool:
        """Whether the backward of a loss leaves the same for any dy."""
        left = []
        for dy in (1.0, 2.0):
            used = held.copied(self.thing)
            call = self._forward(used, {})
            if np.size(call.y) != 1:
                return False
            with OwnErrors("in the first backward"):
                found = call.backward(dy)
            if not isinstance(found, np.ndarray):
                return False
            left.append([found, *held.arrays(used).values()])
        return len(left[0]) == len(left[1]) and all(map(_same, *left))

    def _see_what_is_added(
        self, used: Any, call: Called, was: dict[Where, Array], once: dict[Where, Array]
    ) -> None:
        """Run backward again: what is set stays, what is added to grows by the same."""
        try:
            call.backward(np.ones(np.shape(call.y))[()])
        except Exception:  # any: a stack of what forwards kept is empty, which is right for one run
            self.habits -= {"called twice"}
            return
        if self.descended:
            self.habits -= {"called twice"}
        twice = held.arrays(used)
        for name, place in self.gradients_at.items():
            first = once[place] - was.get(place, np.zeros(()))
            second = twice[place] - once[place]
            if second.any() and np.allclose(second, first, rtol=1e-6):
                self.added.add(name)

    def _unfound(self, parameters: dict[str, Where]) -> Iterator[str]:
        """A line for each array that moves the output, and has no gradient."""
        y = self._forward(held.copied(self.thing), {}).y
        if not _same(y, self._forward(held.copied(self.thing), {}).y):
            return  # at random: anything would seem to move it
        rng = np.random.default_rng(0)
        for name, array in {id(a): (n, a) for n, a in self._arrays(parameters).items()}.values():
            other = array + 0.1 * rng.standard_normal(array.shape)
            try:
                moves = not _same(y, self._forward(self._with({id(array): other}), {}).y)
            except Exception:  # any: then it is no parameter, which could be moved
                continue
            if moves:
                yield f"{name} is held by {self.name}, but no gradient of it was found"

    @property
    def given(self) -> tuple[str, ...]:
        """The inputs."""
        return tuple(name for name in self.variables if name not in self.places)

    def on(self, inputs: Mapping[str, Any]) -> Object:
        """The same object."""
        twin = copy.copy(self)
        twin.inputs = dict(inputs)
        twin.variables = self.variables | moved(inputs, self.given)
        return twin

    def fresh(self) -> Object:
        """Itself: each run has a copy of the object."""
        return copy.copy(self)

    def run(self, variables: Mapping[str, Array]) -> tuple[Any, Callable[[Any], Gradients]]:
        """One forward of a copy, which holds the parameters given."""
        values = {
            id(array): np.copy(variables[name]) if name in self.descended else variables[name]
            for name, array in self._arrays(self.places).items()
        }
        used = self.used = self._with(values)
        call = self._forward(used, variables)

        def gradients(dy: Any) -> Gradients:
            was = _copies(held.arrays(used))
            found = self._backward(used, call, dy, self.places)
            now = held.arrays(used)
            for name in self.descended:
                found[name] = was[self.places[name]] - now[self.places[name]]
            for name, place in self.gradients_at.items():
                if place in now:
                    gradient = now[place] - was.get(place, 0) if name in self.added else now[place]
                    found[name] = gradient if call.takes_dy else dy * gradient
            # copies: the next backward may write into the same arrays, as the object is one
            return _copies(all_of(variables, found, self.name))

        return call.y, gradients

    def _forward(self, used: Any, variables: Mapping[str, Array]) -> Called:
        forward, backward = self.methods
        inputs = placed(self.inputs, variables, self.paths)
        result = getattr(used, forward)(*inputs.values(), **self.mode)
        if backward is None or (forward not in FORWARD and isinstance(result, tuple)):
            loss, found = loss_and_gradients(result, self.name)
            return Called(loss, lambda _: found, takes_dy=False)
        if result is None:
            result = self._output(used)
        back = getattr(used, backward)
        known = inputs | {name: 1.0 for name in LEARNING_RATE if name not in inputs}
        if self.takes.wanted[:1] == ("dvalues",) and inputs.keys() & set(self.takes.wanted):
            # so "Neural networks from scratch" calls the predictions, in the backward of a loss
            predictions: Any = next(iter(inputs.values()))
            output: Any = getattr(used, "output", None)
            alike = np.shape(output) == np.shape(predictions)
            known["dvalues"] = output if alike else predictions
        if self.plan is None:
            asked = self.told.outputs
            self.plan = Plan.of(result, self.takes, known, self.name, asked, saves=False)
        return self.plan.called(result, back, known, self.name)

    def _output(self, used: Any) -> Any:
        asked = self.told.outputs
        names = asked if isinstance(asked, tuple) else [n for n in OUTPUT if hasattr(used, n)][:1]
        if not names or not all(hasattr(used, name) for name in names):
            raise InputError(
                f"gradcheck: the forward of {self.name} returned nothing, and set no attribute "
                f"{' or '.join(names or OUTPUT)}: return it, or name the attribute, as in "
                "outputs=('h',)"
            )
        outputs = tuple(getattr(used, name) for name in names)
        return outputs if len(outputs) > 1 else outputs[0]

    def _backward(
        self, used: Any, call: Called, dy: Any, places: Mapping[str, Where]
    ) -> dict[str, Any]:
        """What it returned, or left of the inputs' gradients in attributes."""
        parameters = self._arrays(places)
        found = gradients_of(call, dy, self.inputs, self.name, self.told.returns, parameters)
        if found:
            return found
        floats = [name for name, value in self.inputs.items() if is_float(value)]
        for attribute, array in vars(used).items():
            name = owner(attribute, [*floats, *places], itself=False)
            if name is None and attribute in ("dinputs", "dinput", "dx", "dX") and floats:
                name = floats[0]
            if name in floats and is_float(array):
                found[name] = array if call.takes_dy else dy * array
        return found

    def _at(self, place: Where) -> Array:
        array: Array = held.at(self.thing, place)
        return array

    def _arrays(self, places: Mapping[str, Where]) -> dict[str, Array]:
        return {name: self._at(place) for name, place in places.items()}

    def _with(self, values: Mapping[int, Array]) -> Any:
        """A copy that holds these in the place of the arrays with these ids."""
        return held.copied(self.thing, values)

    def state(self) -> dict[str, Array]:
        """Its parameters."""
        now = held.arrays(self.used)
        return {name: np.copy(now.get(p, np.array(np.nan))) for name, p in self.places.items()}


def takes_nothing(function: Callable[..., Any]) -> bool:
    """Whether it can be called without arguments."""
    try:
        parameters = inspect.signature(function).parameters.values()
    except ValueError:  # written in C, and does not tell
        return False
    return not any(
        parameter.default is parameter.empty
        for parameter in parameters
        if parameter.kind not in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD)
    )


def _mode(forward: Callable[..., Any], inputs: Mapping[str, Any], training: bool) -> dict[str, Any]:
    """The argument that tells whether it trains, if there is one."""
    for name, parameter in inspect.signature(forward).parameters.items():
        if name in inputs:
            continue
        if name in TRAINING:
            return {name: training}
        if name == "mode" and parameter.default in (parameter.empty, "train", "test", "eval"):
            off = "eval" if parameter.default == "eval" else "test"
            return {name: "train" if training else off}
    return {}


def _copies(arrays: Mapping[Any, Array]) -> dict[Any, Array]:
    return {key: np.array(array) for key, array in arrays.items()}


def _same(a: Any, b: Any) -> bool:
    return np.array_equal(a, b, equal_nan=True)
