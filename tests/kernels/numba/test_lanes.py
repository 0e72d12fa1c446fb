import numba
import numpy as np
import pytest

from minise.kernels.numba.lanes import LANES, fill, load, positive, store, sum_of


@numba.njit  # anew each time: the cache on disk would not notice that lanes have changed
def combine(x, start, w, y, to):
    p, q = load(x, start), load(x, start + LANES)
    store(y, to, w * p + p * q - fill(w))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("start", [0, 1, 7])
def test_lanes_add_subtract_and_multiply_like_arrays(dtype, start):
    x = np.arange(3 * LANES + 7).astype(dtype)
    y = np.zeros(LANES + 5, dtype)
    w = dtype(0.5)
    combine(x, start, w, y, 3)
    p, q = x[start : start + LANES], x[start + LANES : start + 2 * LANES]
    np.testing.assert_array_equal(y[3 : 3 + LANES], w * p + p * q - w)
    assert not y[:3].any()
    assert not y[3 + LANES :].any()


@numba.njit
def add_where_positive(v, p):
    return sum_of(positive(load(v, 0), load(p, 0)))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_lanes_are_let_through_where_others_are_above_zero(dtype):
    p = np.arange(1, LANES + 1).astype(dtype)
    for k in range(LANES):  # each lane alone
        v = np.array([0, -0.0, -1, np.nan, -np.inf, 0, 0, 0] * (LANES // 8), dtype)
        v[k] = np.finfo(dtype).smallest_subnormal
        assert add_where_positive(v, p) == p[k]
    assert add_where_positive(np.full(LANES, dtype(np.inf)), p) == p.sum()
    p[0] = np.nan
    assert add_where_positive(v, p) == LANES


def test_a_register_holds_eight_or_sixteen():
    assert LANES in (8, 16)
