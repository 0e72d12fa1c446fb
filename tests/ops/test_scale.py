import numpy as np
import pytest

from minise import ops


@pytest.mark.usefixtures("each_backend")
def test_each_map_is_multiplied_by_its_own_gate():
    x, s = np.ones((2, 3, 4, 5)), np.arange(6.0).reshape(2, 3)
    y, saved = ops.channel_scale(x, s)
    assert (y == s[:, :, None, None]).all()
    dx, ds = ops.channel_scale_backward(2 * x, saved)
    assert (dx == 2 * s[:, :, None, None]).all()
    assert (ds == 2 * 4 * 5).all()


def test_a_gate_for_each_channel_is_wanted():
    with pytest.raises(ValueError, match=r"s has shape \(2, 4\), x \(2, 3, 4, 5\) wants \(2, 3\)"):
        ops.channel_scale(np.ones((2, 3, 4, 5)), np.ones((2, 4)))
