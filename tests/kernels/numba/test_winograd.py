"""Fewer multiplications give what the specification gives."""

from functools import partial

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minise import backend, ops, set_num_threads
from minise.kernels.numba import winograd
from minise.kernels.numba.lanes import LANES


@pytest.fixture(autouse=True)
def for_small_ones_too(monkeypatch):
    monkeypatch.setattr(winograd, "MUCH", 0)


def both_ways(conv, x, w, b, dy):
    y, saved = conv(x, w, b)
    return [y, *ops.conv2d_backward(dy, saved)]


def compare(shape, padding, dtype, tolerance, seed=0):
    N, C, F, H, W = shape
    rng = np.random.default_rng(seed)
    x, w, b = (
        rng.standard_normal(size).astype(dtype) for size in [(N, C, H, W), (F, C, 3, 3), (F,)]
    )
    conv = partial(ops.conv2d, padding=padding)
    with backend.using("numpy"):
        dy = rng.standard_normal(conv(x, w, b)[0].shape).astype(dtype)
        specified = both_ways(conv, x, w, b, dy)
    with backend.using("numba"):
        fast = both_ways(conv, x, w, b, dy)
    for got, expected in zip(fast, specified, strict=True):
        assert got.dtype == expected.dtype == dtype
        scale = np.abs(expected).max()
        np.testing.assert_allclose(got, expected, rtol=0, atol=tolerance * scale)


@given(
    shape=st.tuples(
        st.integers(LANES, 2 * LANES + 3),
        st.integers(1, 9),
        st.integers(1, 17),
        st.integers(1, 8),
        st.integers(1, 8),
    ),
    padding=st.tuples(st.integers(0, 2), st.integers(0, 2)),
    seed=st.integers(0, 99),
)
def test_any_size_and_padding_agree(shape, padding, seed):
    N, C, F, H, W = shape
    H, W = max(H, 3 - 2 * padding[0]), max(W, 3 - 2 * padding[1])
    assert winograd.suits(
        np.empty((F, C, 3, 3)), ops.conv.Window((3, 3), (1, 1), padding), 1, N, (1, 1)
    )
    compare((N, C, F, H, W), padding, "float64", 1e-12, seed)


def test_float32_loses_little():
    compare((LANES, 64, 16, 9, 7), 1, "float32", 2e-6)


def test_rows_of_tiles_are_cut_where_the_cache_ends(monkeypatch):
    monkeypatch.setattr(winograd, "IN_CACHE", 1)
    compare((LANES, 3, 5, 6, 11), 1, "float64", 1e-12)


def test_the_number_of_threads_does_not_change_a_bit():
    rng = np.random.default_rng(0)
    x = rng.standard_normal((9, 11, 7, LANES), dtype=np.float32)
    w = rng.standard_normal((10, 9, 3, 3), dtype=np.float32)
    results = []
    before = backend.get_num_threads()
    for number in (1, 2, before):
        set_num_threads(number)
        results.append(winograd.conv3x3(x, w, None, (1, 1), (11, 7)).tobytes())
    assert results[0] == results[1] == results[2]
