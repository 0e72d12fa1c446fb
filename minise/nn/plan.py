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

A new plan is held to the ordinary way with an image of noise first, and dropped if a bit differs.
"""

from __future__ import annotations

from collections.abc import Callable
from operator import attrgetter, is_
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

import numpy as np

from minise import backend
from minise.arrays import Array

if TYPE_CHECKING:
    from minise.nn.layer import Layer

MOST_BYTES = 2**24  # of a plan's arrays
MOST_SHAPES = 4  # of images, for each net
OPTIONS = int, float, str, tuple, type(None), np.random.Generator  # what those of layers are


def predict(net: Layer, x: Array) -> Array:
    """The output of `net` in evaluation mode."""
    if type(x) is np.ndarray and x.shape[:1] == (1,) and type(net).__module__[:7] == "minise.":
        make_tape = backend.current().tape_maker()
        if make_tape is not None:
            plans = _plans.get(net)
            if plans is None or not plans.state.still_holds():
                _plans[net] = _Plans(net)  # a net that changes all the time gets no further
            elif (y := plans.follow(net, x, make_tape)) is not None:
                return y
    return net.forward(x, training=False)[0]


class _Plan:
    """The loops of a net for one image of a shape."""

    def __init__(self, x: Array, tape: Any, play: Callable[[], None], y: Array) -> None:
        self._x, self._tape, self._play, self._y = x, tape, play, y

    def follow(self, x: Array) -> Array:
        """The net's output for this image, a new array."""
        self._x[...] = x
        self._play()
        return self._y.copy(order="K")


class State:
    """What a net is: its arrays, and all that decides what it does with them."""

    def __init__(self, net: Layer) -> None:
        layers = [layer for _, layer in net.named_layers()]
        self._state = [entry for _, entry in net.named_state()]
        self.arrays = [entry.value for entry in self._state]
        self._options = [vars(layer) for layer in layers]  # not the layers: `_plans` is weak
        self._options_then = [dict(options) for options in self._options]
        self._kinds = list({kind: None for layer in layers for kind in type(layer).__mro__[:-1]})
        self._methods_then = [dict(vars(kind)) for kind in self._kinds]
        parts = {id(part) for part in (*layers, *self._state)}
        # whether it is built of minise's own layers alone
        self.is_ours = all(kind.__module__[:7] == "minise." for kind in self._kinds) and all(
            id(value) in parts or isinstance(value, OPTIONS)
            for options in self._options
            for value in options.values()
        )

    def still_holds(self) -> bool:
        """Whether the net is as it was."""
        try:
            return not self.is_ours or (
                all(map(is_, map(attrgetter("value"), self._state), self.arrays))
                and self._options == self._options_then
                and list(map(vars, self._kinds)) == self._methods_then
            )
        except ValueError:  # an array in place of an option: it is unequal in several ways
            return False


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
        image = x.copy()
        tape = make_tape([image, *self.state.arrays], MOST_BYTES)
        y, play = tape.record(lambda: net.forward(image, training=False)[0])
        if not (tape.is_whole and tape.knows(y)):
            return None
        plan = _Plan(image, tape, play, y)
        noise = np.random.default_rng(0).standard_normal(x.shape).astype(x.dtype)
        tape.spoil()
        found, expected = plan.follow(noise), net.forward(noise, training=False)[0]
        return plan if found.tobytes() == expected.tobytes() else None


_plans: WeakKeyDictionary[Layer, _Plans] = WeakKeyDictionary()
