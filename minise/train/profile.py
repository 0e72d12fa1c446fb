"""Where the time of a training step goes: layer by layer, forward and backward."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, TypeVar

from minise import backend
from minise.arrays import Array
from minise.nn import Backward, Layer, observed

Result = TypeVar("Result")


@dataclass
class Spent:
    """Seconds spent in one part of all steps, without the parts within it."""

    kind: str  # the layer's class; empty for anything else
    forward: float = 0.0
    backward: float = 0.0


class Profile:
    """Pass it to `fit`; afterwards `spent` has the parts of a step, in the order of the forward.

    Watching costs one or two microseconds a layer, forward and backward together; on a GPU it waits
    for each layer, which takes longer. No plan is followed meanwhile (`nn/passes.py`), so the time
    of a layer is that of its loops and of its Python.
    """

    def __init__(self, clock: Callable[[], float] = time.perf_counter) -> None:
        self.clock = clock
        self.steps = 0
        self.spent: dict[str, Spent] = {}
        self._within = 0.0  # seconds of the parts within the one that is running

    def layers(self, net: Layer) -> Layer:
        """`net`, with every layer timed."""
        return observed(net, self._forward)

    def steps_of(self, name: str, batches: Iterable[Result]) -> Iterator[Result]:
        """The batches, one for each step, with the time it takes to make them."""
        iterator = iter(batches)
        while (batch := self.call(name, lambda: next(iterator, None))) is not None:
            self.steps += 1
            yield batch

    def call(self, name: str, function: Callable[[], Result]) -> Result:
        """Time a call that is not a layer."""
        spent = self.spent.setdefault(name, Spent(""))
        result, seconds = self._timed(function)
        spent.forward += seconds
        return result

    def _forward(self, name: str, part: Layer, x: Array, training: bool) -> tuple[Array, Backward]:
        spent = self.spent.setdefault(name or "(net)", Spent(type(part).__name__))
        (y, backward_of_part), seconds = self._timed(lambda: part.forward(x, training))
        spent.forward += seconds

        def backward(dy: Array, **options: Any) -> Array:
            dx, seconds = self._timed(lambda: backward_of_part(dy, **options))
            spent.backward += seconds
            return dx

        return y, backward

    def _timed(self, function: Callable[[], Result]) -> tuple[Result, float]:
        """The result, and how long it took without the parts within."""
        outside, self._within = self._within, 0.0
        began = self.clock()
        result = function()
        backend.current().synchronize()
        took = self.clock() - began
        own, self._within = took - self._within, outside + took
        return result, own
