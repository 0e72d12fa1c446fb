"""Activations and their derivatives, each one kernel. relu, tanh and clip are kernels of CuPy."""

from __future__ import annotations

import cupy

from minise.arrays import Array
from minise.kernels.cupy.launch import contiguous, each_number


def sigmoid(x: Array) -> Array:
    """1 / (1 + exp(−x))."""
    return _elementwise("sigmoid", x)


def hard_sigmoid(x: Array, width: float) -> Array:
    """x/width + 1/2, cut off at 0 and 1."""
    return _elementwise("hard_sigmoid", x, options=(width,))


def silu(x: Array) -> Array:
    """x · σ(x)."""
    return _elementwise("silu", x)


def hard_swish(x: Array) -> Array:
    """x times x/6 + 1/2, cut off at 0 and 1."""
    return _elementwise("hard_swish", x)


def leaky_relu(x: Array, slope: float) -> Array:
    """x where x > 0, else slope · x."""
    return _elementwise("leaky_relu", x, options=(slope,))


def relu_backward(dy: Array, y: Array) -> Array:
    """dy where y > 0, else 0."""
    return _elementwise("relu_backward", dy, y)


def sigmoid_backward(dy: Array, y: Array) -> Array:
    """dy · y (1 − y)."""
    return _elementwise("sigmoid_backward", dy, y)


def tanh_backward(dy: Array, y: Array) -> Array:
    """dy · (1 − y²)."""
    return _elementwise("tanh_backward", dy, y)


def hard_sigmoid_backward(dy: Array, x: Array, width: float) -> Array:
    """dy / width where |x| < width/2, else 0."""
    return _elementwise("hard_sigmoid_backward", dy, x, options=(width,))


def silu_backward(dy: Array, x: Array) -> Array:
    """dy · σ(x) (1 + x (1 − σ(x)))."""
    return _elementwise("silu_backward", dy, x)


def hard_swish_backward(dy: Array, x: Array) -> Array:
    """dy · (x/3 + 1/2) where −3 < x < 3; below it is 0, above dy."""
    return _elementwise("hard_swish_backward", dy, x)


def leaky_relu_backward(dy: Array, x: Array, slope: float) -> Array:
    """dy where x > 0, else slope · dy."""
    return _elementwise("leaky_relu_backward", dy, x, options=(slope,))


def clip_backward(dy: Array, x: Array, low: float, high: float) -> Array:
    """dy where low < x < high, else 0."""
    return _elementwise("clip_backward", dy, x, options=(low, high))


def _elementwise(kernel: str, *arrays: Array, options: tuple[float, ...] = ()) -> Array:
    arrays = tuple(contiguous(*arrays))
    y = cupy.empty(arrays[0].shape, arrays[0].dtype)
    numbers = [float(option) for option in options]  # of the kernel's T, an integer would be `int`
    each_number("activation.cu", kernel, y.size, *arrays, y, y.size, *numbers, dtype=y.dtype)
    return y
