import numba
import numpy as np
import pytest

from minise.kernels.numba.lanes import LANES
from minise.kernels.numba.tiles import COLUMNS, ROWS, dots, keep, outer, put, tile


@numba.njit  # anew each time: the cache on disk would not notice that tiles have changed
def products(zero, w, k, step, x, n, y, to, stride, rows):
    s = tile(zero, ROWS, COLUMNS)
    for t in range(len(k)):
        s = outer(s, w, k[t], step, x, n[t])
    put(s, y, to, stride, rows)


@numba.njit
def dot_products(zero, dy, m, stride, x, at, t, n, slot, total):
    s = tile(zero, 2, 3)
    for low in range(0, n, LANES):
        s = dots(s, dy, m + low, stride, x, at, t, low)
    keep(s, total, slot, t)


def drawn(rng, *shape, dtype):
    return rng.integers(-8, 9, shape).astype(dtype)  # whose sums are exact


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("rows", [0, 1, ROWS - 1, ROWS])
@pytest.mark.parametrize("step", [1, 5])  # from the weight of a row to that of the next
def test_a_tile_is_a_sum_of_outer_products(dtype, rows, step):
    rng = np.random.default_rng(0)
    width, stride = COLUMNS * LANES, COLUMNS * LANES + 5
    w, x = drawn(rng, 3 + 4 * ROWS * step, dtype=dtype), drawn(rng, 2 * width + 9, dtype=dtype)
    y = np.full(4 + (ROWS - 1) * stride + width, np.nan, dtype)
    k, n = np.array([3, 0, 3 + 3 * ROWS]), np.array([9 + width, 4, 0])
    products(dtype(0), w, k, step, x, n, y, 4, stride, rows)
    expected = np.full(y.shape, np.nan, dtype)
    for r in range(rows):
        sums = sum(w[k[t] + r * step] * x[n[t] : n[t] + width] for t in range(3))
        expected[4 + r * stride : 4 + r * stride + width] = sums
    np.testing.assert_array_equal(y, expected)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_tile_of_dot_products_is_added_to_where_its_slots_say(dtype):
    rng = np.random.default_rng(1)
    length, stride = 3 * LANES, 3 * LANES + 7
    dy, x = drawn(rng, 5 + stride + length, dtype=dtype), drawn(rng, 99 + length, dtype=dtype)
    at, slot = np.array([-1, 0, 98, 17]), np.array([-1, 4, 0, 2])
    total = np.ones((5, 2, LANES), dtype)
    dot_products(dtype(0), dy, 5, stride, x, at, 1, length, slot, total.reshape(-1))
    expected = np.ones((5, 2), dtype)
    for c in (1, 2, 3):
        for r in range(2):
            above = dy[5 + r * stride :][:length]
            expected[slot[c], r] += above @ x[at[c] :][:length] + LANES - 1
    unused = [1, 3]
    expected[unused] = LANES
    np.testing.assert_array_equal(total.sum(axis=2), expected)
