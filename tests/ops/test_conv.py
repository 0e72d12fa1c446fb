from functools import partial

import numpy as np
import pytest
from closeness import assert_close, assert_same_products
from hypothesis import given
from hypothesis import strategies as st
from scipy.signal import correlate2d
from strategies import LANES, arrays, arrays_like, arrays_NCHW, conv_cases

from minise import ops


@pytest.mark.usefixtures("each_backend")
@given(data=st.data(), x=arrays_NCHW(N=st.integers(1, 3) | st.just(LANES + 1)))
def test_each_map_is_a_sum_of_correlations(data, x):
    C, H, W = x.shape[1:]
    size = data.draw(st.tuples(st.integers(1, H), st.integers(1, W)))
    w = data.draw(arrays((3, C, *size)))
    y, _ = ops.conv2d(x, w)
    expected = [
        [
            sum(correlate2d(a, v, mode="valid") for a, v in zip(image, filter_, strict=True))
            for filter_ in w
        ]
        for image in x
    ]
    assert_close(y, np.array(expected))


@pytest.mark.usefixtures("each_backend")
@given(data=st.data(), case=conv_cases())
def test_a_convolution_is_linear_in_its_input_and_in_its_weights(data, case):
    conv = partial(ops.conv2d, **case.options)
    x, w = data.draw(arrays_like(case.x)), data.draw(arrays_like(case.w))
    y, _ = conv(case.x, case.w)
    assert_close(conv(2 * case.x - 3 * x, case.w)[0], 2 * y - 3 * conv(x, case.w)[0])
    assert_close(conv(case.x, 2 * case.w - 3 * w)[0], 2 * y - 3 * conv(case.x, w)[0])


@pytest.mark.usefixtures("each_backend")
@given(case=conv_cases())
def test_the_backward_is_the_adjoint_of_the_convolution(case):
    """⟨x ⋆ w, dy⟩ = ⟨x, dx⟩ = ⟨w, dw⟩."""
    y, saved = ops.conv2d(case.x, case.w, **case.options)
    dx, dw, db = ops.conv2d_backward(case.dy, saved)
    assert db is None
    assert_same_products((y, case.dy), (case.x, dx), (case.w, dw))


@pytest.mark.usefixtures("each_backend")
@given(case=conv_cases())
def test_a_bias_is_added_to_its_map_and_its_gradient_is_the_sum_of_the_map(case):
    b = np.arange(1.0, len(case.w) + 1)
    y, saved = ops.conv2d(case.x, case.w, b, **case.options)
    without, _ = ops.conv2d(case.x, case.w, **case.options)
    assert_close(y, without + b[:, None, None])
    assert_close(ops.conv2d_backward(case.dy, saved)[2], np.einsum("nfhw->f", case.dy))


@pytest.mark.usefixtures("each_backend")
@given(case=conv_cases(most_places=4, most_padding=0))
def test_a_convolution_moves_with_its_input(case):
    """Without the first rows and columns, as many as a stride, the first places are gone."""
    down, across = case.options["stride"]
    y, _ = ops.conv2d(case.x, case.w, **case.options)
    if min(y.shape[2:]) > 1:
        moved, _ = ops.conv2d(case.x[:, :, down:, across:], case.w, **case.options)
        assert_close(moved, y[:, :, 1:, 1:])


@pytest.mark.usefixtures("each_backend")
@given(data=st.data(), x=arrays_NCHW())
def test_a_convolution_by_single_pixels_is_a_matrix_product(data, x):
    w = data.draw(arrays((5, x.shape[1], 1, 1)))
    y, saved = ops.conv2d(x, w)
    dy = data.draw(arrays_like(y))
    dx, dw, _ = ops.conv2d_backward(dy, saved)
    assert_close(y, np.einsum("fc,nchw->nfhw", w[:, :, 0, 0], x))
    assert_close(dx, np.einsum("fc,nfhw->nchw", w[:, :, 0, 0], dy))
    assert_close(dw[:, :, 0, 0], np.einsum("nfhw,nchw->fc", dy, x))


@pytest.mark.usefixtures("each_backend")
@given(case=conv_cases())
def test_each_group_is_a_convolution_of_its_own(case):
    options = dict(case.options)
    groups = options.pop("groups")
    y, _ = ops.conv2d(case.x, case.w, **case.options)
    parts = zip(np.split(case.x, groups, axis=1), np.split(case.w, groups), strict=True)
    apart = [ops.conv2d(x, w, **options)[0] for x, w in parts]
    assert_close(y, np.concatenate(apart, axis=1))


def test_a_cotangent_that_does_not_fit_is_one_clear_error():
    x, w = np.zeros((8, 3, 9, 9), np.float32), np.zeros((4, 3, 3, 3), np.float32)
    y, saved = ops.conv2d(x, w)
    with pytest.raises(ValueError, match=r"dy has shape \(8, 4, 7, 6\), the output had"):
        ops.conv2d_backward(y[..., :6], saved)
    with pytest.raises(TypeError, match="dy float64, x float32"):
        ops.conv2d_backward(y.astype(np.float64), saved)
