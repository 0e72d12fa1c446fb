import numpy as np
import pytest

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


def test_a_pixel_may_win_in_several_windows():
    x = np.zeros((1, 1, 3, 3))
    x[0, 0, 1, 1] = 1
    y, saved = ops.max_pool2d(x, 2, 1)
    assert ops.max_pool2d_backward(np.ones_like(y), saved)[0, 0, 1, 1] == 4


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


@pytest.mark.parametrize("pool", [ops.max_pool2d, ops.avg_pool2d])
def test_padding_above_half_of_the_window_is_refused(pool):
    with pytest.raises(ValueError, match=r"padding \(2, 2\) is more than half of kernel_size"):
        pool(np.zeros((1, 1, 8, 8)), 3, padding=2)
    with pytest.raises(ValueError, match="smaller than the window"):
        pool(np.zeros((1, 1, 2, 8)), 3)
