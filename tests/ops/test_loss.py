import numpy as np
import pytest
from closeness import assert_close
from hypothesis import given
from hypothesis import strategies as st
from rows import ROWS
from strategies import arrays

from minise import ops


def test_the_loss_of_equal_scores_is_log_k():
    loss, saved = ops.softmax_cross_entropy(np.zeros((4, 10)), np.array([0, 3, 9, 9]))
    assert loss == pytest.approx(np.log(10))
    np.testing.assert_allclose(saved.p, 0.1)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_scores_of_ten_thousand_are_no_trouble(dtype):
    scores = np.array([[1e4, -1e4, 0], [-1e4, 1e4, 0]], dtype)
    with np.errstate(all="raise", under="ignore"):
        loss, saved = ops.softmax_cross_entropy(scores, np.array([0, 0]))
        dscores = ops.softmax_cross_entropy_backward(1.0, saved)
    assert loss == 1e4  # the mean of 0 and 2e4
    assert loss.dtype == dscores.dtype == dtype
    np.testing.assert_allclose(dscores, [[0, 0, 0], [-0.5, 0.5, 0]])


def test_smoothing_wants_a_share_of_every_class():
    _, saved = ops.softmax_cross_entropy(np.zeros((1, 4)), np.array([2]), label_smoothing=0.2)
    np.testing.assert_allclose(saved.q, [[0.05, 0.05, 0.85, 0.05]])


@pytest.mark.usefixtures("each_backend")
@given(
    data=st.data(),
    call=ROWS["softmax_cross_entropy"].draw(np.float64, None),
    dloss=st.floats(-3, 3),
)
def test_a_shift_of_a_row_is_not_seen_and_each_row_of_the_gradient_sums_to_0(data, call, dloss):
    (scores, labels), options = call.arrays, call.options
    shift = 1000 * data.draw(arrays((len(scores), 1)))
    loss, saved = ops.softmax_cross_entropy(scores, labels, **options)
    moved, moved_saved = ops.softmax_cross_entropy(scores + shift, labels, **options)
    assert_close(
        moved, loss, roundings=10_000
    )  # those of scores + shift, a thousand times as large
    dscores = ops.softmax_cross_entropy_backward(dloss, saved)
    assert_close(ops.softmax_cross_entropy_backward(dloss, moved_saved), dscores, roundings=10_000)
    assert_close(dscores.sum(axis=1), np.zeros(len(scores)))
