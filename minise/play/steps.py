"""Steps against the gradient, which can be taken back."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from minise.arrays import array_module
from minise.errors import InputError
from minise.nn import Layer

MOST_BYTES = 2**26  # of the weights before earlier steps


class Steps:
    """Of plain gradient descent, w ← w − lr · dw, on a net that is changed in place.

    The net is in evaluation mode: the weight and bias of a batch norm learn as all others do, its
    running averages stand still, in the gradient as well. So what falls is the loss that is shown.
    """

    def __init__(self, net: Layer) -> None:
        self._parameters = net.parameters()
        self._trained = self._copies()
        size = sum(p.value.nbytes for p in self._parameters)
        most = max(1, MOST_BYTES // max(1, size))
        self._earlier: deque[list[Any]] = deque(maxlen=most)
        self.count = 0

    @property
    def undoable(self) -> int:
        """How many of the last steps can be taken back: at least one, if one was taken."""
        return len(self._earlier)

    def step(self, lr: float) -> None:
        """One step, with the gradients that the parameters have.

        Raises `InputError` where a weight would not be finite, and changes nothing then.
        """
        before = self._copies()
        after = [p.value - lr * p.grad for p in self._parameters]
        if not all(array_module(value).isfinite(value).all() for value in after):
            raise InputError(f"step: with a rate of {lr:g} weights would not stay finite")
        self._put(after)
        self._earlier.append(before)
        self.count += 1

    def undo(self) -> None:
        """The weights before the last step. Raises `InputError` where they are not there."""
        if not self._earlier:
            if self.count:
                raise InputError(
                    f"undo: the first {self.count} steps cannot be taken back one by one; "
                    "reset gives the trained net"
                )
            raise InputError("undo: there is no step to take back")
        self._put(self._earlier.pop())
        self.count -= 1

    def reset(self) -> None:
        """The weights before all steps."""
        self._put(self._trained)
        self._earlier.clear()
        self.count = 0

    @contextmanager
    def or_none(self) -> Iterator[None]:
        """Where the block raises, the net is as it was before it."""
        before = self._copies(), self._earlier.copy(), self.count
        try:
            yield
        except BaseException:
            self._put(before[0])
            _, self._earlier, self.count = before
            raise

    def _copies(self) -> list[Any]:
        return [p.value.copy() for p in self._parameters]

    def _put(self, values: list[Any]) -> None:
        for p, value in zip(self._parameters, values, strict=True):
            p.value[...] = value
