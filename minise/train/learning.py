"""Which parts of a net learn nothing in an epoch, noticed during training.

A parameter whose gradient was 0 in every step has learned nothing, even where weight decay moved
it: all relus before or after it are dead, or a backward leaves it out. One that had a gradient
and stayed as it was took steps too small for its dtype.
"""

from __future__ import annotations

from collections.abc import Collection

from minise.arrays import Array
from minise.nn import Layer, Parameter
from minise.train.optimizers import Optimizer

MOST = 6  # names in a line


class Learning:
    """Checks the parameters of a net in every step of an epoch, on a GPU in every 50th.

    Each is checked until it has had a gradient and has moved: in most nets, only in the first step.
    """

    def __init__(self, net: Layer, optimizer: Optimizer) -> None:
        held = {id(parameter) for parameter in optimizer.parameters}
        self._all = dict(net.named_parameters())
        self._held = {name: p for name, p in self._all.items() if id(p) in held}
        self._optimizer = optimizer
        self._without_gradient: dict[str, Parameter] = {}
        self._before: dict[str, Array] = {}  # the values of those that have not moved
        self._highest_lr = 0.0
        self._told: set[str] = set()

    def begin(self) -> None:
        """An epoch begins."""
        self._without_gradient = dict(self._held)
        self._before = {name: p.value.copy() for name, p in self._held.items()}
        self._highest_lr = 0.0

    def look(self) -> None:
        """A step is over, and its gradients are still there."""
        self._highest_lr = max(self._highest_lr, self._optimizer.lr)
        waiting = self._without_gradient.items()
        self._without_gradient = {n: p for n, p in waiting if not p.grad.any()}
        before = self._before.items()
        self._before = {n: v for n, v in before if not (self._held[n].value != v).any()}

    def found(self, epoch: int) -> list[str]:
        """A line for each thing that kept something from learning in this epoch.

        Nothing is reported twice.
        """
        without = [name for name in self._without_gradient if name not in self._told]
        still = [n for n in self._before if n not in {*self._without_gradient, *self._told}]
        others = [n for n in self._all if n not in {*self._held, *self._told}]
        self._told |= {*without, *still, *others}
        lr = f"{self._highest_lr:.2g}"
        lines = []
        if others:
            lines.append(f"the optimizer does not hold {self._names(others)}: no step moves them")
        if without:
            what = self._names(without)
            lines.append(
                f"{what} learned nothing in epoch {epoch}: "
                "the gradient was 0 in every step (dead relus?)"
            )
        if still and self._highest_lr == 0:
            lines.append(f"the learning rate was 0 throughout epoch {epoch}: nothing moved")
        elif still:
            dtype = self._held[still[0]].value.dtype
            what = f"{self._names(still)} did not move in epoch {epoch}"
            lines.append(f"{what}: steps with lr {lr} are too small for {dtype}")
        return lines

    def _names(self, parameters: Collection[str]) -> str:
        """The layer's name in place of its parameters' names, if all of them are meant."""
        if len(parameters) == len(self._all):
            return "all parameters"
        missing = {_layer(name) for name in self._all if name not in parameters}
        names = {name if _layer(name) in missing else _layer(name): None for name in parameters}
        more = len(names) - MOST
        return ", ".join(list(names)[:MOST]) + (f" and {more} more" if more > 0 else "")


def _layer(parameter: str) -> str:
    return parameter.rpartition(".")[0] or parameter
