"""minise's side of each case."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from minise import backend, models, nn, ops, train
from minise.arrays import Array, asnumpy
from minise.bench.case import Arrays, Side
from minise.nn.passes import Passes
from minise.train.repeats import repeats_itself
from minise.work import TakeStep

LR = 1e-5  # so small that the last call computes nearly the same as the first
WEIGHTS = ("w", "b")  # in C order, as in layers; all else has the batch last in memory


class Minise:
    """Arrays are laid out as by `data.to_input` and the layers: see `placed`."""

    def operation(self, name: str, arrays: Arrays, options: Mapping[str, Any]) -> Side:
        """`ops.name` and `ops.name_backward`."""
        forward, backward = getattr(ops, name), getattr(ops, f"{name}_backward")
        given = {k: backend.asarray(a) if k in WEIGHTS else placed(a) for k, a in arrays.items()}
        dy = given.pop("dy")
        inputs = list(given.values())

        def call() -> tuple[Array, Any]:
            y, saved = forward(*inputs, **options)
            return y, backward(dy, saved)

        def numbers() -> Arrays:
            y, gradients = call()
            gradients = gradients if isinstance(gradients, tuple) else (gradients,)
            named = zip(given, gradients, strict=False)  # without a bias, its gradient is None
            return fetched({"y": y, **{f"d{name}": gradient for name, gradient in named}})

        return Side(call, numbers)

    def se_block(self, channels: int, reduction: float, arrays: Arrays) -> Side:
        """`minise.SEBlock`; its gradients accumulate from call to call."""
        block = nn.SEBlock(channels, reduction)
        x, dy = placed(arrays["x"]), placed(arrays["dy"])

        def call() -> tuple[Array, Array]:
            y, backward = block.forward(x)
            return y, backward(dy)

        def numbers() -> Arrays:
            block.zero_grad()
            y, dx = call()
            return {**fetched({"y": y, "dx": dx}), **gradients_of(block)}

        return Side(call, numbers)

    def step(self, net: str, arrays: Arrays) -> Side:
        """A step as `Training` takes it: by a plan, or on a GPU as a recording."""
        trainer = Trainer(net)
        x, labels = trainer.place(arrays)

        def numbers() -> Arrays:
            trainer.step(x, labels)  # a second step shows gradients that are not cleared
            scores, loss = trainer.step(x, labels)
            return {**fetched({"scores": scores, "loss": loss}), **gradients_of(trainer.net)}

        return Side(lambda: trainer.step(x, labels), numbers)

    def evaluated(self, net: str, arrays: Arrays) -> Side:
        """`net(x)`."""
        ready = models.create(net)
        x = placed(arrays["x"])
        return Side(lambda: ready(x), lambda: fetched({"scores": ready(x)}))


class Trainer:
    """A net and its optimiser, ready to take steps."""

    def __init__(self, net: str) -> None:
        self.net = models.create(net)
        for _, layer in self.net.named_layers():
            if isinstance(layer, nn.Dropout | nn.DropPath):
                layer.p = 0  # what each library dropped would be other images and numbers
        self.optimizer = train.SGD(self.net.parameters(), LR, momentum=0.9)
        self._passes, self._take = self._ready()
        self._results: tuple[Array, Array]

    def place(self, arrays: Arrays) -> tuple[Array, Array]:
        """Images and labels in this library's memory layout."""
        return placed(arrays["x"]), backend.asarray(arrays["labels"])

    def step(self, x: Array, labels: Array) -> tuple[Array, Array]:
        """Forward, loss, backward, and the optimiser's step; gives scores and loss.

        They are valid until the next step, which overwrites them.
        """
        self._take(x, labels)
        return self._results

    def give_memory_back(self) -> None:
        """Give memory kept for new arrays back to the system, and that of plans with it."""
        self._passes, self._take = self._ready()
        backend.current().release_memory()

    def _ready(self) -> tuple[Passes, TakeStep]:
        step = backend.current().stepper(self._step, repeats=repeats_itself(self.net))
        return Passes(self.net), step

    def _step(self, x: Array, labels: Array) -> None:
        scores, backward = self._passes.forward(x)
        loss, saved = ops.softmax_cross_entropy(scores, labels)
        self.net.zero_grad()
        backward(ops.softmax_cross_entropy_backward(1.0, saved))
        self.optimizer.step()
        self._results = scores, loss


def placed(array: Array) -> Array:
    """Images in minise's layout: on a GPU in C order, for a processor with the batch last."""
    return backend.current().place(array)


def fetched(arrays: Arrays) -> Arrays:
    """The same as NumPy arrays, to be compared."""
    return {name: asnumpy(array) for name, array in arrays.items()}


def gradients_of(layer: nn.Layer) -> Arrays:
    """Copies: the next call changes them."""
    return {name: asnumpy(parameter.grad).copy() for name, parameter in layer.named_parameters()}
