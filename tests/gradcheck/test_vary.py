"""Inputs of other shapes and values: faults that pass on the given ones, and not on these."""

from functools import partial

import numpy as np
import pytest

from minise import gradcheck, nn, ops
from minise.gradcheck import EXAMPLES, vary
from minise.gradcheck.axes import Axes, apart
from minise.gradcheck.forms import subject_of
from minise.gradcheck.vary import redrawn

RNG = np.random.default_rng(8)
# of layers that have examples of their own
BLOCKS = ("Residual,", "Bottleneck,", "Inception", "InvertedResidual")
normal = RNG.standard_normal


def varied(subject, *inputs):
    """The shapes of the inputs as they are varied."""
    axes = Axes(subject_of(subject, inputs))
    arrays = axes.of(apart(axes))
    return [value.shape for value in arrays.values() if isinstance(value, np.ndarray)]


LINEAR = (ops.linear, ops.linear_backward)
CONV = (ops.conv2d, ops.conv2d_backward)
LOSS = (ops.softmax_cross_entropy, ops.softmax_cross_entropy_backward)


@pytest.mark.parametrize(
    ("subject", "inputs", "shapes"),
    [
        (LINEAR, [(4, 4), (4, 4), (4,)], [(3, 5), (4, 5), (4,)]),
        (LINEAR, [(3, 4), (5, 4), (5,)], [(3, 4), (5, 4), (5,)]),
        (LINEAR, [(1, 4), (5, 4), (5,)], [(2, 4), (5, 4), (5,)]),
        ((ops.channel_scale, ops.channel_scale_backward), [(2, 2, 2, 2), (2, 2)],
         [(5, 2, 3, 4), (5, 2)]),
        (nn.Linear(3, 3, dtype=np.float64), [(3, 3)], [(2, 3)]),
    ],
)  # fmt: skip
def test_axes_that_may_differ_do_and_those_that_belong_together_do_not(subject, inputs, shapes):
    assert varied(subject, *map(normal, inputs)) == shapes


def test_labels_follow_their_batch_and_stay_labels():
    labels = np.array([1, 3, 0, 2])  # as many classes as there are
    assert varied(LOSS, normal((4, 4)), labels) == [(3, 4), (3,)]
    assert gradcheck.check(LOSS, normal((4, 4)), labels, vary=True).passed


def test_a_convolution_in_which_all_lengths_are_three():
    x, w = varied(CONV, normal((3, 3, 3, 3)), normal((3, 3, 3, 3)))
    assert len(set(x)) == len(set(w)) == 4
    assert x[1] == w[1]


def fails_when_varied(pair, *inputs):
    assert gradcheck.check(pair, *inputs).passed
    report = gradcheck.check(pair, *inputs, vary=True)
    assert not report.passed
    assert report.said[0].startswith("varied: x (")
    return report


def wrong_shape(dy, saved):
    dx, dw, db = ops.linear_backward(dy, saved)
    return dx, dw.reshape(dw.shape[::-1]), db


def no_sum(dy, saved):
    dx, dw, _ = ops.linear_backward(dy, saved)
    return dx, dw, dy.reshape(-1)


def mean(dy, saved):
    dx, dw, db = ops.linear_backward(dy, saved)
    return dx, dw, db / len(dy)


def ones_of_the_wrong_length(dy, saved):
    dx, dw, _ = ops.linear_backward(dy, saved)
    return dx, dw, np.ones(dy.shape[1]) @ dy


@pytest.mark.parametrize(
    ("backward", "shapes", "told"),
    [
        (wrong_shape, [(4, 4), (4, 4), (4,)], "has the shape"),
        (no_sum, [(1, 3), (4, 3), (4,)], "has the shape (8,), expected (4,)"),
        (mean, [(1, 3), (4, 3), (4,)], "b: off by the constant factor 0.5"),
        (
            ones_of_the_wrong_length,
            [(4, 3), (4, 3), (4,)],
            "fails on the varied inputs: ",
        ),
    ],
)
def test_a_fault_that_a_shape_hides(backward, shapes, told):
    report = fails_when_varied((ops.linear, backward), *map(normal, shapes))
    text = " ".join(str(report).split())
    assert told in text
    assert report.said[0] in text


@pytest.mark.effect("gradcheck.check(vary)")
def test_faults_that_values_hide():
    square = (lambda x: (x**3, x), lambda dy, x: 3 * x * dy)
    fails_when_varied(square, RNG.integers(0, 2, (3, 4)).astype(float))
    fails_when_varied(square, np.ones((3, 4)))
    fails_when_varied((lambda x: (x * x, x), lambda dy, x: 7 * x * dy), np.zeros((3, 4)))


def test_values_stay_between_those_given():
    rng = np.random.default_rng(0)
    positive = RNG.uniform(0.1, 0.9, (5, 6))
    assert positive.min() <= redrawn(positive, rng).min()
    assert redrawn(positive, rng).max() <= positive.max()
    assert (redrawn(np.full(4, 2.0), rng) > 0).all()
    assert redrawn(np.zeros(4), rng).all()
    log = (lambda x: (np.log(x), x), lambda dy, x: dy / x)
    assert gradcheck.check(log, positive, vary=True).passed


def test_labels_masks_and_options_stay_what_they_are():
    def forward(x, labels, target, weights, options):
        z = np.exp(x)
        p = z / z.sum(axis=1, keepdims=True)
        y = -((target + weights) * np.log(p)).sum() + p[np.arange(len(p)), labels].sum()
        return y, (x, target, weights)

    def backward(dy, saved):
        return saved  # of the right shapes: no more is asked of it here

    labels = np.array([1, 3, 3, 1])
    target, weights = np.eye(4), np.full((4, 4), 0.25)
    given = normal((4, 4)), labels, target, weights, {"stride": 2}
    subject = subject_of((forward, backward), given)
    other = vary.varied(subject, np.random.default_rng(0))
    labels, target, weights, options = list(other.inputs.values())[1:]
    assert set(labels) <= {1, 3}
    assert labels.dtype == given[1].dtype
    assert target.shape == weights.shape == (3, 4)
    assert set(np.unique(target)) == {0, 1}
    np.testing.assert_allclose(target.sum(axis=1), 1)
    np.testing.assert_allclose(weights.sum(axis=1), 1)
    assert np.ptp(weights) > 0
    assert options is given[4]


def test_a_loss_of_one_hot_targets_passes():
    """p − t is the gradient where the targets of a row are 1 together, and nowhere else."""

    def forward(x, t):
        z = np.exp(x)
        p = z / z.sum(axis=1, keepdims=True)
        return -(t * np.log(p)).sum(), (p, t)

    def backward(dy, saved):
        p, t = saved
        return dy * (p - t), -dy * np.log(p)

    for t in (np.eye(4), np.full((4, 4), 0.25)):
        report = gradcheck.check((forward, backward), normal((4, 4)), t, vary=True)
        assert report.passed
        assert "0 and 1" not in str(report)


def test_what_fails_as_given_is_told_as_given():
    report = gradcheck.check((ops.linear, mean), *map(normal, [(3, 3), (4, 3), (4,)]), vary=True)
    assert not report.passed
    assert report.said == ()


def test_a_pass_says_the_shapes_and_what_is_left():
    pair = (partial(ops.conv2d, padding=1), ops.conv2d_backward)
    report = gradcheck.check(pair, normal((2, 3, 5, 5)), normal((4, 3, 3, 3)), vary=True)
    assert report.passed
    assert report.said == ("varied: x (2, 3, 4, 5), w (4, 3, 2, 5)",)
    assert all("option" in line for line in report.unseen)


@pytest.mark.parametrize("name", [name for name in EXAMPLES if not name.startswith(BLOCKS)])
def test_what_is_right_passes_on_varied_inputs(name):
    example = EXAMPLES[name](np.random.default_rng(0))
    gradcheck.assert_gradients(
        example.subject, *example.inputs, training=example.training, vary=True, sample=10
    )


def test_the_same_generator_gives_the_same_varied_report():
    x, w, b = normal((4, 4)), normal((4, 4)), normal(4)
    one, two = (
        str(gradcheck.check(LINEAR, x, w, b, vary=True, rng=np.random.default_rng(1)))
        for _ in range(2)
    )
    assert one == two


def softmax_loss(x, labels):
    p = np.exp(x - x.max(axis=1, keepdims=True))
    p /= p.sum(axis=1, keepdims=True)
    return -np.log(p[np.arange(len(p)), labels]).mean(), (p, labels)


def softmax_loss_backward(dy, saved):
    p, labels = saved
    dx = p.copy()
    dx[np.arange(len(labels)), labels] -= 1  # with too few labels it runs, and is wrong
    return dy * dx / len(labels)


def loss_of_pairs(x, labels):
    """A loop that ends with the shorter of the two."""
    rows = [np.exp(row) / np.exp(row).sum() for row, _ in zip(x, labels, strict=False)]
    return -sum(np.log(row[k]) for row, k in zip(rows, labels, strict=False)), (rows, labels)


def loss_of_pairs_backward(dy, saved):
    rows, labels = saved
    dx = np.array(rows)
    for n, label in enumerate(labels):
        dx[n, label] -= 1
    return dy * dx


def row_bias(b, x, w):
    return x @ w + b, (x, w)


def row_bias_backward(dy, saved):
    x, w = saved
    return dy.sum(axis=0, keepdims=True), dy @ w.T, x.T @ dy


def attention(q, k, v):
    scores = np.exp(q @ k.T / np.sqrt(q.shape[1]))
    p = scores / scores.sum(axis=1, keepdims=True)
    return p @ v, (q, k, v, p)


def attention_backward(dy, saved):
    q, k, v, p = saved
    dp = dy @ v.T
    ds = p * (dp - (dp * p).sum(axis=1, keepdims=True)) / np.sqrt(q.shape[1])
    return ds @ k, ds.T @ q, p.T @ dy


def gates(x, h, c, wx, wh):
    """Two gates of H numbers each, side by side, as in an LSTM."""
    size = h.shape[1]
    a = np.tanh(x @ wx + h @ wh)
    f, g = a[:, :size], a[:, size:]
    return f * c + g, (x, h, c, wx, wh, a, f)


def gates_backward(dy, saved):
    x, h, c, wx, wh, a, f = saved
    da = np.hstack([dy * c, dy]) * (1 - a**2)
    return da @ wx.T, da @ wh.T, dy * f, x.T @ da, h.T @ da


RIGHT = {
    "labels": (
        (softmax_loss, softmax_loss_backward),
        lambda n: (normal((n, n)), RNG.integers(0, n, n)),
    ),
    "pairs": (
        (loss_of_pairs, loss_of_pairs_backward),
        lambda n: (normal((n, n)), RNG.integers(0, n, n)),
    ),
    "row bias": (
        (row_bias, row_bias_backward),
        lambda n: (normal((1, n)), normal((n, n)), normal((n, n))),
    ),
    "attention": (
        (attention, attention_backward),
        lambda n: (normal((n, n)), normal((n, n)), normal((n, n))),
    ),
    "gates": (
        (gates, gates_backward),
        lambda n: (*(normal((n, n)) for _ in range(3)), normal((n, 2 * n)), normal((n, 2 * n))),
    ),
    "inverse": (
        (lambda x: (np.linalg.inv(x),) * 2, lambda dy, y: -y.T @ dy @ y.T),
        lambda n: (normal((n, n)) + 3 * np.eye(n),),
    ),
}


@pytest.mark.parametrize("n", [1, 3, 4])
@pytest.mark.parametrize("name", RIGHT)
def test_right_code_of_all_kinds_passes_where_every_axis_is_as_long(name, n):
    pair, inputs = RIGHT[name]
    gradcheck.assert_gradients(pair, *inputs(n), vary=True)


def test_a_bias_of_one_row_does_not_hide_a_fault():
    def wrong(dy, saved):
        db, dx, dw = row_bias_backward(dy, saved)
        return db, dx, dw.reshape(dw.shape[::-1])

    b, x, w = normal((1, 4)), normal((4, 4)), normal((4, 4))
    assert gradcheck.check((row_bias, wrong), b, x, w).passed
    assert not gradcheck.check((row_bias, wrong), b, x, w, vary=True).passed


def test_one_label_follows_its_one_sample():
    pair = RIGHT["labels"][0]
    assert varied(pair, normal((1, 3)), np.array([2])) == [(2, 3), (2,)]


@pytest.mark.parametrize("seed", range(12))
def test_what_one_key_makes_0_is_not_forgotten(seed):
    rng = np.random.default_rng(seed)
    one, two = (
        gradcheck.check(
            RIGHT["attention"][0],
            rng.standard_normal((2, 3)),
            rng.standard_normal((n, 3)),
            rng.standard_normal((n, 3)),
        )
        for n in (1, 2)
    )
    assert any("gradient of q, k is 0" in line for line in one.unseen)
    assert not any("does not use" in line for line in (*one.unseen, *two.unseen))
