import numpy as np
import pytest
from closeness import assert_close
from hypothesis import given
from hypothesis import strategies as st
from rows import activation
from strategies import DTYPES, arrays_like, arrays_NCHW

from minise import ops


@pytest.mark.usefixtures("each_backend")
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_sigmoid_does_not_overflow(dtype):
    x = np.array([-1e30, -1000, -5, 0, 5, 1000, 1e30], dtype)
    with np.errstate(all="raise", under="ignore"):
        y, saved = ops.sigmoid(x)
        dx = ops.sigmoid_backward(np.ones_like(x), saved)
    np.testing.assert_allclose(y[[0, 1, 3, 5, 6]], [0, 0, 0.5, 1, 1])
    np.testing.assert_allclose(y[2] + y[4], 1, rtol=1e-6)
    assert dx[3] == 0.25
    assert np.isfinite(dx).all()


@pytest.mark.usefixtures("each_backend")
def test_the_derivative_of_relu_at_0_is_0():
    _, saved = ops.relu(np.array([-1.0, 0.0, 2.0]))
    assert ops.relu_backward(np.full(3, 5.0), saved).tolist() == [0, 0, 5]


@pytest.mark.usefixtures("each_backend")
def test_hard_sigmoid_is_straight_between_minus_3_and_3():
    x = np.array([-9.0, -3.0, -1.5, 0.0, 1.5, 3.0, 9.0])
    y, saved = ops.hard_sigmoid(x)
    np.testing.assert_allclose(y, [0, 0, 0.25, 0.5, 0.75, 1, 1])
    dx = ops.hard_sigmoid_backward(np.full(7, 6.0), saved)
    np.testing.assert_allclose(dx, [0, 0, 1, 1, 1, 0, 0])


@pytest.mark.usefixtures("each_backend")
@pytest.mark.parametrize("row", activation.ROWS, ids=lambda row: row.operation)
@pytest.mark.parametrize("shape", [(), (0,), (5,), (2, 3), (2, 3, 4, 5, 6)])
def test_any_shape_will_do(row, shape):
    x = np.random.default_rng(0).standard_normal(shape)
    y, saved = row.forward(x, **row.sizes["rows"].options)
    assert y.shape == shape
    assert row.backward(np.ones(shape), saved).shape == shape


@pytest.mark.usefixtures("each_backend")
@given(x=DTYPES.flatmap(arrays_NCHW), scale=st.sampled_from([1, 10, 1000]))
def test_sigmoids_of_x_and_of_its_negative_make_1(x, scale):
    for gate in (ops.sigmoid, ops.hard_sigmoid):
        assert_close(gate(scale * x)[0] + gate(-scale * x)[0], np.ones(x.shape))


@pytest.mark.usefixtures("each_backend")
@given(data=st.data(), x=arrays_NCHW())
def test_the_derivative_of_sigmoid_is_even_and_that_of_tanh_four_times_as_steep(data, x):
    """s'(x) = s'(−x), and tanh(x) = 2 s(2x) − 1."""
    dy = data.draw(arrays_like(x))

    def derivative(name, x):
        return getattr(ops, f"{name}_backward")(dy, getattr(ops, name)(x)[1])

    assert_close(derivative("sigmoid", x), derivative("sigmoid", -x))
    assert_close(derivative("tanh", x), 4 * derivative("sigmoid", 2 * x))


@pytest.mark.usefixtures("each_backend")
@pytest.mark.parametrize(
    ("function", "options"),
    [(ops.hard_sigmoid, (5,)), (ops.leaky_relu, (0.1,)), (ops.clip, (0, 1))],
)
def test_options_that_are_numbers_of_numpy_change_no_dtype(function, options):
    x = np.linspace(-4, 4, 9, dtype=np.float32)
    backward = getattr(ops, f"{function.__name__}_backward")
    for given_as in (float, np.float64):
        y, saved = function(x, *map(given_as, options))
        assert y.dtype == backward(np.ones_like(x), saved).dtype == np.float32


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda x: ops.hard_sigmoid(x, 0), "hard_sigmoid: width is 0, expected a number above 0"),
        (lambda x: ops.hard_sigmoid(x, -6), "hard_sigmoid: width is -6, expected"),
        (lambda x: ops.clip(x, 1, 0), "clip: low is 1 and high 0, expected low <= high"),
        (lambda x: ops.clip(x, np.nan, 0), "clip: low is nan and high 0, expected"),
    ],
)
def test_an_impossible_option_is_an_error(call, message):
    with pytest.raises(ValueError, match=message):
        call(np.ones(3))
