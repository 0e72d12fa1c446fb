"""The exponential in float32 that the compiler turns into instructions for whole registers."""

import re

import numpy as np
import pytest
from numba import config, types

from minise.kernels.numba import activation
from minise.kernels.numba.compile import compiled
from minise.kernels.numba.exponential import exp_below, sigma


@compiled
def exponentials(v, y):
    for k in range(v.size):
        y[k] = exp_below(v[k])


@compiled
def sigmas(v, y):
    for k in range(v.size):
        y[k] = sigma(v[k], v.dtype.type(1))


def of(loop, v):
    y = np.empty_like(v)
    loop(v, y)
    return y


def units_off(y, exact):
    """The largest error in units of the last place."""
    return np.max(np.abs(y - exact) / np.spacing(exact.astype(y.dtype)))


@pytest.mark.parametrize(("dtype", "least"), [(np.float32, -87), (np.float64, -700)])
def test_it_is_exact_to_two_units_in_the_last_place(dtype, least):
    v = np.linspace(least, 0, 200_001).astype(dtype)
    assert units_off(of(exponentials, v), np.exp(v.astype(np.longdouble))) <= 2


def test_far_below_it_is_0_and_nan_stays_nan():
    y = of(exponentials, np.array([-110, -1e30, -np.inf, -0.0, np.nan], np.float32))
    np.testing.assert_array_equal(y, np.array([0, 0, 0, 1, np.nan], np.float32))
    (y,) = of(exponentials, np.array([-88], np.float32))  # plain Python has a number so small
    assert 0 <= y < 2e-38


def test_sigmoid_is_exact_to_a_few_units_on_both_sides():
    v = np.linspace(-87, 87, 200_001).astype(np.float32)
    assert units_off(of(sigmas, v), 1 / (1 + np.exp(-v.astype(float)))) <= 4


@pytest.mark.skipif(config.DISABLE_JIT, reason="nothing is compiled")
@pytest.mark.parametrize("name", ["silu", "silu_backward", "hard_swish", "hard_swish_backward"])
def test_what_is_float32_is_computed_so_in_whole_registers(name):
    """A plain 1 between float32 would make them float64, and a call of exp one at a time."""
    arguments = [types.int64, *[types.Array(types.float32, 1, "C")] * (2 + name.endswith("d"))]
    loop = compiled(getattr(activation, f"_{name}").__wrapped__)
    loop.compile(tuple(arguments))
    (code,) = loop.inspect_llvm().values()
    assert not re.search(r"= f\w+ .*\bdouble\b|@exp", code)
    assert re.search(r"= fmul .*<\d+ x float>", code)
