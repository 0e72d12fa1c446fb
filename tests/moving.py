"""Lets tests that are written for NumPy arrays run on a GPU: NumPy arrays go in and come out.

Only calls that come with a NumPy array are touched. What a layer does inside stays on the GPU.
"""

import functools
from contextlib import contextmanager
from unittest import mock

import numpy as np

from minise import InputError, arrays, backend, nn, ops

# With a GPU, or tests/stand_in in its place, every test of "each backend" runs there too.
try:
    with backend.using("cupy"):
        HAS_GPU = True
except InputError:
    HAS_GPU = False


class Stays:
    """A NumPy array that is to stay one, among others that go to the GPU."""

    def __init__(self, array):
        self.array = array


def to_gpu(value):
    there = _each(value, np.ndarray, backend.asarray)
    return _each(there, Stays, lambda stays: stays.array)


def from_gpu(value):
    return _each(value, object, lambda v: backend.asnumpy(v) if arrays.on_gpu(v) else v)


def moved_there_and_back(function):
    """Called with NumPy arrays, it computes on the GPU and gives NumPy arrays back."""

    if hasattr(getattr(function, "func", function), "moves"):
        return function  # an operation, or a partial of one, that does so already

    @functools.wraps(getattr(function, "func", function))
    def call(*arguments, **options):
        if not any(_has_numpy(argument) for argument in (*arguments, *options.values())):
            return function(*arguments, **options)
        result = function(*to_gpu(arguments), **{k: to_gpu(v) for k, v in options.items()})
        if isinstance(result, tuple) and len(result) == 2 and callable(result[1]):
            y, backward = result  # of a layer
            return from_gpu(y), moved_there_and_back(backward)
        return from_gpu(result)

    call.moves = True
    return call


@contextmanager
def on_gpu():
    """The backend "cupy", for tests that know nothing of it."""
    layers = [thing for thing in vars(nn).values() if isinstance(thing, type)]
    with backend.using("cupy"):
        patches = [
            mock.patch.object(ops, name, moved_there_and_back(getattr(ops, name)))
            for name in ops.__all__
            if name[0].islower()
        ]
        patches += [
            mock.patch.object(layer, "forward", moved_there_and_back(vars(layer)["forward"]))
            for layer in layers
            if issubclass(layer, nn.Layer) and "forward" in vars(layer)
        ]
        for patch in patches:
            patch.start()
        try:
            yield
        finally:
            for patch in patches:
                patch.stop()


def _each(value, kind, change):
    if isinstance(value, tuple):
        parts = [_each(part, kind, change) for part in value]
        return type(value)(*parts) if hasattr(value, "_fields") else tuple(parts)
    return change(value) if isinstance(value, kind) else value


def _has_numpy(value):
    if isinstance(value, tuple):
        return any(map(_has_numpy, value))
    return isinstance(value, np.ndarray | Stays)
