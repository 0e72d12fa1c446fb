import numpy as np
import pytest

from minise import ops


def test_arrays_are_joined_along_the_channels_and_gradients_are_parted_there():
    a, b = np.zeros((2, 1, 3, 3)), np.ones((2, 2, 3, 3))
    y, saved = ops.concat(a, b)
    assert y.shape == (2, 3, 3, 3)
    da, db = ops.concat_backward(y, saved)
    np.testing.assert_array_equal(da, a)
    np.testing.assert_array_equal(db, b)


def test_other_sizes_are_refused():
    with pytest.raises(ValueError, match="may differ in axis 1 alone"):
        ops.concat(np.zeros((2, 1, 3, 3)), np.zeros((2, 1, 3, 4)))
    with pytest.raises(ValueError, match="nothing to join"):
        ops.concat()
