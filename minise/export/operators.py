"""Every operator that an exported model is made of, as ONNX defines it, in NumPy.

There are no others: what a runtime has to know is this list. The arguments are arrays (N, ...); the
options have ONNX's names, and are integers, floats or tuples of them.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

import numpy as np

from minise import ops
from minise.arrays import Array
from minise.shapes import Pair

Pads = tuple[int, int, int, int]  # top, left, bottom, right


def _conv(
    x: Array,
    weight: Array,
    bias: Array | None = None,
    *,
    kernel_shape: Pair,
    strides: Pair,
    pads: Pads,
    dilations: Pair,
    group: int,
) -> Array:
    x = _padded(x, pads, 0.0)
    return ops.conv2d(x, weight, bias, stride=strides, dilation=dilations, groups=group)[0]


def _gemm(x: Array, weight: Array, bias: Array | None = None, *, transB: int) -> Array:
    return ops.linear(x, weight if transB else weight.T, bias)[0]


def _batch_normalization(
    x: Array, gamma: Array, beta: Array, mean: Array, var: Array, *, epsilon: float
) -> Array:
    scale, shift = norm_as_affine(gamma, beta, mean, var, epsilon)
    of_channels = (-1,) + (1,) * (x.ndim - 2)
    y = scale.reshape(of_channels) * x + shift.reshape(of_channels)
    return y.astype(x.dtype)


def norm_as_affine(
    gamma: Array, beta: Array, mean: Array, var: Array, epsilon: float
) -> tuple[Array, Array]:
    """(scale, shift), each (C,): γ·(x − μ)/√(σ² + ε) + β = scale · x + shift, in float64."""
    scale = gamma / np.sqrt(var.astype(np.float64) + epsilon)
    return scale, beta - mean * scale


def _max_pool(x: Array, *, kernel_shape: Pair, strides: Pair, pads: Pads) -> Array:
    return ops.max_pool2d(_padded(x, pads, -np.inf), kernel_shape, stride=strides)[0]


def _average_pool(x: Array, *, kernel_shape: Pair, strides: Pair, pads: Pads) -> Array:
    """Over the pixels of the image alone, never over the padding."""

    def means(values: Array) -> Array:
        return ops.avg_pool2d(_padded(values, pads, 0.0), kernel_shape, stride=strides)[0]

    return means(x) / means(np.ones_like(x[:1]))


def _padded(x: Array, pads: Pads, value: float) -> Array:
    top, left, bottom, right = pads
    around = ((0, 0), (0, 0), (top, bottom), (left, right))
    return np.pad(x, around, constant_values=value) if any(pads) else x


def _global_average_pool(x: Array) -> Array:
    y: Array = x.mean((2, 3), keepdims=True)
    return y


def _global_max_pool(x: Array) -> Array:
    y: Array = x.max((2, 3), keepdims=True)
    return y


def _leaky_relu(x: Array, *, alpha: float) -> Array:
    return np.where(x < 0, x.dtype.type(alpha) * x, x)


def _clip(x: Array, *, min: float, max: float) -> Array:
    return np.clip(x, x.dtype.type(min), x.dtype.type(max))


def _concat(*arrays: Array, axis: int) -> Array:
    return np.concatenate(arrays, axis)


def _flatten(x: Array, *, axis: int) -> Array:
    return x.reshape(len(x), math.prod(x.shape[axis:]))


def _reshape(x: Array, *, shape: tuple[int, ...]) -> Array:
    """`shape` is that of one image."""
    return x.reshape(len(x), *shape)


def _transpose(x: Array, *, perm: tuple[int, ...]) -> Array:
    return x.transpose(perm)


def _cast(x: Array, *, to: str) -> Array:
    return x.astype(to)


OPERATORS: Mapping[str, Callable[..., Any]] = MappingProxyType(
    {
        "Add": np.add,
        "AveragePool": _average_pool,
        "BatchNormalization": _batch_normalization,
        "Cast": _cast,
        "Clip": _clip,
        "Concat": _concat,
        "Conv": _conv,
        "Flatten": _flatten,
        "Gemm": _gemm,
        "GlobalAveragePool": _global_average_pool,
        "GlobalMaxPool": _global_max_pool,
        "Identity": np.array,
        "LeakyRelu": _leaky_relu,
        "Max": np.maximum,
        "MaxPool": _max_pool,
        "Mul": np.multiply,
        "Relu": lambda x: ops.relu(x)[0],
        "Reshape": _reshape,
        "Sigmoid": lambda x: ops.sigmoid(x)[0],
        "Sqrt": np.sqrt,
        "Tanh": np.tanh,
        "Transpose": _transpose,
    }
)
