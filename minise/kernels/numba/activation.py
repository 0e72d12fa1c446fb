"""Activations: one pass over memory, number by number."""

from __future__ import annotations

import math
from collections.abc import Callable

from minise.arrays import Array
from minise.kernels.numba.compile import compiled
from minise.kernels.numba.exponential import sigma
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
    return _each(_hard_sigmoid, x, options=(width,))


def hard_sigmoid_backward(dy: Array, x: Array, width: float) -> Array:
    """dy / width where |x| < width/2, else 0."""
    return _each(_hard_sigmoid_backward, dy, x, options=(width,))


def silu(x: Array) -> Array:
    """x · σ(x)."""
    return _each(_silu, x)


def silu_backward(dy: Array, x: Array) -> Array:
    """dy · σ(x) (1 + x (1 − σ(x)))."""
    return _each(_silu_backward, dy, x)


def hard_swish(x: Array) -> Array:
    """x times x/6 + 1/2, cut off at 0 and 1."""
    return _each(_hard_swish, x)


def hard_swish_backward(dy: Array, x: Array) -> Array:
    """dy · (x/3 + 1/2) where −3 < x < 3; below it is 0, above dy."""
    return _each(_hard_swish_backward, dy, x)


def leaky_relu(x: Array, slope: float) -> Array:
    """x where x > 0, else slope · x."""
    return _each(_leaky_relu, x, options=(slope,))


def leaky_relu_backward(dy: Array, x: Array, slope: float) -> Array:
    """dy where x > 0, else slope · dy."""
    return _each(_leaky_relu_backward, dy, x, options=(slope,))


def clip(x: Array, low: float, high: float) -> Array:
    """x, cut off at `low` and `high`."""
    return _each(_clip, x, options=(low, high))


def clip_backward(dy: Array, x: Array, low: float, high: float) -> Array:
    """dy where low < x < high, else 0."""
    return _each(_clip_backward, dy, x, options=(low, high))


def _each(loop: Callable[..., None], *inputs: Array, options: tuple[float, ...] = ()) -> Array:
    """Run a loop over the numbers of its inputs, which have one shape, into a new array.

    Options are given as numbers of the array's dtype: one float64 would make all others so.
    """
    ordered = [batch_last(x) for x in inputs]
    out = empty(ordered[0].shape, ordered[0].dtype)
    typed = map(out.dtype.type, options)
    loop(*(x.reshape(-1) for x in ordered), out.reshape(-1), *typed)
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
    for task in tasks(invite(team), -(-x.size // STRETCH)):
        source, target = _stretch(x, task), _stretch(y, task)
        for k in range(target.size):
            target[k] = sigma(source[k], x.dtype.type(1))


@compiled_parallel
def _sigmoid_backward(team: int, dy: Array, y: Array, dx: Array) -> None:
    one = y.dtype.type(1)  # a plain 1 would make the rest float64
    for task in tasks(invite(team), -(-y.size // STRETCH)):
        above, output, target = _stretch(dy, task), _stretch(y, task), _stretch(dx, task)
        for k in range(target.size):
            target[k] = above[k] * output[k] * (one - output[k])


@compiled_parallel
def _tanh(team: int, x: Array, y: Array) -> None:
    for task in tasks(invite(team), -(-x.size // STRETCH)):
        source, target = _stretch(x, task), _stretch(y, task)
        for k in range(target.size):
            target[k] = math.tanh(source[k])


@compiled_parallel
def _tanh_backward(team: int, dy: Array, y: Array, dx: Array) -> None:
    one = y.dtype.type(1)
    for task in tasks(invite(team), -(-y.size // STRETCH)):
        above, output, target = _stretch(dy, task), _stretch(y, task), _stretch(dx, task)
        for k in range(target.size):
            target[k] = above[k] * (one - output[k] * output[k])


@compiled_parallel
def _hard_sigmoid(team: int, x: Array, y: Array, width: float) -> None:
    zero, one, half = x.dtype.type(0), x.dtype.type(1), x.dtype.type(0.5)
    end = width * half
    for task in tasks(invite(team), -(-x.size // STRETCH)):
        source, target = _stretch(x, task), _stretch(y, task)
        for k in range(target.size):
            v = source[k]
            # NaN goes to the last
            target[k] = zero if v <= -end else (one if v >= end else v / width + half)


@compiled_parallel
def _hard_sigmoid_backward(team: int, dy: Array, x: Array, dx: Array, width: float) -> None:
    zero, end = x.dtype.type(0), width * x.dtype.type(0.5)
    for task in tasks(invite(team), -(-x.size // STRETCH)):
        above, source, target = _stretch(dy, task), _stretch(x, task), _stretch(dx, task)
        for k in range(target.size):
            target[k] = above[k] / width if -end < source[k] < end else zero


@compiled_parallel
def _silu(team: int, x: Array, y: Array) -> None:
    for task in tasks(invite(team), -(-x.size // STRETCH)):
        source, target = _stretch(x, task), _stretch(y, task)
        for k in range(target.size):
            target[k] = source[k] * sigma(source[k], x.dtype.type(1))


@compiled_parallel
def _silu_backward(team: int, dy: Array, x: Array, dx: Array) -> None:
    one = x.dtype.type(1)
    for task in tasks(invite(team), -(-x.size // STRETCH)):
        above, source, target = _stretch(dy, task), _stretch(x, task), _stretch(dx, task)
        for k in range(target.size):
            s = sigma(source[k], one)
            target[k] = above[k] * s * (one + source[k] * (one - s))


@compiled_parallel
def _hard_swish(team: int, x: Array, y: Array) -> None:
    zero, one, end = x.dtype.type(0), x.dtype.type(1), x.dtype.type(3)
    half, sixth = x.dtype.type(0.5), x.dtype.type(1 / 6)
    for task in tasks(invite(team), -(-x.size // STRETCH)):
        source, target = _stretch(x, task), _stretch(y, task)
        for k in range(target.size):
            v = source[k]
            target[k] = v * (zero if v <= -end else (one if v >= end else v * sixth + half))


@compiled_parallel
def _hard_swish_backward(team: int, dy: Array, x: Array, dx: Array) -> None:
    zero, end = x.dtype.type(0), x.dtype.type(3)
    half, third = x.dtype.type(0.5), x.dtype.type(1 / 3)
    for task in tasks(invite(team), -(-x.size // STRETCH)):
        above, source, target = _stretch(dy, task), _stretch(x, task), _stretch(dx, task)
        for k in range(target.size):
            v = source[k]
            inside = above[k] * (v * third + half)
            target[k] = above[k] if v >= end else (inside if v > -end else zero)


@compiled_parallel
def _leaky_relu(team: int, x: Array, y: Array, slope: float) -> None:
    zero = x.dtype.type(0)
    for task in tasks(invite(team), -(-x.size // STRETCH)):
        source, target = _stretch(x, task), _stretch(y, task)
        for k in range(target.size):
            target[k] = source[k] if source[k] > zero else slope * source[k]


@compiled_parallel
def _leaky_relu_backward(team: int, dy: Array, x: Array, dx: Array, slope: float) -> None:
    zero = x.dtype.type(0)
    for task in tasks(invite(team), -(-x.size // STRETCH)):
        above, source, target = _stretch(dy, task), _stretch(x, task), _stretch(dx, task)
        for k in range(target.size):
            target[k] = above[k] if source[k] > zero else slope * above[k]


@compiled_parallel
def _clip(team: int, x: Array, y: Array, low: float, high: float) -> None:
    for task in tasks(invite(team), -(-x.size // STRETCH)):
        source, target = _stretch(x, task), _stretch(y, task)
        for k in range(target.size):
            v = source[k]
            target[k] = low if v < low else (high if v > high else v)  # NaN goes to the last


@compiled_parallel
def _clip_backward(team: int, dy: Array, x: Array, dx: Array, low: float, high: float) -> None:
    zero = x.dtype.type(0)
    for task in tasks(invite(team), -(-x.size // STRETCH)):
        above, source, target = _stretch(dy, task), _stretch(x, task), _stretch(dx, task)
        for k in range(target.size):
            target[k] = above[k] if low < source[k] < high else zero


@compiled
def _stretch(x: Array, task: int) -> Array:
    return x[task * STRETCH : (task + 1) * STRETCH]
