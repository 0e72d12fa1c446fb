import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import arrays, shapes_NCHW

from minise import ops


@pytest.mark.usefixtures("each_backend")
@given(data=st.data(), shape=shapes_NCHW(), channels=st.lists(st.integers(0, 3), min_size=1))
def test_every_array_gets_its_own_maps_of_the_gradient(data, shape, channels):
    joined = [data.draw(arrays((shape[0], C, *shape[2:]))) for C in channels]
    y, saved = ops.concat(*joined)
    for got, x in zip(ops.concat_backward(y, saved), joined, strict=True):
        np.testing.assert_array_equal(got, x)
