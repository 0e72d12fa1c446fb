"""Every kernel computes what the specification in `minise/ops` says, whatever the memory order."""

from functools import partial

import numpy as np
import pytest
from closeness import assert_close
from hypothesis import given
from hypothesis import strategies as st
from strategies import LAYOUTS, conv_cases

from minise import backend, ops
from minise.kernels import numba as kernels
from minise.kernels.numba.lanes import LANES

# Odd sizes, and strides that leave a remainder. Each entry: (operation, shapes of its arrays, or
# "labels"), where the first letter of a shape is the batch.
N = -1
CASES = {
    "conv2d": (partial(ops.conv2d, padding=1), [(N, 3, 7, 5), (5, 3, 3, 3), (5,)]),
    "conv2d strided": (partial(ops.conv2d, stride=2, padding=1), [(N, 4, 28, 9), (6, 4, 3, 3)]),
    "conv2d dilated": (
        partial(ops.conv2d, stride=(3, 1), padding=(0, 4), dilation=(1, 2)),
        [(N, 2, 8, 7), (3, 2, 2, 3), (3,)],
    ),
    "conv2d grouped": (partial(ops.conv2d, groups=3), [(N, 6, 4, 5), (9, 2, 2, 1), (9,)]),
    "conv2d 1x1": (ops.conv2d, [(N, 5, 3, 3), (7, 5, 1, 1)]),
    "conv2d depthwise": (partial(ops.conv2d, groups=5, padding=1), [(N, 5, 6, 5), (5, 1, 3, 3)]),
    "conv2d wide": (partial(ops.conv2d, padding=2), [(N, 9, 5, 6), (21, 9, 5, 5), (21,)]),
    "linear large": (ops.linear, [(N, 300), (150, 300), (150,)]),
    "linear": (ops.linear, [(N, 5), (3, 5), (3,)]),
    "add": (ops.add, [(N, 3, 7, 5), (N, 3, 7, 5)]),
    # large, since few numbers are left to NumPy
    "relu": (ops.relu, [(N, 3, 29, 49)]),
    "relu of rows": (ops.relu, [(N, 4099)]),
    "sigmoid": (ops.sigmoid, [(N, 4099)]),
    "tanh": (ops.tanh, [(N, 4099)]),
    "hard_sigmoid": (ops.hard_sigmoid, [(N, 4099)]),
    "max_pool2d": (partial(ops.max_pool2d, kernel_size=2), [(N, 3, 7, 5)]),
    "max_pool2d overlapping": (
        partial(ops.max_pool2d, kernel_size=3, stride=2, padding=1, ceil_mode=True),
        [(N, 2, 6, 9)],
    ),
    "avg_pool2d": (partial(ops.avg_pool2d, kernel_size=(3, 2), stride=(2, 1)), [(N, 3, 8, 5)]),
    "avg_pool2d padded": (
        partial(ops.avg_pool2d, kernel_size=3, stride=2, padding=1, ceil_mode=True),
        [(N, 2, 6, 9)],
    ),
    "avg_pool2d without padding": (
        partial(ops.avg_pool2d, kernel_size=2, padding=1, count_include_pad=False),
        [(N, 2, 5, 5)],
    ),
    "global_avg_pool": (ops.global_avg_pool, [(N, 3, 7, 5)]),
    "global_max_pool": (ops.global_max_pool, [(N, 3, 7, 5)]),
    "channel_scale": (ops.channel_scale, [(N, 3, 7, 5), (N, 3)]),
    "batch_norm": (ops.batch_norm, [(N, 3, 7, 5), (3,), (3,)]),
    "batch_norm evaluation": (
        lambda x, w, b, m, v: ops.batch_norm(x, w, b, statistics=(m, v * v)),
        [(N, 3, 7, 5), (3,), (3,), (3,), (3,)],
    ),
    "batch_norm_relu": (ops.batch_norm_relu, [(N, 3, 7, 5), (3,), (3,)]),
    "batch_norm_relu evaluation": (
        lambda x, w, b, m, v: ops.batch_norm_relu(x, w, b, statistics=(m, v * v)),
        [(N, 3, 7, 5), (3,), (3,), (3,), (3,)],
    ),
    "scale_add_relu": (ops.scale_add_relu, [(N, 3, 7, 5), (N, 3), (N, 3, 7, 5)]),
    "concat": (ops.concat, [(N, 3, 7, 5), (N, 2, 7, 5)]),
}
BATCHES = [3, LANES + 3]  # too few images to fill a register, and enough with some left over


def backward_of(name):
    return getattr(ops, f"{name.split()[0]}_backward")


def run(operation, backward, arrays, dy=None):
    """Everything that an operation and its backward give, as a list of arrays."""
    y, saved = operation(*arrays)
    if dy is None:
        return [y]
    gradients = backward(dy, saved)
    gradients = gradients if isinstance(gradients, tuple) else (gradients,)
    return [y, *(g for g in gradients if g is not None)]


def assert_same(fast, specified, dtype):
    for got, expected in zip(fast, specified, strict=True):
        assert got.dtype == expected.dtype == dtype
        assert_close(got, expected)


def draw(rng, shapes, batch, dtype):
    return [
        rng.standard_normal([batch if n == N else n for n in shape]).astype(dtype)
        for shape in shapes
    ]


@pytest.mark.parametrize("batch", BATCHES)
@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("name", CASES)
def test_numba_agrees_with_the_specification(name, dtype, layout, batch):
    operation, shapes = CASES[name]
    rng = np.random.default_rng(1)
    arrays = [LAYOUTS[layout](array) for array in draw(rng, shapes, batch, dtype)]
    with backend.using("numpy"):
        y = operation(*arrays)[0]
        dy = LAYOUTS[layout](rng.standard_normal(y.shape).astype(dtype))
        specified = run(operation, backward_of(name), arrays, dy)
    with backend.using("numba"):
        before = [array.copy() for array in (*arrays, dy)]
        fast = run(operation, backward_of(name), arrays, dy)
    assert_same(fast, specified, dtype)
    for array, copy in zip((*arrays, dy), before, strict=True):
        np.testing.assert_array_equal(array, copy)  # inputs are never written to


def test_every_kernel_is_compared_here():
    compared = {name.split()[0] for name in CASES}
    compared |= {f"{name}_backward" for name in compared}
    assert set(kernels.__all__) <= compared


@given(data=st.data())
def test_convolutions_of_any_geometry_agree(data):
    batches = st.integers(0, 4) | st.integers(LANES, 3 * LANES)
    sizes = {"most_filters": 19, "most_places": 6, "most_stride": 4, "most_padding": 5}
    x, w, b, dy, options = data.draw(conv_cases(N=batches, **sizes))
    arrays = [x, w] if b is None else [x, w, b]
    conv = partial(ops.conv2d, **options)
    with backend.using("numpy"):
        specified = run(conv, ops.conv2d_backward, arrays, dy)
    with backend.using("numba"):
        assert_same(run(conv, ops.conv2d_backward, arrays, dy), specified, "float64")


SPECIAL = np.array([0.0, -0.0, np.inf, -np.inf, np.nan, 1e30, -1e30, 1000, -1000])


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("name", ["relu", "sigmoid", "tanh", "hard_sigmoid"])
def test_activations_agree_on_infinity_and_nan(name, dtype):
    x = np.resize(SPECIAL, 5000).astype(dtype)  # many, since few are left to NumPy
    results = []
    for which in ("numpy", "numba"):
        with backend.using(which):
            results.append(run(getattr(ops, name), backward_of(name), [x], np.ones_like(x)))
    assert_same(results[1], results[0], dtype)


@pytest.mark.parametrize("name", ["max_pool2d", "global_max_pool"])
def test_poolings_agree_on_ties_infinity_and_nan(name):
    rng = np.random.default_rng(0)
    x = rng.choice([*SPECIAL, 1.0, 2.0], size=(50, 2, 4, 4))
    pool = partial(ops.max_pool2d, kernel_size=2) if name == "max_pool2d" else ops.global_max_pool
    winners = []
    for which in ("numpy", "numba"):
        with backend.using(which):
            y, saved = pool(x)
            winners.append((y, saved.winner))
    np.testing.assert_array_equal(winners[0][0], winners[1][0])
    np.testing.assert_array_equal(winners[0][1], winners[1][1])
