import numpy as np
import pytest

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


def test_one_value_in_a_channel_has_no_variance():
    with pytest.raises(ValueError, match=r"has 1 values in a channel; .* need at least 2"):
        ops.batch_norm(np.zeros((1, 2, 1, 1)), np.ones(2), np.zeros(2))


def test_a_weight_for_each_channel_is_wanted():
    with pytest.raises(ValueError, match=r"w has shape \(3,\), x .* wants \(2,\)"):
        ops.batch_norm(np.zeros((2, 2, 2, 2)), np.ones(3), np.zeros(2))
