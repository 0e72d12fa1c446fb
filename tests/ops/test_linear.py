import naive
import numpy as np
import pytest
from closeness import assert_close, assert_same_products
from hypothesis import given
from hypothesis import strategies as st
from strategies import BATCHES, DTYPES, arrays, arrays_like

from minise import ops


def test_other_widths_are_refused():
    with pytest.raises(ValueError, match="x has 3 features, w expects 4"):
        ops.linear(np.zeros((2, 3)), np.zeros((5, 4)))
    with pytest.raises(ValueError, match=r"b has shape \(4,\)"):
        ops.linear(np.zeros((2, 4)), np.zeros((5, 4)), np.zeros(4))


@pytest.mark.usefixtures("each_backend")
@given(data=st.data(), dtype=DTYPES, sizes=st.tuples(*[st.integers(0, 6)] * 3))
def test_a_linear_map_is_the_sum_in_its_definition(data, dtype, sizes):
    N, inputs, outputs = sizes
    x, w, b = (data.draw(arrays(s, dtype)) for s in [(N, inputs), (outputs, inputs), (outputs,)])
    assert_close(ops.linear(x, w, b)[0], naive.linear(x, w, b))


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
