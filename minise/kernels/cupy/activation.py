"""Activations and their derivatives, each one kernel. relu and tanh are single kernels of CuPy."""

from __future__ import annotations

import cupy

from minise.arrays import Array
from minise.kernels.cupy.launch import contiguous, each_number


def sigmoid(x: Array) -> Array:
    """1 / (1 + exp(−x))."""
    return _elementwise("sigmoid", x)


def hard_sigmoid(x: Array) -> Array:
    """x/6 + 1/2, cut off at 0 and 1."""
    return _elementwise("hard_sigmoid", x)


def relu_backward(dy: Array, y: Array) -> Array:
    """dy where y > 0, else 0."""
    return _elementwise("relu_backward", dy, y)


def sigmoid_backward(dy: Array, y: Array) -> Array:
    """dy · y (1 − y)."""
    return _elementwise("sigmoid_backward", dy, y)


def tanh_backward(dy: Array, y: Array) -> Array:
    """dy · (1 − y²)."""
    return _elementwise("tanh_backward", dy, y)


def hard_sigmoid_backward(dy: Array, x: Array) -> Array:
    """dy / 6 where −3 < x < 3, else 0."""
    return _elementwise("hard_sigmoid_backward", dy, x)


def _elementwise(kernel: str, *arrays: Array) -> Array:
    arrays = tuple(contiguous(*arrays))
    y = cupy.empty(arrays[0].shape, arrays[0].dtype)
    each_number("activation.cu", kernel, y.size, *arrays, y, y.size, dtype=y.dtype)
    return y
