import naive
import numpy as np
import pytest
from closeness import assert_close
from hypothesis import given
from hypothesis import strategies as st
from strategies import DTYPES, arrays

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


@pytest.mark.parametrize(
    ("labels", "error", "message"),
    [
        (np.array([0, 3]), ValueError, r"label 3 at index 1 is outside the 3 classes \(0 to 2\)"),
        (np.array([-1, 0]), ValueError, "label -1 at index 0"),
        (np.array([0.0, 1.0]), TypeError, "labels are float64, expected integers"),
        (np.array([0]), ValueError, r"labels have shape \(1,\), expected \(2,\)"),
    ],
)
def test_wrong_labels_are_one_clear_error(labels, error, message):
    with pytest.raises(error, match=message):
        ops.softmax_cross_entropy(np.zeros((2, 3)), labels)


def test_an_empty_batch_has_no_mean():
    with pytest.raises(ValueError, match="no mean over an empty batch"):
        ops.softmax_cross_entropy(np.zeros((0, 3)), np.zeros(0, int))


def test_a_smoothing_outside_0_to_1_is_refused():
    with pytest.raises(ValueError, match=r"label_smoothing 1\.5"):
        ops.softmax_cross_entropy(np.zeros((1, 3)), np.zeros(1, int), label_smoothing=1.5)


@st.composite
def score_cases(draw, dtype=np.float64):
    N, K = draw(st.tuples(st.integers(1, 6), st.integers(1, 6)))
    labels = draw(st.lists(st.integers(0, K - 1), min_size=N, max_size=N))
    return draw(arrays((N, K), dtype)), np.array(labels), draw(st.sampled_from([0.0, 0.1, 1.0]))


@pytest.mark.usefixtures("each_backend")
@given(case=DTYPES.flatmap(score_cases))
def test_the_loss_is_its_definition(case):
    scores, labels, smoothing = case
    loss, _ = ops.softmax_cross_entropy(scores, labels, label_smoothing=smoothing)
    assert loss.dtype == scores.dtype
    assert_close(loss, naive.softmax_cross_entropy(scores, labels, smoothing))


@pytest.mark.usefixtures("each_backend")
@given(data=st.data(), case=score_cases(), dloss=st.floats(-3, 3))
def test_a_shift_of_a_row_is_not_seen_and_each_row_of_the_gradient_sums_to_0(data, case, dloss):
    scores, labels, smoothing = case
    shift = 1000 * data.draw(arrays((len(scores), 1)))
    loss, saved = ops.softmax_cross_entropy(scores, labels, label_smoothing=smoothing)
    moved, moved_saved = ops.softmax_cross_entropy(
        scores + shift, labels, label_smoothing=smoothing
    )
    assert_close(
        moved, loss, roundings=10_000
    )  # those of scores + shift, a thousand times as large
    dscores = ops.softmax_cross_entropy_backward(dloss, saved)
    assert_close(ops.softmax_cross_entropy_backward(dloss, moved_saved), dscores, roundings=10_000)
    assert_close(dscores.sum(axis=1), np.zeros(len(scores)))
