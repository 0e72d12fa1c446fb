"""The activations as layers. None has parameters, and all take arrays of any shape."""

from __future__ import annotations

from collections.abc import Callable

from minise import ops
from minise.arrays import Array
from minise.errors import InputError
from minise.nearest import nearest
from minise.nn.layer import Backward, Layer, Sequential

__all__ = [
    "ACTIVATIONS",
    "Clip",
    "HardSigmoid",
    "HardSwish",
    "LeakyReLU",
    "ReLU",
    "SiLU",
    "Sigmoid",
    "Tanh",
    "activation_layer",
]


class ReLU(Layer):
    """max(x, 0)."""

    def forward(self, x: Array, training: bool = True) -> tuple[Array, Backward]:
        """Any shape."""
        y, saved = ops.relu(x)
        return y, lambda dy: ops.relu_backward(dy, saved)


class Sigmoid(Layer):
    """1 / (1 + exp(−x))."""

    def forward(self, x: Array, training: bool = True) -> tuple[Array, Backward]:
        """Any shape."""
        y, saved = ops.sigmoid(x)
        return y, lambda dy: ops.sigmoid_backward(dy, saved)


class Tanh(Layer):
    """tanh(x)."""

    def forward(self, x: Array, training: bool = True) -> tuple[Array, Backward]:
        """Any shape."""
        y, saved = ops.tanh(x)
        return y, lambda dy: ops.tanh_backward(dy, saved)


class SiLU(Layer):
    """x · sigmoid(x), also called swish."""

    def forward(self, x: Array, training: bool = True) -> tuple[Array, Backward]:
        """Any shape."""
        y, saved = ops.silu(x)
        return y, lambda dy: ops.silu_backward(dy, saved)


class HardSwish(Layer):
    """x times the hard sigmoid of x."""

    def forward(self, x: Array, training: bool = True) -> tuple[Array, Backward]:
        """Any shape."""
        y, saved = ops.hard_swish(x)
        return y, lambda dy: ops.hard_swish_backward(dy, saved)


class LeakyReLU(Layer):
    """x where it is positive, else slope · x."""

    def __init__(self, slope: float = 0.01) -> None:
        self.slope = slope

    def forward(self, x: Array, training: bool = True) -> tuple[Array, Backward]:
        """Any shape."""
        y, saved = ops.leaky_relu(x, self.slope)
        return y, lambda dy: ops.leaky_relu_backward(dy, saved)


class HardSigmoid(Layer):
    """x/width + 1/2, cut off at 0 and 1: a slope of 1/6, or of 0.2 with a width of 5."""

    def __init__(self, width: float = 6) -> None:
        self.width = width

    def forward(self, x: Array, training: bool = True) -> tuple[Array, Backward]:
        """Any shape."""
        y, saved = ops.hard_sigmoid(x, self.width)
        return y, lambda dy: ops.hard_sigmoid_backward(dy, saved)


class Clip(Layer):
    """x, cut off at `low` and `high`; `Clip(0, 6)` is relu6."""

    def __init__(self, low: float, high: float) -> None:
        self.low, self.high = low, high

    def forward(self, x: Array, training: bool = True) -> tuple[Array, Backward]:
        """Any shape."""
        y, saved = ops.clip(x, self.low, self.high)
        return y, lambda dy: ops.clip_backward(dy, saved)


ACTIVATIONS: dict[str, Callable[[], Layer]] = {
    "relu": ReLU,
    "relu6": lambda: Clip(0, 6),
    "leaky_relu": LeakyReLU,
    "silu": SiLU,
    "hard_swish": HardSwish,
    "sigmoid": Sigmoid,
    "tanh": Tanh,
    "none": Sequential,
}


def activation_layer(name: str, who: str) -> Layer:
    """The layer of this name. Raises `InputError`, in the name of `who`, for an unknown one."""
    if name == "swish":  # of which hard_swish would be the nearest name
        raise InputError(f"{who}: activation 'swish' is called 'silu'")
    if name not in ACTIVATIONS:
        raise InputError(f"{who}: {nearest('activation', name, list(ACTIVATIONS))}")
    return ACTIVATIONS[name]()
