import numpy as np
import pytest
from closeness import assert_close
from hypothesis import given
from hypothesis import strategies as st
from strategies import arrays, arrays_like, normal_arrays, shapes_NCHW

from minise import ops


@pytest.mark.usefixtures("each_backend")
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_channel_far_from_zero_is_normalised_exactly(dtype):
    """Sums of squares would lose everything here: the variance is that of differences."""
    rng = np.random.default_rng(0)
    x = (rng.standard_normal((64, 2, 9, 9)) + 1000).astype(dtype)
    y, saved = ops.batch_norm(x, np.ones(2, dtype), np.zeros(2, dtype))
    expected = x.astype(np.float64)
    np.testing.assert_allclose(saved.mean, expected.mean(axis=(0, 2, 3)), rtol=1e-6)
    np.testing.assert_allclose(saved.var, expected.var(axis=(0, 2, 3)), rtol=1e-4)
    assert abs(float(y.std()) - 1) < 1e-4
    assert y.dtype == dtype


@st.composite
def norm_cases(draw, dtype=np.float64):
    """x, w, b with no two numbers of x equal: a tiny variance would magnify roundings."""
    shape = draw(shapes_NCHW(N=st.integers(4, 19)))
    x = draw(normal_arrays(shape, dtype))
    return x, draw(arrays(shape[1:2], dtype)), draw(arrays(shape[1:2], dtype))


@pytest.mark.usefixtures("each_backend")
@given(data=st.data(), case=norm_cases(), shift=st.floats(-10, 10))
def test_a_shift_of_the_input_is_not_seen(data, case, shift):
    x, w, b = case
    y, saved = ops.batch_norm(x, w, b)
    moved_y, moved_saved = ops.batch_norm(x + shift, w, b)
    assert_close(moved_y, y, roundings=10_000)  # those of x + shift, magnified by 1/σ
    dy = data.draw(arrays_like(y))
    moved_dx = ops.batch_norm_backward(dy, moved_saved)[0]
    assert_close(moved_dx, ops.batch_norm_backward(dy, saved)[0], roundings=10_000)


@pytest.mark.usefixtures("each_backend")
@given(data=st.data(), case=norm_cases())
def test_a_channel_has_the_mean_b_and_its_gradient_the_mean_0(data, case):
    """A shift of x does not change y, so that the gradient has no part along it."""
    x, w, b = case
    y, saved = ops.batch_norm(x, w, b)
    assert_close(y.mean(axis=(0, 2, 3)), b)
    dx, _, _ = ops.batch_norm_backward(data.draw(arrays_like(y)), saved)
    assert_close(dx.sum(axis=(0, 2, 3)), np.zeros(len(w)), roundings=10_000)


@pytest.mark.usefixtures("each_backend")
@given(data=st.data(), case=norm_cases())
def test_batch_norm_relu_is_its_two_steps_one_after_the_other(data, case):
    y, saved = ops.batch_norm_relu(*case)
    normal, norm_saved = ops.batch_norm(*case)
    expected, relu_saved = ops.relu(normal)
    assert_close(y, expected)
    dy = data.draw(arrays_like(y))
    by_steps = ops.batch_norm_backward(ops.relu_backward(dy, relu_saved), norm_saved)
    for got, step in zip(ops.batch_norm_relu_backward(dy, saved), by_steps, strict=True):
        assert_close(got, step)


@pytest.mark.usefixtures("each_backend")
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_relu_lets_the_gradient_through_exactly_where_the_output_is_above_zero(dtype):
    """However close to zero an output is, and whatever its rounding was."""
    rng = np.random.default_rng(0)
    w, b, mean = (rng.standard_normal(3).astype(dtype) for _ in range(3))
    var = rng.uniform(0.5, 2, 3).astype(dtype)
    at_zero = mean - b * np.sqrt(var + 1e-5) / w
    steps = rng.integers(-6, 7, (16, 3, 7, 5)) * np.finfo(dtype).eps
    x = (at_zero[:, None, None] * (1 + steps)).astype(dtype)
    x[0, 0, 0, 0] = np.nan
    y, saved = ops.batch_norm_relu(x, w, b, statistics=(mean, var))
    through = y > 0
    assert 0.1 < through.mean() < 0.9
    dx, _, db = ops.batch_norm_relu_backward(np.ones_like(x), saved)
    np.testing.assert_array_equal(dx[~np.isnan(x)] != 0, through[~np.isnan(x)])
    np.testing.assert_array_equal(db, through.sum(axis=(0, 2, 3)))


@pytest.mark.usefixtures("each_backend")
def test_no_channels_are_no_trouble():
    x, none = np.zeros((2, 0, 3, 3)), np.zeros(0)
    y, saved = ops.batch_norm(x, none, none)
    assert y.shape == ops.batch_norm_backward(y, saved)[0].shape == x.shape
