"""Activations, element by element, on arrays of any shape: relu, sigmoid, tanh, hard sigmoid."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from minise import shapes
from minise.backend import Array, array_module, kernel

FEW = 4096  # numbers, for which NumPy is as fast as calling a Numba kernel (and compiling it first)


class ActivationSaved(NamedTuple):
    """The output: the derivatives of relu, sigmoid and tanh can be told from it alone."""

    y: Array


class HardSigmoidSaved(NamedTuple):
    """The input of `hard_sigmoid`."""

    x: Array


def relu(x: Array) -> tuple[Array, ActivationSaved]:
    """Rectify x: y = max(x, 0). Its derivative at 0 is taken to be 0."""
    shapes.check_arrays("relu", x=x)
    fast = _kernel("relu", x)
    y = fast(x) if fast else array_module(x).maximum(x, 0)
    return y, ActivationSaved(y)


def relu_backward(dy: Array, saved: ActivationSaved) -> Array:
    """dx = dy where the output was positive, else 0."""
    y = saved.y
    shapes.check_cotangent("relu_backward", dy, y, y.shape)
    if fast := _kernel("relu_backward", dy, y):
        return fast(dy, y)  # type: ignore[no-any-return]
    return array_module(y).where(y > 0, dy, 0)  # type: ignore[no-any-return]


def sigmoid(x: Array) -> tuple[Array, ActivationSaved]:
    """y = 1 / (1 + exp(−x)); the exponent is never positive, so nothing overflows."""
    shapes.check_arrays("sigmoid", x=x)
    fast = _kernel("sigmoid", x)
    if fast:
        y = fast(x)
    else:
        xp = array_module(x)
        e = xp.exp(xp.where(x >= 0, -x, x))  # in (0, 1]
        y = xp.where(x >= 0, 1, e) / (1 + e)
    return y, ActivationSaved(y)


def sigmoid_backward(dy: Array, saved: ActivationSaved) -> Array:
    """dx = dy · y (1 − y)."""
    y = saved.y
    shapes.check_cotangent("sigmoid_backward", dy, y, y.shape)
    if fast := _kernel("sigmoid_backward", dy, y):
        return fast(dy, y)  # type: ignore[no-any-return]
    dx: Array = dy * y * (1 - y)
    return dx


def tanh(x: Array) -> tuple[Array, ActivationSaved]:
    """The hyperbolic tangent y of x."""
    shapes.check_arrays("tanh", x=x)
    fast = _kernel("tanh", x)
    y = fast(x) if fast else array_module(x).tanh(x)
    return y, ActivationSaved(y)


def tanh_backward(dy: Array, saved: ActivationSaved) -> Array:
    """dx = dy · (1 − y²)."""
    y = saved.y
    shapes.check_cotangent("tanh_backward", dy, y, y.shape)
    if fast := _kernel("tanh_backward", dy, y):
        return fast(dy, y)  # type: ignore[no-any-return]
    dx: Array = dy * (1 - y * y)
    return dx


def hard_sigmoid(x: Array) -> tuple[Array, HardSigmoidSaved]:
    """y = x/6 + 1/2 cut off at 0 and 1, the straight-line sigmoid (MobileNetV3, section 5.2)."""
    shapes.check_arrays("hard_sigmoid", x=x)
    fast = _kernel("hard_sigmoid", x)
    y = fast(x) if fast else array_module(x).clip(x / 6 + 0.5, 0, 1)
    return y, HardSigmoidSaved(x)


def hard_sigmoid_backward(dy: Array, saved: HardSigmoidSaved) -> Array:
    """dx = dy / 6 where −3 < x < 3, else 0."""
    x = saved.x
    shapes.check_cotangent("hard_sigmoid_backward", dy, x, x.shape)
    if fast := _kernel("hard_sigmoid_backward", dy, x):
        return fast(dy, x)  # type: ignore[no-any-return]
    return array_module(x).where((x > -3) & (x < 3), dy / 6, 0)  # type: ignore[no-any-return]


def _kernel(name: str, *arrays: Array) -> Callable[..., Any] | None:
    if type(arrays[0]) is np.ndarray and arrays[0].size <= FEW:
        return None
    return kernel(name, *arrays)
