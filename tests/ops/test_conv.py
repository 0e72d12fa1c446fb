import numpy as np
import pytest

from minise import ops


def zeros(*shape, dtype=np.float32):
    return np.zeros(shape, dtype)


@pytest.mark.usefixtures("each_backend")
def test_a_convolution_is_the_sum_in_its_definition():
    rng = np.random.default_rng(0)
    x, w, b = rng.standard_normal((2, 3, 5, 6)), rng.standard_normal((4, 3, 2, 3)), np.arange(4.0)
    y, _ = ops.conv2d(x, w, b)
    assert y.shape == (2, 4, 4, 4)
    for n, f, i, j in np.ndindex(y.shape):
        expected = (x[n, :, i : i + 2, j : j + 3] * w[f]).sum() + b[f]
        assert y[n, f, i, j] == pytest.approx(expected)


@pytest.mark.usefixtures("each_backend")
def test_the_remainder_of_a_stride_is_left_over():
    y, saved = ops.conv2d(zeros(1, 1, 28, 28), zeros(1, 1, 3, 3), stride=2, padding=1)
    assert y.shape == (1, 1, 14, 14)
    assert ops.conv2d_backward(y, saved)[0].shape == (1, 1, 28, 28)


@pytest.mark.usefixtures("each_backend")
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_dtype_of_the_input_is_that_of_everything(dtype):
    y, saved = ops.conv2d(zeros(2, 1, 4, 4, dtype=dtype), zeros(3, 1, 3, 3, dtype=dtype))
    dx, dw, db = ops.conv2d_backward(np.ones_like(y), saved)
    assert y.dtype == dx.dtype == dw.dtype == dtype
    assert db is None


X, W = zeros(8, 3, 9, 9), zeros(4, 3, 3, 3)


@pytest.mark.parametrize(
    ("arguments", "options", "error", "message"),
    [
        ((X, zeros(4, 16, 3, 3)), {}, ValueError, r"conv2d: x has 3 channels, w expects 16: x \(8"),
        ((X, W), {"groups": 2}, ValueError, "2 groups must divide the 3 channels"),
        ((X, zeros(4, 1, 3, 3)), {"groups": 3}, ValueError, "3 groups .* the 4 filters"),
        ((X, W), {"groups": 0}, ValueError, "0 groups"),
        ((X, W), {"padding": -1}, ValueError, "padding is -1, expected at least 0"),
        ((X, W), {"stride": 0}, ValueError, "stride is 0, expected at least 1"),
        ((X, W), {"dilation": (1, 0)}, ValueError, r"dilation is \(1, 0\)"),
        ((X, W), {"stride": 1.5}, TypeError, "stride is 1.5, expected an integer"),
        ((X, W), {"stride": (1, 2, 3)}, TypeError, r"stride is \(1, 2, 3\)"),
        ((X, W.astype(np.float64)), {}, TypeError, "mixed dtypes: x float32, w float64"),
        ((X.astype(int), W.astype(int)), {}, TypeError, "x is int64, expected float32 or float64"),
        ((X, W, zeros(3)), {}, ValueError, r"b has shape \(3,\), expected \(4,\)"),
        ((X[0], W), {}, ValueError, r"x has shape \(3, 9, 9\), expected \(N, C, H, W\)"),
        ((X, W[0]), {}, ValueError, r"w has shape \(3, 3, 3\), expected \(F, C"),
        ((X[:, :, :2], W), {}, ValueError, "x is smaller than the window"),
        ((X[:, :, :0], W), {}, ValueError, "x has no pixels"),
    ],
)
def test_what_does_not_fit_is_one_clear_error(arguments, options, error, message):
    with pytest.raises(error, match=message):
        ops.conv2d(*arguments, **options)


def test_a_cotangent_that_does_not_fit_is_one_clear_error():
    y, saved = ops.conv2d(X, W)
    with pytest.raises(ValueError, match=r"dy has shape \(8, 4, 7, 6\), the output had"):
        ops.conv2d_backward(y[..., :6], saved)
    with pytest.raises(TypeError, match="dy float64, x float32"):
        ops.conv2d_backward(y.astype(np.float64), saved)
