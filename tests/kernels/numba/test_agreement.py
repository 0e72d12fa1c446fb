"""Every kernel computes what the specification in `minise/ops` says, whatever the memory order."""

from functools import partial

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

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
TOLERANCE = {"float64": 1e-12, "float32": 2e-5}


def backward_of(name):
    return getattr(ops, f"{name.split()[0]}_backward")


def reversed_memory(x):
    """The same numbers, laid out backwards along every axis."""
    backwards = (slice(None, None, -1),) * x.ndim
    return np.ascontiguousarray(x[backwards])[backwards]


def every_other(x):
    """The same numbers, with a gap after each."""
    spread = np.zeros((*x.shape, 2), x.dtype)
    spread[..., 0] = x
    return spread[..., 0]


def read_only(x):
    x = x.copy()
    x.flags.writeable = False
    return x


def batch_last(x):
    return np.moveaxis(np.ascontiguousarray(np.moveaxis(x, 0, -1)), -1, 0)


ORDERS = {
    "C": np.ascontiguousarray,
    "batch-last": batch_last,
    "Fortran": np.asfortranarray,
    "non-contiguous": every_other,
    "negative strides": reversed_memory,
    "read-only": read_only,
}


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
        assert got.shape == expected.shape
        assert got.dtype == expected.dtype == dtype
        np.testing.assert_allclose(got, expected, rtol=TOLERANCE[dtype], atol=TOLERANCE[dtype])


def draw(rng, shapes, batch, dtype):
    return [
        rng.standard_normal([batch if n == N else n for n in shape]).astype(dtype)
        for shape in shapes
    ]


@pytest.mark.parametrize("batch", BATCHES)
@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("name", CASES)
def test_numba_agrees_with_the_specification(name, dtype, order, batch):
    operation, shapes = CASES[name]
    rng = np.random.default_rng(1)
    arrays = draw(rng, shapes, batch, dtype)
    with backend("numpy"):
        dy = rng.standard_normal(operation(*arrays)[0].shape).astype(dtype)
        specified = run(operation, backward_of(name), arrays, dy)
    with backend("numba"):
        moved = [ORDERS[order](array) for array in (*arrays, dy)]
        before = [array.copy() for array in moved]
        fast = run(operation, backward_of(name), moved[:-1], moved[-1])
    assert_same(fast, specified, dtype)
    for array, copy in zip(moved, before, strict=True):
        np.testing.assert_array_equal(array, copy)  # inputs are never written to


@pytest.mark.parametrize(
    "name", [name for name in CASES if name not in ("batch_norm", "batch_norm_relu")]
)
def test_numba_agrees_on_an_empty_batch(name):
    operation, shapes = CASES[name]
    arrays = draw(np.random.default_rng(1), shapes, 0, "float64")
    with backend("numpy"):
        dy = operation(*arrays)[0]
        specified = run(operation, backward_of(name), arrays, dy)
    with backend("numba"):
        assert_same(run(operation, backward_of(name), arrays, dy), specified, "float64")


@pytest.mark.parametrize("name", CASES)
def test_what_one_backend_saves_the_other_can_use(name):
    operation, shapes = CASES[name]
    arrays = draw(np.random.default_rng(1), shapes, 2, "float64")
    gradients = []
    for first, second in [("numpy", "numba"), ("numba", "numpy")]:
        with backend(first):
            y, saved = operation(*arrays)
        with backend(second):
            found = backward_of(name)(np.cos(y), saved)
            gradients.append(found if isinstance(found, tuple) else (found,))
    for a, b in zip(*gradients, strict=True):
        if a is not None:
            np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-12)


def test_every_kernel_is_compared_here():
    compared = {name.split()[0] for name in CASES}
    compared |= {f"{name}_backward" for name in compared}
    assert set(kernels.__all__) <= compared


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_convolutions_of_any_geometry_agree(data):
    def pair(low, high):
        return data.draw(st.tuples(st.integers(low, high), st.integers(low, high)))

    groups, stride, padding, dilation = (
        data.draw(st.integers(1, 3)),
        pair(1, 4),
        pair(0, 5),
        pair(1, 3),
    )
    batch = data.draw(st.integers(0, 4) | st.integers(LANES, 3 * LANES))
    kernel = pair(1, 4)
    size = tuple(
        data.draw(st.integers(max(1, d * (k - 1) + 1 - 2 * p), 12))
        for k, d, p in zip(kernel, dilation, padding, strict=True)
    )
    C, F = data.draw(st.integers(1, 5)), data.draw(st.integers(1, 19))
    shapes = [(batch, C * groups, *size), (F * groups, C, *kernel), (F * groups,)]
    rng = np.random.default_rng(data.draw(st.integers(0, 99)))
    arrays = draw(rng, shapes, batch, "float64")
    conv = partial(ops.conv2d, stride=stride, padding=padding, dilation=dilation, groups=groups)
    with backend("numpy"):
        dy = rng.standard_normal(conv(*arrays)[0].shape)
        specified = run(conv, ops.conv2d_backward, arrays, dy)
    with backend("numba"):
        assert_same(run(conv, ops.conv2d_backward, arrays, dy), specified, "float64")


SPECIAL = np.array([0.0, -0.0, np.inf, -np.inf, np.nan, 1e30, -1e30, 1000, -1000])


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("name", ["relu", "sigmoid", "tanh", "hard_sigmoid"])
def test_activations_agree_on_infinity_and_nan(name, dtype):
    x = np.resize(SPECIAL, 5000).astype(dtype)  # many, since few are left to NumPy
    results = []
    for which in ("numpy", "numba"):
        with backend(which):
            results.append(run(getattr(ops, name), backward_of(name), [x], np.ones_like(x)))
    assert_same(results[1], results[0], dtype)


@pytest.mark.parametrize("name", ["max_pool2d", "global_max_pool"])
def test_poolings_agree_on_ties_infinity_and_nan(name):
    rng = np.random.default_rng(0)
    x = rng.choice([*SPECIAL, 1.0, 2.0], size=(50, 2, 4, 4))
    pool = partial(ops.max_pool2d, kernel_size=2) if name == "max_pool2d" else ops.global_max_pool
    winners = []
    for which in ("numpy", "numba"):
        with backend(which):
            y, saved = pool(x)
            winners.append((y, saved.winner))
    np.testing.assert_array_equal(winners[0][0], winners[1][0])
    np.testing.assert_array_equal(winners[0][1], winners[1][1])
