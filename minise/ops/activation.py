"""Activations, element by element, on arrays of any shape, and their derivatives.

Where a function has a kink its derivative is a choice; each docstring says which was made. What
other libraries choose is in the reference, under "Kinks".
"""

from __future__ import annotations

from typing import NamedTuple

from minise import door
from minise.arrays import Array, array_module
from minise.backend import accelerated

__all__ = [
    "clip",
    "clip_backward",
    "hard_sigmoid",
    "hard_sigmoid_backward",
    "hard_swish",
    "hard_swish_backward",
    "leaky_relu",
    "leaky_relu_backward",
    "relu",
    "relu_backward",
    "sigmoid",
    "sigmoid_backward",
    "silu",
    "silu_backward",
    "tanh",
    "tanh_backward",
]


class ActivationSaved(NamedTuple):
    """The output: the derivatives of relu, sigmoid and tanh follow from it alone."""

    y: Array


class InputSaved(NamedTuple):
    """The input."""

    x: Array


class LeakyReLUSaved(NamedTuple):
    """The input of `leaky_relu`, and its slope below 0."""

    x: Array
    slope: float


class ClipSaved(NamedTuple):
    """The input of `clip`, and its bounds."""

    x: Array
    low: float
    high: float


class HardSigmoidSaved(NamedTuple):
    """The input of `hard_sigmoid`, and the width of its ramp."""

    x: Array
    width: float


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


def hard_sigmoid(x: Array, width: float = 6) -> tuple[Array, HardSigmoidSaved]:
    """y = x/width + 1/2 cut off at 0 and 1, the straight-line sigmoid.

    Its slope is 1/6 in MobileNetV3 (Howard et al. 2019, section 5.2), and 0.2, with a width of 5,
    in Keras 2 and ONNX. The derivative at ±width/2 is taken to be 0. Raises `ValueError` for a
    width that is not above 0.
    """
    door.check_arrays("hard_sigmoid", x=x)
    width = float(width)  # one of NumPy's would make float32 float64
    if not width > 0:
        raise ValueError(f"hard_sigmoid: width is {width:g}, expected a number above 0")
    return _hard_sigmoid(x, width), HardSigmoidSaved(x, width)


@accelerated
def _hard_sigmoid(x: Array, width: float) -> Array:
    y: Array = array_module(x).clip(x / width + 0.5, 0, 1)
    return y


def hard_sigmoid_backward(dy: Array, saved: HardSigmoidSaved) -> Array:
    """dx = dy / width where |x| < width/2, else 0."""
    door.check_cotangent("hard_sigmoid_backward", dy, saved.x)
    return _hard_sigmoid_backward(dy, *saved)


@accelerated
def _hard_sigmoid_backward(dy: Array, x: Array, width: float) -> Array:
    xp = array_module(x)
    dx: Array = xp.where(xp.abs(x) < width / 2, dy / width, 0)
    return dx


def silu(x: Array) -> tuple[Array, InputSaved]:
    """y = x · sigmoid(x), also called swish (Elfwing et al. 2017)."""
    door.check_arrays("silu", x=x)
    return _silu(x), InputSaved(x)


@accelerated
def _silu(x: Array) -> Array:
    return x * _sigmoid(x)


def silu_backward(dy: Array, saved: InputSaved) -> Array:
    """dx = dy · s (1 + x (1 − s)) with s = sigmoid(x)."""
    door.check_cotangent("silu_backward", dy, saved.x)
    return _silu_backward(dy, *saved)


@accelerated
def _silu_backward(dy: Array, x: Array) -> Array:
    s = _sigmoid(x)
    dx: Array = dy * s * (1 + x * (1 - s))
    return dx


def hard_swish(x: Array) -> tuple[Array, InputSaved]:
    """y = x · (x/6 + 1/2, cut off at 0 and 1) (MobileNetV3: Howard et al. 2019, section 5.2).

    The derivative is taken to be 0 at −3, and 1 at 3.
    """
    door.check_arrays("hard_swish", x=x)
    return _hard_swish(x), InputSaved(x)


@accelerated
def _hard_swish(x: Array) -> Array:
    y: Array = x * array_module(x).clip(x / 6 + 0.5, 0, 1)
    return y


def hard_swish_backward(dy: Array, saved: InputSaved) -> Array:
    """dx = dy · (x/3 + 1/2) where −3 < x < 3; below it is 0, above dy."""
    door.check_cotangent("hard_swish_backward", dy, saved.x)
    return _hard_swish_backward(dy, *saved)


@accelerated
def _hard_swish_backward(dy: Array, x: Array) -> Array:
    xp = array_module(x)
    dx: Array = xp.where(x >= 3, dy, xp.where(x > -3, dy * (x / 3 + 0.5), 0))
    return dx


def leaky_relu(x: Array, slope: float = 0.01) -> tuple[Array, LeakyReLUSaved]:
    """y = x where x > 0, else slope · x. Its derivative at 0 is taken to be the slope."""
    door.check_arrays("leaky_relu", x=x)
    slope = float(slope)
    return _leaky_relu(x, slope), LeakyReLUSaved(x, slope)


@accelerated
def _leaky_relu(x: Array, slope: float) -> Array:
    y: Array = array_module(x).where(x > 0, x, slope * x)
    return y


def leaky_relu_backward(dy: Array, saved: LeakyReLUSaved) -> Array:
    """dx = dy where x > 0, else slope · dy."""
    door.check_cotangent("leaky_relu_backward", dy, saved.x)
    return _leaky_relu_backward(dy, *saved)


@accelerated
def _leaky_relu_backward(dy: Array, x: Array, slope: float) -> Array:
    dx: Array = array_module(x).where(x > 0, dy, slope * dy)
    return dx


def clip(x: Array, low: float, high: float) -> tuple[Array, ClipSaved]:
    """y = x cut off at `low` and `high`; between 0 and 6 it is relu6.

    The derivative at both bounds is taken to be 0, as for relu. Raises `ValueError` where `low` is
    above `high`.
    """
    door.check_arrays("clip", x=x)
    low, high = float(low), float(high)
    if not low <= high:
        raise ValueError(f"clip: low is {low:g} and high {high:g}, expected low <= high")
    return _clip(x, low, high), ClipSaved(x, low, high)


@accelerated
def _clip(x: Array, low: float, high: float) -> Array:
    y: Array = array_module(x).clip(x, low, high)
    return y


def clip_backward(dy: Array, saved: ClipSaved) -> Array:
    """dx = dy where low < x < high, else 0."""
    door.check_cotangent("clip_backward", dy, saved.x)
    return _clip_backward(dy, *saved)


@accelerated
def _clip_backward(dy: Array, x: Array, low: float, high: float) -> Array:
    dx: Array = array_module(x).where((x > low) & (x < high), dy, 0)
    return dx
