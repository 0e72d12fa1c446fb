"""One image through a net: a plan is made, and then followed; see also `passes`.

For one image Python takes longer than the arithmetic. But all that it decides follows from the
image's shape: which loops run, and on which arrays. So when a net is given a second image of a
shape, the loops that it calls are put on a tape, and for further images the tape is played. The
result is the same to the last bit, since the loops are the same.

The ordinary way is taken, without a word, where a plan would not be the net itself:

- layers that are not minise's own, as they may do anything; and those of which a part is no loop
- a net that is not as it was: a parameter with another array, another layer, another option. The
  next image but one makes a new plan. What an optimiser changes within an array, loops read anew
- more than one image, other backends, and arrays so large that Python's part is small

A plan is tried first, on a copy of the net whose parameters are noise, as is the image: it is made
with some numbers, and must give the same bits as the ordinary way with others.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from contextvars import ContextVar
from operator import attrgetter, is_
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

import numpy as np

from minise import backend
from minise.arrays import Array

if TYPE_CHECKING:
    from minise.nn.layer import Layer

MOST_BYTES = 2**26  # of a plan's arrays
MOST_STATE = 2**26  # bytes of the net's own
MOST_SHAPES = 4  # of images, for each net
# Whether no backward pass will follow. Then no chain of layers keeps what they have saved for it,
# and the memory of a map is soon free for another.
goes_forward_alone: ContextVar[bool] = ContextVar("goes_forward_alone", default=False)
OPTIONS = int, float, str, tuple, type(None), np.random.Generator  # what those of layers are


def predict(net: Layer, x: Array) -> Array:
    """The output of `net` in evaluation mode."""
    if type(x) is np.ndarray and x.shape[:1] == (1,) and type(net).__module__[:7] == "minise.":
        make_tape = backend.current().tape_maker()
        if make_tape is not None:
            plans = _plans.get(net)
            if plans is None or not plans.state.still_holds(net):
                _plans[net] = _Plans(net)  # a net that changes all the time gets no further
            elif (y := plans.follow(net, x, make_tape)) is not None:
                return y
    return _forward_alone(net, x)


def _forward_alone(net: Layer, x: Array) -> Array:
    # a layer of somebody's own may run a backward pass within its forward
    ours = all(type(layer).__module__[:7] == "minise." for _, layer in net.named_layers())
    token = goes_forward_alone.set(ours)
    try:
        return net.forward(x, training=False)[0]
    finally:
        goes_forward_alone.reset(token)


class _Plan:
    """The loops of a net for one image of a shape."""

    def __init__(self, x: Array, tape: Any, play: Callable[[], None], y: Array) -> None:
        self._x, self._tape, self._play, self._y = x, tape, play, y

    def spoil(self) -> None:
        """See `Tape.spoil`."""
        self._tape.spoil()

    def follow(self, x: Array) -> Array:
        """The net's output for this image, a new array."""
        self._x[...] = x
        self._play()
        return self._y.copy(order="K")


class State:
    """What a net is: its arrays, and all that decides what it does with them."""

    def __init__(self, net: Layer) -> None:
        self._entries = [entry for _, entry in net.named_state()]
        self.arrays = [entry.value for entry in self._entries]
        layers = [layer for _, layer in net.named_layers()]
        self._parts = [*layers[1:], *self._entries]  # not the net itself: `_plans` is weak
        parts = [net, *self._parts]
        self._types = list(map(type, parts))
        self._attributes = [dict(vars(part)) for part in parts]
        # where the order counts, in which layers were set
        self._sequences = [k for k, layer in enumerate(layers) if _is_a_sequence(layer)]
        self._order = [tuple(vars(layers[k])) for k in self._sequences]
        self._kinds = list({kind: None for part in parts for kind in type(part).__mro__[:-1]})
        for part in parts:
            part.__reduce_ex__(2)  # the first copy leaves a note in a class: let it be there
        self._methods = [dict(vars(kind)) for kind in self._kinds]
        # whether it is built of minise's own layers alone, and small
        known = {id(value) for value in (*parts, *self.arrays)}
        self.is_ours = (
            sum(array.nbytes for array in self.arrays) <= MOST_STATE
            and all(map(_is_ours, self._kinds))
            and all(
                id(value) in known or isinstance(value, OPTIONS)
                for layer in layers
                for value in vars(layer).values()
            )
        )

    def still_holds(self, net: Layer) -> bool:
        """Whether the net is as it was."""
        parts = [net, *self._parts]
        attributes = list(map(vars, parts))
        try:
            return not self.is_ours or (
                all(map(is_, map(attrgetter("value"), self._entries), self.arrays))
                and list(map(type, parts)) == self._types
                and attributes == self._attributes
                and [tuple(attributes[k]) for k in self._sequences] == self._order
                and list(map(vars, self._kinds)) == self._methods
            )
        except ValueError:  # an array in place of an option: it is unequal in several ways
            return False


def _is_a_sequence(layer: Layer) -> bool:
    return any(kind.__name__ == "Sequential" for kind in type(layer).__mro__)


def _is_ours(kind: type) -> bool:
    """Whether a class and all its methods are from minise."""
    methods = (value for value in vars(kind).values() if callable(value))
    return all(str(getattr(f, "__module__", ""))[:7] == "minise." for f in (kind, *methods))


def fill_with_noise(net: Layer, rng: np.random.Generator) -> None:
    """Let no parameter be 0, shut a relu, open a gate, or make numbers grow from layer to layer."""
    for _, entry in net.named_state():
        noise = rng.standard_normal(entry.value.shape)
        inputs = max(1, noise[:1].size if noise.ndim else 1)
        # only the kernels of convolutions have both signs: a gate may have a single hidden unit
        entry.value[...] = (
            noise / math.sqrt(inputs) if noise.ndim > 2 else (abs(noise) / 2 + 0.05) / inputs
        )


class _Plans:
    """The plans of a net, as long as it is as it was."""

    def __init__(self, net: Layer) -> None:
        self.state = State(net)
        # those that no thread follows at the moment; None where there can be no plan
        self._idle: dict[tuple[Any, ...], list[_Plan] | None] = {}

    def follow(self, net: Layer, x: Array, make_tape: Callable[..., Any]) -> Array | None:
        """The output for x by a plan, which is made if need be; None if there can be none."""
        key = x.shape, x.dtype
        if key not in self._idle and (not self.state.is_ours or len(self._idle) == MOST_SHAPES):
            return None
        idle = self._idle.get(key, [])
        if idle is None:
            return None
        try:
            plan: _Plan | None = idle.pop()
        except IndexError:  # none yet, or as many as there are threads
            plan = self._make(net, x, make_tape)
        if plan is None:
            self._idle[key] = None
            return None
        y = plan.follow(x)
        idle.append(plan)
        self._idle.setdefault(key, idle)  # only now: an image that does not fit takes no place
        return y

    def _make(self, net: Layer, x: Array, make_tape: Callable[..., Any]) -> _Plan | None:
        twin, rng, noise = copy.deepcopy(net), np.random.default_rng(0), x.copy()
        with np.errstate(all="ignore"):
            fill_with_noise(twin, rng)
            trial = _recorded(twin, noise, make_tape)
            if trial is None:
                return None
            fill_with_noise(twin, rng)
            noise[...] = rng.standard_normal(x.shape)
            trial.spoil()
            found, expected = trial.follow(noise), _forward_alone(twin, noise)
        if not (np.isfinite(expected).all() and found.tobytes() == expected.tobytes()):
            return None
        return _recorded(net, x.copy(), make_tape)


def _recorded(net: Layer, x: Array, make_tape: Callable[..., Any]) -> _Plan | None:
    arrays = [entry.value for _, entry in net.named_state()]
    tape = make_tape([x, *arrays], MOST_BYTES)
    y, play = tape.record(lambda: _forward_alone(net, x))
    return _Plan(x, tape, play, y) if tape.is_whole and tape.knows(y) else None


_plans: WeakKeyDictionary[Layer, _Plans] = WeakKeyDictionary()
