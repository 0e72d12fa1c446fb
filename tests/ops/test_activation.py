import numpy as np
import pytest

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
@pytest.mark.parametrize("name", ["relu", "sigmoid", "tanh", "hard_sigmoid"])
@pytest.mark.parametrize("shape", [(), (0,), (5,), (2, 3), (2, 3, 4, 5, 6)])
def test_any_shape_will_do(name, shape):
    x = np.random.default_rng(0).standard_normal(shape)
    y, saved = getattr(ops, name)(x)
    assert y.shape == shape
    assert getattr(ops, f"{name}_backward")(np.ones(shape), saved).shape == shape
