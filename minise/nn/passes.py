"""The passes of a net in training by a plan, as `plan` has it for one image.

For a small net Python takes as long as the loops. So when a batch is of the same shape as the one
before, both passes are put on a tape, and for further such batches the tape is played. All other
batches, as the smaller one at the end of an epoch, and all nets that a tape would not do justice,
go the ordinary way: the numbers are the same, to the last bit.
"""

from __future__ import annotations

from collections.abc import Callable
from operator import attrgetter, is_
from typing import Any

import numpy as np

from minise import backend
from minise.arrays import Array
from minise.nn.layer import Backward, Layer
from minise.nn.plan import State

MOST_BYTES = 2**28  # of a batch; beyond, Python's part is small


class Passes:
    """The two passes of a net in training, for one thread of Python.

    What a pass returns holds until the next of its kind. A backward pass can be called once, before
    the next forward pass: later it raises `RuntimeError`.
    """

    def __init__(self, net: Layer) -> None:
        self._net = net
        self._begin()

    def _begin(self) -> None:
        self._state, self._parameters = State(self._net), self._net.parameters()
        self._grads = [parameter.grad for parameter in self._parameters]
        self._last: tuple[Array, Array] | None = None  # shaped as the last x, and its dy
        self._plan: _Plan | None = None
        self._can = self._state.is_ours and all(
            layer.recordable for _, layer in self._net.named_layers()
        )

    def forward(self, x: Array, training: bool = True) -> tuple[Array, Backward]:
        """The scores of a batch, and the backward pass, which adds to the gradients."""
        if not (self._state.still_holds() and self._has_its_gradients()):
            self._begin()
        make_tape = backend.current().tape_maker()
        if not self._can or make_tape is None or type(x) is not np.ndarray:
            return self._net.forward(x, training=True)
        if self._plan is None and self._last is not None and _alike(x, self._last[0]):
            self._plan = self._make(*self._last, make_tape)
            self._can = self._plan is not None
        if self._plan is not None and _alike(x, self._plan.x):
            return self._plan.forward(x)
        y, ordinary = self._net.forward(x, training=True)

        def backward(dy: Array) -> Array:
            self._last = np.empty_like(x), np.empty_like(dy)
            return ordinary(dy)

        return y, backward

    def _has_its_gradients(self) -> bool:
        return all(map(is_, map(attrgetter("grad"), self._parameters), self._grads))

    def _make(self, x: Array, dy: Array, make_tape: Callable[..., Any]) -> _Plan | None:
        """A plan for batches like x and gradients like dy, which are filled with noise."""
        rng = np.random.default_rng(0)
        x[...], dy[...] = rng.standard_normal(x.shape), rng.standard_normal(dy.shape)
        arrays = [*self._state.arrays, *self._grads]
        before = [array.copy() for array in arrays]

        def put_back() -> None:
            for array, numbers in zip(arrays, before, strict=True):
                array[...] = numbers

        def results(forward: Callable[[Array], tuple[Array, Backward]]) -> list[bytes]:
            """All that comes of both passes, from the net as it was."""
            put_back()
            y, backward = forward(x)
            return [array.tobytes() for array in (y, backward(dy), *arrays)]

        try:
            with np.errstate(all="ignore"):
                expected = results(self._net.forward)  # its memory goes to the tape then
                plan = _Plan(self._net, x, dy, make_tape([x, dy, *arrays], MOST_BYTES))
                if not plan.is_whole:
                    return None
                plan.tape.spoil()
                return plan if results(plan.forward) == expected else None
        finally:
            put_back()


class _Plan:
    """Both passes for batches of a shape."""

    def __init__(self, net: Layer, x: Array, dy: Array, tape: Any) -> None:
        self.x, self._dy, self.tape = x, dy, tape
        self._dx: Array
        (self._y, backward), self._play_forward = tape.record(lambda: net.forward(x, training=True))
        self._dx, self._play_backward = tape.record(lambda: backward(dy))
        self._turn = 0
        self.is_whole = tape.is_whole and tape.knows(self._y) and tape.knows(self._dx)

    def forward(self, x: Array) -> tuple[Array, Backward]:
        """As `Passes.forward`."""
        self.x[...] = x
        self._play_forward()
        self._turn += 1
        turn = self._turn

        def backward(dy: Array) -> Array:
            if turn != self._turn:
                raise RuntimeError("backward: what it needs has been overwritten, by another pass")
            self._turn += 1
            self._dy[...] = dy
            self._play_backward()
            return self._dx

        return self._y, backward


def _alike(x: Array, other: Array) -> bool:
    return (x.shape, x.dtype, x.strides) == (other.shape, other.dtype, other.strides)
