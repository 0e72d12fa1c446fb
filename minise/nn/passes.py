"""The passes of a net in training by a plan, as `plan` has it for one image.

For a small net Python takes as long as the loops. So when a batch is of the same shape as the one
before, both passes are put on a tape, and for further such batches the tape is played. All other
batches, as the smaller one at the end of an epoch, and all nets that a tape would not do justice,
go the ordinary way: the numbers are the same, to the last bit.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from operator import attrgetter, is_
from typing import Any

import numpy as np

from minise import backend, door
from minise.arrays import Array
from minise.nn.layer import Backward, Layer
from minise.nn.plan import State, fill_with_noise

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
        if not (self._state.still_holds(self._net) and self._has_its_gradients()):
            self._begin()
        make_tape = backend.current().tape_maker()
        if not (self._can and training and make_tape and type(x) is np.ndarray):
            return self._net.forward(x, training)
        if self._plan is None and self._last is not None and _alike(x, self._last[0]):
            self._plan = self._make(*self._last, make_tape)
            self._can = self._plan is not None
        if self._plan is not None and _alike(x, self._plan.x):
            return self._follow(self._plan, x)
        y, ordinary = self._net.forward(x, training)

        def backward(dy: Array) -> Array:
            dx = ordinary(dy)
            self._last = np.empty_like(x), np.empty_like(dy)
            return dx

        return y, backward

    def _follow(self, plan: _Plan, x: Array) -> tuple[Array, Backward]:
        y, ours = plan.forward(x)

        def backward(dy: Array) -> Array:
            if not self._has_its_gradients():
                raise RuntimeError("backward: a gradient was replaced after the forward pass")
            return ours(dy)

        return y, backward

    def _has_its_gradients(self) -> bool:
        return all(map(is_, map(attrgetter("grad"), self._parameters), self._grads))

    def _make(self, x: Array, dy: Array, make_tape: Callable[..., Any]) -> _Plan | None:
        """A plan for batches like x and gradients like dy, if it stands the trial."""
        with np.errstate(all="ignore"):
            if not _trial(copy.deepcopy(self._net), x, dy, make_tape):
                return None
            # to record it is to do it once: what that changes is put back
            changed = [array for array in _arrays(self._net) if array.flags.writeable]
            before = [array.copy() for array in changed]
            try:
                plan = _Plan(self._net, x, dy, make_tape)
            finally:
                for array, numbers in zip(changed, before, strict=True):
                    array[...] = numbers
        return plan if plan.is_whole else None


class _Plan:
    """Both passes for batches of a shape."""

    def __init__(self, net: Layer, x: Array, dy: Array, make_tape: Callable[..., Any]) -> None:
        self.x, self._dy = x, dy
        self.tape = tape = make_tape([x, dy, *_arrays(net)], MOST_BYTES)
        self._dx: Array
        (self._y, backward), self._play_forward = tape.record(lambda: net.forward(x, training=True))
        self._dx, self._play_backward = tape.record(lambda: backward(dy))
        self._turn = 0
        self.is_whole = tape.is_whole and tape.knows(self._y) and tape.knows(self._dx)

    def forward(self, x: Array) -> tuple[Array, Backward]:
        """As `Passes.forward`."""
        self._turn += 1
        turn = self._turn
        self.x[...] = x
        self._play_forward()

        def backward(dy: Array) -> Array:
            door.check_cotangent("backward", dy, self._y)
            if turn != self._turn:
                raise RuntimeError("backward: what it needs has been overwritten, by another pass")
            self._turn += 1
            self._dy[...] = dy  # in another order in memory, its sums would be rounded otherwise
            self._play_backward()
            return self._dx

        return self._y, backward


def _trial(twin: Layer, x: Array, dy: Array, make_tape: Callable[..., Any]) -> bool:
    """Whether a plan, made with some numbers, gives what the net gives with others.

    `twin` is a copy of the net: it, x and dy are filled with noise, so that no number is hidden
    behind a weight that is 0.
    """
    grads, arrays = [parameter.grad for parameter in twin.parameters()], _arrays(twin)

    def draw(seed: int) -> None:
        rng = np.random.default_rng(seed)
        fill_with_noise(twin, rng)
        for array in (x, dy):
            array[...] = rng.standard_normal(array.shape)
        for array in grads:  # small: of a bias before a batch norm only roundings are added
            array[...] = 1e-3 * rng.standard_normal(array.shape)

    def results(forward: Callable[[Array], tuple[Array, Backward]]) -> list[Array]:
        draw(1)
        y, backward = forward(x)
        y, dx = y.copy(), backward(dy).copy()
        return [*(array.copy() for array in arrays), y, dx]

    expected = results(twin.forward)
    draw(1)
    after = expected[: len(grads)]
    moved = all((a != b).any() or not a.size for a, b in zip(grads, after, strict=True))
    if not moved or not all(np.isfinite(array).all() for array in expected):
        return False  # it would show nothing
    draw(0)
    plan = _Plan(twin, x, dy, make_tape)
    try:
        if not plan.is_whole:
            return False
        plan.tape.spoil()
        found = results(plan.forward)
    finally:
        plan.tape.end()
    return all(a.tobytes() == b.tobytes() for a, b in zip(found, expected, strict=True))


def _arrays(net: Layer) -> list[Array]:
    """All that a pass may change: first the gradients, then parameters and buffers."""
    values = [entry.value for _, entry in net.named_state()]
    return [*(parameter.grad for parameter in net.parameters()), *values]


def _alike(x: Array, other: Array) -> bool:
    return (x.shape, x.dtype, x.strides) == (other.shape, other.dtype, other.strides)
