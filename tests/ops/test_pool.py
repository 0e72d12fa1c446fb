import numpy as np
import pytest
from closeness import assert_close, assert_same_products
from hypothesis import given
from hypothesis import strategies as st
from strategies import arrays_like, arrays_NCHW, batch_last, pool_cases

from minise import ops

pytestmark = pytest.mark.usefixtures("each_backend")


def test_a_tie_goes_to_the_first_pixel_in_row_order():
    x = np.ones((1, 1, 2, 4))
    _, saved = ops.max_pool2d(x, 2)
    dx = ops.max_pool2d_backward(np.array([[[[3.0, 5.0]]]]), saved)
    assert dx.tolist() == [[[[3, 0, 5, 0], [0, 0, 0, 0]]]]
    _, saved = ops.global_max_pool(x)
    assert ops.global_max_pool_backward(np.array([[7.0]]), saved).ravel().tolist() == [7] + [0] * 7


def test_padding_never_wins_even_against_minus_infinity():
    for value in (-5.0, -np.inf):
        x = np.full((1, 1, 2, 2), value)
        y, saved = ops.max_pool2d(x, 2, 2, 1)
        assert (y == value).all()
        dx = ops.max_pool2d_backward(np.ones_like(y), saved)
        assert dx.tolist() == [[[[1, 1], [1, 1]]]]


def test_nan_wins():
    x = np.array([[[[1.0, np.nan], [np.nan, 9.0]]]])
    assert np.isnan(ops.max_pool2d(x, 2)[0]).all()
    assert ops.global_max_pool(x)[1].winner.item() == 1


def test_ceil_mode_lets_the_last_window_reach_over_the_edge():
    x = np.arange(25.0).reshape(1, 1, 5, 5)
    assert ops.max_pool2d(x, 2)[0].shape == (1, 1, 2, 2)
    y, _ = ops.max_pool2d(x, 2, ceil_mode=True)
    assert y[0, 0].tolist() == [[6, 8, 9], [16, 18, 19], [21, 23, 24]]


def test_padding_counts_as_pixels_unless_told_otherwise():
    x = np.ones((1, 1, 2, 2))
    assert ops.avg_pool2d(x, 2, 2, 1)[0].ravel().tolist() == [0.25] * 4
    y, _ = ops.avg_pool2d(x, 2, 2, 1, count_include_pad=False)
    assert y.ravel().tolist() == [1] * 4


@given(case=pool_cases())
def test_max_pooling_commutes_with_increasing_functions(case):
    pooled, _ = ops.max_pool2d(np.arctan(case.x), **case.options)
    np.testing.assert_array_equal(pooled, np.arctan(ops.max_pool2d(case.x, **case.options)[0]))
    squeezed, _ = ops.global_max_pool(np.arctan(case.x))
    np.testing.assert_array_equal(squeezed, np.arctan(ops.global_max_pool(case.x)[0]))


@given(case=pool_cases())
def test_max_pooling_hands_each_cotangent_to_one_pixel_that_is_as_large_as_the_output(case):
    y, saved = ops.max_pool2d(case.x, **case.options)
    for place in list(np.ndindex(y.shape))[:: max(1, y.size // 5)]:
        alone = np.zeros_like(case.dy)
        alone[place] = case.dy[place]
        dx = ops.max_pool2d_backward(alone, saved)
        (winner,) = np.argwhere(dx)
        assert dx[*winner] == case.dy[place]
        assert case.x[*winner] == y[place]
    whole = ops.max_pool2d_backward(case.dy, saved)
    assert_close(whole.sum(axis=(2, 3)), case.dy.sum(axis=(2, 3)))


@given(data=st.data(), x=arrays_NCHW())
def test_the_largest_of_a_map_gets_its_whole_cotangent(data, x):
    z, saved = ops.global_max_pool(x)
    dz = data.draw(arrays_like(z))
    dx = ops.global_max_pool_backward(dz, saved)
    assert ((dx != 0).sum(axis=(2, 3)) == 1).all()
    np.testing.assert_array_equal(dx.sum(axis=(2, 3)), dz)
    np.testing.assert_array_equal(x[dx != 0], z.ravel())


@given(case=pool_cases(), value=st.floats(-3, 3))
def test_averages_keep_a_constant(case, value):
    x = np.full_like(case.x, value)
    y, _ = ops.avg_pool2d(x, **case.options, count_include_pad=False)
    assert_close(y, np.full(case.dy.shape, value))
    assert_close(ops.global_avg_pool(x)[0], np.full(x.shape[:2], value))


@given(case=pool_cases(), include=st.booleans())
def test_the_backward_of_an_average_is_its_adjoint(case, include):
    """⟨pool(x), dy⟩ = ⟨x, dx⟩."""
    y, saved = ops.avg_pool2d(case.x, **case.options, count_include_pad=include)
    dx = ops.avg_pool2d_backward(case.dy, saved)
    assert_same_products((y, case.dy), (case.x, dx))


@pytest.mark.parametrize("name", ["global_avg_pool", "global_max_pool"])
@given(data=st.data(), x=arrays_NCHW())
def test_a_squeeze_adds_to_the_gradient_of_another_way(name, data, x):
    z, saved = getattr(ops, name)(x)
    backward = getattr(ops, f"{name}_backward")
    dz, other = data.draw(arrays_like(z)), data.draw(arrays_like(x))
    expected = other + backward(dz, saved)
    np.testing.assert_array_equal(backward(dz, saved, add_to=batch_last(other)), expected)


@pytest.mark.parametrize("name", ["global_avg_pool", "global_max_pool"])
@given(data=st.data(), x=arrays_NCHW())
def test_the_gradient_of_another_way_may_be_scaled_first(name, data, x):
    z, saved = getattr(ops, name)(x)
    backward = getattr(ops, f"{name}_backward")
    dz, dy = data.draw(arrays_like(z)), data.draw(arrays_like(x))
    s, before = data.draw(arrays_like(z)), dy.copy()
    expected = ops.channel_scale(dy, s)[0] + backward(dz, saved)
    assert_close(backward(dz, saved, add_to=dy, scaled_by=s), expected)
    np.testing.assert_array_equal(dy, before)
    with pytest.raises(ValueError, match="scaled_by without add_to"):
        backward(dz, saved, scaled_by=s)
    with pytest.raises(ValueError, match=r"s has shape"):
        backward(dz, saved, add_to=dy, scaled_by=s[:, 1:])
