"""How kernels are held against the specification, in memory between fences.

Fences are NaN, as is what nobody has written yet: what reads either gives NaN, and what writes
beyond its own array is seen by the fence.
"""

from contextlib import contextmanager
from unittest import mock

import backends
import numpy as np
from closeness import assert_close
from rows.row import Call, as_tuple

from minise.kernels.numba import ahead, memory

FENCE = 1024  # numbers on either side


def run(which, row, call, dy):
    """Everything that an operation and its backward give on a backend."""
    with backends.using(which):
        y, saved = call.of(row.forward)
        gradients = as_tuple(row.backward(dy, saved))
    return [y, *(g for g in gradients if g is not None)]


def assert_same(fast, specified, dtype):
    for got, expected in zip(fast, specified, strict=True):
        assert got.dtype == expected.dtype == dtype
        assert_close(got, expected)


def assert_agrees(row, call):
    """Where all arrays lie between fences."""
    rng = np.random.default_rng(3)
    dtype = call.arrays[0].dtype
    with backends.using("numpy"):
        dy = rng.standard_normal(call.of(row.forward)[0].shape).astype(dtype)
    specified = run("numpy", row, call, dy)
    call = Call(*(between_fences(a, len(dy)) for a in call.arrays), **call.options)
    dy = between_fences(dy, len(dy))
    # also what the cache has now: until it is called another process may have replaced it
    with mock.patch.object(ahead.Kernel, "is_kept", False):
        missing = ahead.missing(lambda: run("numba", row, call, dy))
    for kernel in missing:
        kernel.compile()  # no loop is run where a wrong one would spoil what is not its own
    with memory_is_fenced():
        fast = run("numba", row, call, dy)
    assert_same(fast, specified, dtype)


def between_fences(x, batch):
    """A copy: images in the memory of minise, weights in C order."""
    if x is None or len(x) != batch:
        return x if x is None else _filled(x)
    return np.moveaxis(_filled(np.moveaxis(x, 0, -1)), -1, 0)


@contextmanager
def memory_is_fenced():
    """What kernels make anew lies between fences. No kernel can be compiled meanwhile."""
    fences = []

    def empty(shape, dtype=float):
        inner, both = _fenced(shape, dtype)
        fences.extend(both)
        return inner

    with (
        mock.patch.object(np, "empty", empty),
        mock.patch.object(np, "empty_like", lambda x: empty(x.shape, x.dtype)),
        mock.patch.object(memory, "SMALL", 2**62),  # so that NumPy makes every array
    ):
        yield
    for fence in fences:
        nothing = _nothing(fence.dtype)
        untouched = np.isnan(fence) if np.isnan(nothing) else fence == nothing
        assert untouched.all(), "written beyond an array"


def _filled(x):
    inner, _ = _fenced(x.shape, x.dtype)
    inner[...] = x
    return inner


def _fenced(shape, dtype):
    """The array, and the fences on both sides."""
    dtype, size = np.dtype(dtype), int(np.prod(shape))
    whole = np.full(size + 2 * FENCE, _nothing(dtype), dtype)
    return whole[FENCE : FENCE + size].reshape(shape), (whole[:FENCE], whole[FENCE + size :])


def _nothing(dtype):
    if dtype.kind == "f":
        return np.nan
    return np.iinfo(dtype).max if dtype.kind in "iu" else True
