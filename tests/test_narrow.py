import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from minise.narrow import from_bfloat16, to_bfloat16

EVERY = np.arange(2**16, dtype=np.uint16)  # every bfloat16 there is


def nearest_by_search(x):
    """The bits of the bfloat16 nearest to each x >= 0, found among all of them; ties to even."""
    values = from_bfloat16(EVERY[:0x7F80]).astype(np.float64)
    above = np.searchsorted(values, x).clip(1, len(values) - 1)
    below = above - 1
    up, down = values[above] - x, x - values[below]
    return np.where((up < down) | ((up == down) & (above % 2 == 0)), above, below)


def test_every_bfloat16_comes_back_as_it_was():
    values = from_bfloat16(EVERY)
    numbers = ~np.isnan(values)
    with np.errstate(invalid="ignore"):  # some of the NaN are signals
        wide = values.astype(np.float64)
    for x in (values, wide):
        assert (to_bfloat16(x)[numbers] == EVERY[numbers]).all()
        assert np.isnan(from_bfloat16(to_bfloat16(x)[~numbers])).all()


def test_middles_of_two_go_to_the_even_one_and_what_is_beside_them_does_not():
    values = from_bfloat16(EVERY[:0x7F7F]).astype(np.float64)
    middles = (values[:-1] + values[1:]) / 2  # exact in float64, and in float32
    lower = EVERY[: len(middles)]
    even = lower + lower % 2
    assert (to_bfloat16(middles.astype(np.float32)) == even).all()
    assert (to_bfloat16(middles) == even).all()
    # in float32 these two would be the middle itself
    assert (to_bfloat16(np.nextafter(middles, np.inf)) == lower + 1).all()
    assert (to_bfloat16(np.nextafter(middles, 0)) == lower).all()


@given(st.lists(st.floats(0, 3.3e38), min_size=1), st.sampled_from([np.float32, np.float64]))
def test_the_nearest_is_found(numbers, dtype):
    x = np.array(numbers, dtype)
    assert (to_bfloat16(x) == nearest_by_search(x.astype(np.float64))).all()
    assert (to_bfloat16(-x) == to_bfloat16(x) + 0x8000).all()


def test_what_is_too_large_is_infinite():
    for dtype in (np.float32, np.float64):
        x = np.array([3.4e38, -3.4e38, np.inf, 3.39e38], dtype)
        assert from_bfloat16(to_bfloat16(x)).tolist() == [np.inf, -np.inf, np.inf, 2**128 - 2**120]
    assert from_bfloat16(to_bfloat16(np.array([1e300])))[0] == np.inf
