"""Activations: one pass over memory, number by number."""

from __future__ import annotations

import math
from collections.abc import Callable

from minise.arrays import Array
from minise.kernels.numba.compile import compiled
from minise.kernels.numba.layout import batch_first, batch_last, maps, parts, rows
from minise.kernels.numba.memory import empty
from minise.kernels.numba.tasks import invite, tasks
from minise.kernels.numba.team import compiled_parallel

STRETCH = 4096  # numbers, a task


def relu(x: Array) -> Array:
    """max(x, 0), NaN stays NaN."""
    x = batch_last(x)
    y = empty(x.shape, x.dtype)
    _relu(maps(x), maps(y), parts(maps(x).shape[1]))
    return batch_first(y)


def relu_backward(dy: Array, y: Array) -> Array:
    """dy where y > 0, else 0."""
    dy, y = batch_last(dy), batch_last(y)
    dx = empty(y.shape, y.dtype)
    _relu_backward(rows(dy), rows(y), rows(dx), parts(rows(y).shape[1]))
    return batch_first(dx)


def sigmoid(x: Array) -> Array:
    """1 / (1 + exp(−x))."""
    return _each(_sigmoid, x)


def sigmoid_backward(dy: Array, y: Array) -> Array:
    """dy · y (1 − y)."""
    return _each(_sigmoid_backward, dy, y)


def tanh(x: Array) -> Array:
    """The hyperbolic tangent."""
    return _each(_tanh, x)


def tanh_backward(dy: Array, y: Array) -> Array:
    """dy · (1 − y²)."""
    return _each(_tanh_backward, dy, y)


def hard_sigmoid(x: Array, width: float) -> Array:
    """x/width + 1/2, cut off at 0 and 1."""
    return _each(_hard_sigmoid, x, options=(x.dtype.type(width),))


def hard_sigmoid_backward(dy: Array, x: Array, width: float) -> Array:
    """dy / width where |x| < width/2, else 0."""
    return _each(_hard_sigmoid_backward, dy, x, options=(x.dtype.type(width),))


def _each(loop: Callable[..., None], *inputs: Array, options: tuple[float, ...] = ()) -> Array:
    """Run a loop over the numbers of its inputs, which have one shape, into a new array."""
    ordered = [batch_last(x) for x in inputs]
    out = empty(ordered[0].shape, ordered[0].dtype)
    loop(*(x.reshape(-1) for x in ordered), out.reshape(-1), *options)
    return batch_first(out)


@compiled_parallel
def _relu(team: int, x: Array, y: Array, parts: int) -> None:
    C, H, _ = x.shape
    zero = x.dtype.type(0)
    for task in tasks(invite(team), H * parts):
        h, part = task // parts, task % parts
        for c in range(part * C // parts, (part + 1) * C // parts):
            source, target = x[c, h], y[c, h]
            for k in range(target.size):
                v = source[k]
                target[k] = zero if v <= zero else v  # a comparison with NaN is never true


@compiled_parallel
def _relu_backward(team: int, dy: Array, y: Array, dx: Array, parts: int) -> None:
    C, H, _ = y.shape
    zero = y.dtype.type(0)
    for task in tasks(invite(team), H * parts):
        h, part = task // parts, task % parts
        for c in range(part * C // parts, (part + 1) * C // parts):
            above, output, target = dy[c, h], y[c, h], dx[c, h]
            for k in range(target.size):
                target[k] = above[k] if output[k] > zero else zero


@compiled_parallel
def _sigmoid(team: int, x: Array, y: Array) -> None:
    one = x.dtype.type(1)
    for task in tasks(invite(team), -(-x.size // STRETCH)):
        source, target = _stretch(x, task), _stretch(y, task)
        for k in range(target.size):
            e = math.exp(-abs(source[k]))  # in (0, 1]: never too large
            target[k] = (one if source[k] >= 0 else e) / (one + e)


@compiled_parallel
def _sigmoid_backward(team: int, dy: Array, y: Array, dx: Array) -> None:
    for task in tasks(invite(team), -(-y.size // STRETCH)):
        above, output, target = _stretch(dy, task), _stretch(y, task), _stretch(dx, task)
        for k in range(target.size):
            target[k] = above[k] * output[k] * (1 - output[k])


@compiled_parallel
def _tanh(team: int, x: Array, y: Array) -> None:
    for task in tasks(invite(team), -(-x.size // STRETCH)):
        source, target = _stretch(x, task), _stretch(y, task)
        for k in range(target.size):
            target[k] = math.tanh(source[k])


@compiled_parallel
def _tanh_backward(team: int, dy: Array, y: Array, dx: Array) -> None:
    for task in tasks(invite(team), -(-y.size // STRETCH)):
        above, output, target = _stretch(dy, task), _stretch(y, task), _stretch(dx, task)
        for k in range(target.size):
            target[k] = above[k] * (1 - output[k] * output[k])


@compiled_parallel
def _hard_sigmoid(team: int, x: Array, y: Array, width: float) -> None:
    half = width / 2
    for task in tasks(invite(team), -(-x.size // STRETCH)):
        source, target = _stretch(x, task), _stretch(y, task)
        for k in range(target.size):
            v = source[k]
            # NaN goes to the last
            target[k] = 0 if v <= -half else (1 if v >= half else v / width + 0.5)


@compiled_parallel
def _hard_sigmoid_backward(team: int, dy: Array, x: Array, dx: Array, width: float) -> None:
    half = width / 2
    for task in tasks(invite(team), -(-x.size // STRETCH)):
        above, source, target = _stretch(dy, task), _stretch(x, task), _stretch(dx, task)
        for k in range(target.size):
            target[k] = above[k] / width if -half < source[k] < half else 0


@compiled
def _stretch(x: Array, task: int) -> Array:
    return x[task * STRETCH : (task + 1) * STRETCH]
