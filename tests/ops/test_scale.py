import pytest
from closeness import assert_close, assert_same_products
from hypothesis import given
from hypothesis import strategies as st
from strategies import arrays, arrays_like, arrays_NCHW

from minise import ops


@pytest.mark.usefixtures("each_backend")
@given(data=st.data(), x=arrays_NCHW())
def test_the_backward_is_the_adjoint_of_the_scale(data, x):
    """⟨s · x, dy⟩ = ⟨x, dx⟩ = ⟨s, ds⟩."""
    s, dy = data.draw(arrays(x.shape[:2])), data.draw(arrays_like(x))
    y, saved = ops.channel_scale(x, s)
    dx, ds = ops.channel_scale_backward(dy, saved)
    assert_same_products((y, dy), (x, dx), (s, ds))
    assert_close(ops.gates_gradient(dy, saved), ds)


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
