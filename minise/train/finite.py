"""Numbers that are not finite: noticed at every step, and traced to the layer they came from."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from minise.arrays import Array, array_module
from minise.nn import Backward, Layer, Parameter, observed


def all_finite(parameters: Iterable[Parameter]) -> bool:
    """Whether every gradient is finite: its square tells, in one fast pass."""
    with np.errstate(over="ignore", invalid="ignore"):
        for parameter in parameters:
            g = parameter.grad.reshape(-1)
            # the square may overflow where the gradient is finite
            if not np.isfinite(np.dot(g, g)) and not np.isfinite(g).all():
                return False
    return True


def first_not_finite(net: Layer, x: Array, dscores: Array) -> str | None:
    """The first layer to give a number that is not finite, forward or backward, or None.

    As in "block1.conv2 (Conv2d), forward". Run in training mode: running averages move.
    """
    found: list[str] = []

    def note(name: str, layer: Layer, direction: str, *arrays: Array) -> None:
        if not all(array_module(array).isfinite(array).all() for array in arrays):
            found.append(f"{name or 'the net'} ({type(layer).__name__}), {direction}")

    def watch(name: str, layer: Layer, x: Array, training: bool) -> tuple[Array, Backward]:
        y, backward_of_layer = layer.forward(x, training)
        note(name, layer, "forward", y)

        def backward(dy: Array, **options: Array) -> Array:
            dx: Array = backward_of_layer(dy, **options)
            note(name, layer, "backward", dx, *(p.grad for p in layer.parameters()))
            return dx

        return y, backward

    with np.errstate(all="ignore"):
        _, backward = observed(net, watch).forward(x, True)
        net.zero_grad()
        backward(dscores)
    return found[0] if found else None
