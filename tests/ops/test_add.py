import naive
import numpy as np
import pytest
from closeness import assert_close
from hypothesis import given
from hypothesis import strategies as st
from strategies import DTYPES, arrays, arrays_like, arrays_NCHW

from minise import ops


@pytest.mark.usefixtures("each_backend")
@given(data=st.data(), x=DTYPES.flatmap(arrays_NCHW))
def test_a_sum_is_its_definition_and_both_terms_get_its_gradient(data, x):
    y, saved = ops.add(x, r := data.draw(arrays(x.shape, x.dtype)))
    assert_close(y, naive.add(x, r))
    dy = data.draw(arrays_like(y))
    for gradient in ops.add_backward(dy, saved):
        np.testing.assert_array_equal(gradient, dy)


def test_other_shapes_are_refused():
    with pytest.raises(ValueError, match=r"add: r has shape \(2, 1, 2, 2\), x has \(2, 3, 2, 2\)"):
        ops.add(np.ones((2, 3, 2, 2)), np.ones((2, 1, 2, 2)))
    with pytest.raises(ValueError, match=r"add: x has shape \(2, 3\), expected \(N, C, H, W\)"):
        ops.add(np.ones((2, 3)), np.ones((2, 3)))
