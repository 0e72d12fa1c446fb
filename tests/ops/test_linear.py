import pytest
from closeness import assert_same_products
from hypothesis import given
from hypothesis import strategies as st
from strategies import BATCHES, arrays, arrays_like

from minise import ops


@pytest.mark.usefixtures("each_backend")
@given(data=st.data(), sizes=st.tuples(BATCHES, st.integers(1, 6), st.integers(1, 6)))
def test_the_backward_is_the_adjoint_of_the_map(data, sizes):
    """⟨x wᵀ, dy⟩ = ⟨x, dx⟩ = ⟨w, dw⟩."""
    N, inputs, outputs = sizes
    x, w = data.draw(arrays((N, inputs))), data.draw(arrays((outputs, inputs)))
    y, saved = ops.linear(x, w)
    dy = data.draw(arrays_like(y))
    dx, dw, _ = ops.linear_backward(dy, saved)
    assert_same_products((y, dy), (x, dx), (w, dw))
