"""Activations, element by element, on arrays of any shape: relu, sigmoid, tanh, hard sigmoid."""

from __future__ import annotations

from typing import NamedTuple

from minise import door
from minise.arrays import Array, array_module
from minise.backend import accelerated

__all__ = [
    "hard_sigmoid",
    "hard_sigmoid_backward",
    "relu",
    "relu_backward",
    "sigmoid",
    "sigmoid_backward",
    "tanh",
    "tanh_backward",
]


class ActivationSaved(NamedTuple):
    """The output: the derivatives of relu, sigmoid and tanh follow from it alone."""

    y: Array


class HardSigmoidSaved(NamedTuple):
    """The input of `hard_sigmoid`."""

    x: Array


def relu(x: Array) -> tuple[Array, ActivationSaved]:
    """Rectify x: y = max(x, 0). Its derivative at 0 is taken to be 0."""
    door.check_arrays("relu", x=x)
    y = _relu(x)
    return y, ActivationSaved(y)


@accelerated
def _relu(x: Array) -> Array:
    y: Array = array_module(x).maximum(x, 0)
    return y


def relu_backward(dy: Array, saved: ActivationSaved) -> Array:
    """dx = dy where the output was positive, else 0."""
    door.check_cotangent("relu_backward", dy, saved.y)
    return _relu_backward(dy, *saved)


@accelerated
def _relu_backward(dy: Array, y: Array) -> Array:
    dx: Array = array_module(y).where(y > 0, dy, 0)
    return dx


def sigmoid(x: Array) -> tuple[Array, ActivationSaved]:
    """y = 1 / (1 + exp(−x))."""
    door.check_arrays("sigmoid", x=x)
    y = _sigmoid(x)
    return y, ActivationSaved(y)


@accelerated
def _sigmoid(x: Array) -> Array:
    xp = array_module(x)
    positive = x >= 0
    e = xp.exp(xp.where(positive, -x, x))  # in (0, 1]: the exponent is never positive
    y: Array = xp.where(positive, 1, e) / (1 + e)
    return y


def sigmoid_backward(dy: Array, saved: ActivationSaved) -> Array:
    """dx = dy · y (1 − y)."""
    door.check_cotangent("sigmoid_backward", dy, saved.y)
    return _sigmoid_backward(dy, *saved)


@accelerated
def _sigmoid_backward(dy: Array, y: Array) -> Array:
    dx: Array = dy * y * (1 - y)
    return dx


def tanh(x: Array) -> tuple[Array, ActivationSaved]:
    """The hyperbolic tangent y of x."""
    door.check_arrays("tanh", x=x)
    y = _tanh(x)
    return y, ActivationSaved(y)


@accelerated
def _tanh(x: Array) -> Array:
    y: Array = array_module(x).tanh(x)
    return y


def tanh_backward(dy: Array, saved: ActivationSaved) -> Array:
    """dx = dy · (1 − y²)."""
    door.check_cotangent("tanh_backward", dy, saved.y)
    return _tanh_backward(dy, *saved)


@accelerated
def _tanh_backward(dy: Array, y: Array) -> Array:
    dx: Array = dy * (1 - y * y)
    return dx


def hard_sigmoid(x: Array) -> tuple[Array, HardSigmoidSaved]:
    """y = x/6 + 1/2 cut off at 0 and 1, the straight-line sigmoid (MobileNetV3, section 5.2)."""
    door.check_arrays("hard_sigmoid", x=x)
    return _hard_sigmoid(x), HardSigmoidSaved(x)


@accelerated
def _hard_sigmoid(x: Array) -> Array:
    y: Array = array_module(x).clip(x / 6 + 0.5, 0, 1)
    return y


def hard_sigmoid_backward(dy: Array, saved: HardSigmoidSaved) -> Array:
    """dx = dy / 6 where −3 < x < 3, else 0."""
    door.check_cotangent("hard_sigmoid_backward", dy, saved.x)
    return _hard_sigmoid_backward(dy, *saved)


@accelerated
def _hard_sigmoid_backward(dy: Array, x: Array) -> Array:
    dx: Array = array_module(x).where((x > -3) & (x < 3), dy / 6, 0)
    return dx
