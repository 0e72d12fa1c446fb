import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import DTYPES, arrays, arrays_like, arrays_NCHW

from minise import ops


@pytest.mark.usefixtures("each_backend")
@given(data=st.data(), x=DTYPES.flatmap(arrays_NCHW))
def test_both_terms_get_the_gradient_of_the_sum(data, x):
    y, saved = ops.add(x, data.draw(arrays(x.shape, x.dtype)))
    dy = data.draw(arrays_like(y))
    for gradient in ops.add_backward(dy, saved):
        np.testing.assert_array_equal(gradient, dy)
