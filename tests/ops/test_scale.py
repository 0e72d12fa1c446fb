import naive
import numpy as np
import pytest
from closeness import assert_close, assert_same_products
from hypothesis import given
from hypothesis import strategies as st
from strategies import DTYPES, arrays, arrays_like, arrays_NCHW

from minise import ops


def test_a_gate_for_each_channel_is_wanted():
    with pytest.raises(ValueError, match=r"s has shape \(2, 4\), expected \(2, 3\) for x"):
        ops.channel_scale(np.ones((2, 3, 4, 5)), np.ones((2, 4)))


@pytest.mark.usefixtures("each_backend")
@given(data=st.data(), x=DTYPES.flatmap(arrays_NCHW))
def test_scales_are_their_definitions(data, x):
    s, r = data.draw(arrays(x.shape[:2], x.dtype)), data.draw(arrays(x.shape, x.dtype))
    assert_close(ops.channel_scale(x, s)[0], naive.channel_scale(x, s))
    assert_close(ops.scale_add_relu(x, s, r)[0], naive.scale_add_relu(x, s, r))


@pytest.mark.usefixtures("each_backend")
@given(data=st.data(), x=arrays_NCHW())
def test_the_backward_is_the_adjoint_of_the_scale(data, x):
    """⟨s · x, dy⟩ = ⟨x, dx⟩ = ⟨s, ds⟩."""
    s, dy = data.draw(arrays(x.shape[:2])), data.draw(arrays_like(x))
    y, saved = ops.channel_scale(x, s)
    dx, ds = ops.channel_scale_backward(dy, saved)
    assert_same_products((y, dy), (x, dx), (s, ds))


@pytest.mark.usefixtures("each_backend")
@given(data=st.data(), x=arrays_NCHW())
def test_scale_add_relu_is_its_three_steps_one_after_the_other(data, x):
    s, r = data.draw(arrays(x.shape[:2])), data.draw(arrays(x.shape))
    y, saved = ops.scale_add_relu(x, s, r)
    scaled, scale_saved = ops.channel_scale(x, s)
    expected, relu_saved = ops.relu(ops.add(scaled, r)[0])
    assert_close(y, expected)
    dy = data.draw(arrays_like(y))
    dr = ops.relu_backward(dy, relu_saved)
    for got, by_steps in zip(
        ops.scale_add_relu_backward(dy, saved),
        (*ops.channel_scale_backward(dr, scale_saved), dr),
        strict=True,
    ):
        assert_close(got, by_steps)


def test_a_shortcut_of_the_same_shape_is_wanted():
    x = np.ones((2, 3, 4, 5))
    with pytest.raises(ValueError, match=r"scale_add_relu: r has shape \(2, 3, 4, 4\), x has"):
        ops.scale_add_relu(x, np.ones((2, 3)), x[..., 1:])


def test_a_gate_for_each_pixel_is_wanted():
    x = np.ones((2, 3, 4, 5))
    with pytest.raises(ValueError, match=r"multiply: s has shape \(2, 3\), expected"):
        ops.multiply(x, np.ones((2, 3)))
    with pytest.raises(ValueError, match=r"expected \(2, 3, 4, 5\) or \(2, 1, 4, 5\)"):
        ops.multiply(x, np.ones((1, 3, 4, 5)))
