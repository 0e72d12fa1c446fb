"""minise's side of each case."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from minise import models, nn, ops, train
from minise.backend import Array
from minise.bench.case import Arrays, Side

LR = 1e-5  # so small that the last call computes much the same as the first
WEIGHTS = ("w", "b")  # in C order, as layers hold them; all else has the batch last in memory


class Minise:
    """Arrays lie as `data.to_input` and the layers make them: logically NCHW, batch last."""

    def operation(self, name: str, arrays: Arrays, options: Mapping[str, Any]) -> Side:
        """`ops.name` and `ops.name_backward`."""
        forward, backward = getattr(ops, name), getattr(ops, f"{name}_backward")
        placed = {k: a if k in WEIGHTS else batch_last(a) for k, a in arrays.items()}
        dy = placed.pop("dy")
        inputs = list(placed.values())

        def call() -> tuple[Array, Any]:
            y, saved = forward(*inputs, **options)
            return y, backward(dy, saved)

        def numbers() -> Arrays:
            y, gradients = call()
            gradients = gradients if isinstance(gradients, tuple) else (gradients,)
            named = zip(placed, gradients, strict=False)  # without a bias, its gradient is None
            return {"y": y, **{f"d{name}": gradient for name, gradient in named}}

        return Side(call, numbers)

    def se_block(self, channels: int, reduction: float, arrays: Arrays) -> Side:
        """`minise.SEBlock`; its gradients are added up from call to call."""
        block = nn.SEBlock(channels, reduction)
        x, dy = batch_last(arrays["x"]), batch_last(arrays["dy"])

        def call() -> tuple[Array, Array]:
            y, backward = block.forward(x)
            return y, backward(dy)

        def numbers() -> Arrays:
            block.zero_grad()
            y, dx = call()
            return {"y": y, "dx": dx, **gradients_of(block)}

        return Side(call, numbers)

    def step(self, net: str, arrays: Arrays) -> Side:
        """The loop of the README."""
        trainer = Trainer(net)
        x, labels = trainer.place(arrays)

        def numbers() -> Arrays:
            trainer.step(x, labels)  # after a second step, gradients that are not cleared show
            scores, loss = trainer.step(x, labels)
            return {"scores": scores, "loss": np.asarray(loss), **gradients_of(trainer.net)}

        return Side(lambda: trainer.step(x, labels), numbers)

    def image(self, net: str, arrays: Arrays) -> Side:
        """`net(x)`."""
        ready = models.create(net)
        x = batch_last(arrays["x"])
        return Side(lambda: ready(x), lambda: {"scores": ready(x)})


class Trainer:
    """A net and its optimiser, ready to take steps."""

    def __init__(self, net: str) -> None:
        self.net = models.create(net)
        self.optimizer = train.SGD(self.net.parameters(), LR, momentum=0.9)

    def place(self, arrays: Arrays) -> tuple[Array, Array]:
        """Images and labels as this library wants them in memory."""
        return batch_last(arrays["x"]), arrays["labels"]

    def step(self, x: Array, labels: Array) -> tuple[Array, Array]:
        """Forward, loss, backward, and the optimiser's step; gives scores and loss."""
        scores, backward = self.net.forward(x)
        loss, saved = ops.softmax_cross_entropy(scores, labels)
        self.net.zero_grad()
        backward(ops.softmax_cross_entropy_backward(1.0, saved))
        self.optimizer.step()
        return scores, loss


def batch_last(array: Array) -> Array:
    """The same array with its first axis last in memory."""
    return np.moveaxis(np.ascontiguousarray(np.moveaxis(array, 0, -1)), -1, 0)


def gradients_of(layer: nn.Layer) -> Arrays:
    """Copies: the next call changes them."""
    return {name: parameter.grad.copy() for name, parameter in layer.named_parameters()}
