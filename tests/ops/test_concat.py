import naive
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import arrays, shapes_NCHW

from minise import ops


def test_other_sizes_are_refused():
    with pytest.raises(ValueError, match="may differ in axis 1 alone"):
        ops.concat(np.zeros((2, 1, 3, 3)), np.zeros((2, 1, 3, 4)))
    with pytest.raises(ValueError, match="nothing to join"):
        ops.concat()


@pytest.mark.usefixtures("each_backend")
@given(data=st.data(), shape=shapes_NCHW(), channels=st.lists(st.integers(0, 3), min_size=1))
def test_every_map_is_in_its_place_and_so_is_its_gradient(data, shape, channels):
    joined = [data.draw(arrays((shape[0], C, *shape[2:]))) for C in channels]
    y, saved = ops.concat(*joined)
    np.testing.assert_array_equal(y, naive.concat(*joined))
    for got, x in zip(ops.concat_backward(y, saved), joined, strict=True):
        np.testing.assert_array_equal(got, x)
