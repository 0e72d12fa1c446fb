import numpy as np
import pytest

from minise import ops


def test_batch_last_memory_stays_batch_last():
    x = np.asfortranarray(np.ones((5, 3), np.float32))
    y, saved = ops.linear(x, np.ones((4, 3), np.float32), np.ones(4, np.float32))
    dx, _, _ = ops.linear_backward(y, saved)
    assert y.flags.f_contiguous
    assert dx.flags.f_contiguous


def test_other_widths_are_refused():
    with pytest.raises(ValueError, match="x has 3 features, w expects 4"):
        ops.linear(np.zeros((2, 3)), np.zeros((5, 4)))
    with pytest.raises(ValueError, match=r"b has shape \(4,\)"):
        ops.linear(np.zeros((2, 4)), np.zeros((5, 4)), np.zeros(4))
