"""What each argument of `check` changes."""

import numpy as np
import pytest

from minise import gradcheck, nn, ops
from minise.gradcheck import Verdict

X = np.array([0.5, -1.0, 0.25, 2.0])


def tanh_off_by(error):
    """Its backward is wrong by so much, relative."""
    return ops.tanh, lambda dy, saved: (1 + error) * ops.tanh_backward(dy, saved)


@pytest.mark.effect("gradcheck.check(subject)", "gradcheck.check(inputs)")
def test_a_pair_is_checked_with_its_inputs():
    assert gradcheck.check(tanh_off_by(0), X).passed
    assert not gradcheck.check(tanh_off_by(0.01), X).passed
    product = (lambda x, w: (x * w, (x, w)), lambda dy, saved: (dy * saved[1], dy * saved[0]))
    report = gradcheck.check(product, X, X + 1)
    assert report.passed
    np.testing.assert_allclose(report["x"].analytic * X, report["w"].analytic * (X + 1))


@pytest.mark.effect("gradcheck.check(tolerance)", "gradcheck.check(method)")
@pytest.mark.parametrize(
    ("options", "tolerance"),
    [
        ({}, 1e-6),
        ({"tolerance": 1e-3}, 1e-3),
        ({"method": "complex"}, 1e-10),
        ({"method": "complex", "tolerance": 1e-4}, 1e-4),
    ],
)
def test_an_error_passes_up_to_the_tolerance(options, tolerance):
    for part, passes in ((0.9, True), (1.2, False)):
        report = gradcheck.check(tanh_off_by(part * tolerance), X, **options)
        assert report.passed == passes
        assert report.tolerance == tolerance
        assert report.method == options.get("method", "differences")


@pytest.mark.effect("gradcheck.check(step)")
@pytest.mark.parametrize("step", [0.1, 0.5])
def test_the_step_is_relative_to_the_root_mean_square(step):
    found = gradcheck.check(tanh_off_by(0), X, step=step, tolerance=0.9)["x"]
    h = step * np.sqrt((X**2).mean())
    slopes = (np.tanh(X + h) - np.tanh(X - h)) / (2 * h)
    np.testing.assert_allclose(found.numeric / found.analytic, slopes * np.cosh(X) ** 2)
    assert found.step == step


@pytest.mark.effect("gradcheck.check(sample)")
@pytest.mark.parametrize(
    ("size", "options", "compared"),
    [(4, {"sample": 4}, 4), (4, {"sample": 3}, 3), (200, {}, 200), (201, {}, 200)],
)
def test_of_more_entries_than_the_sample_some_are_drawn_and_a_direction(size, options, compared):
    found = gradcheck.check(tanh_off_by(0), np.linspace(-2, 2, size), **options)["x"]
    entries = found.entries.tolist()
    assert len(set(entries)) == compared
    assert entries == sorted(entries)
    assert found.overall is (None if compared == size else Verdict.RIGHT)


@pytest.mark.effect("gradcheck.check(rng)")
def test_entries_are_drawn_from_the_generator_and_without_one_are_the_same_each_time():
    def drawn(**options):
        report = gradcheck.check(tanh_off_by(0), np.linspace(-2, 2, 99), sample=5, **options)
        return report["x"].entries.tolist(), report["x"].analytic.tolist()

    first, again, other = (drawn(rng=np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert first == again
    assert all(a != b for a, b in zip(first, other, strict=True))
    assert drawn() == drawn()


class TwiceInTraining(nn.Layer):
    """2·x in training, x in evaluation; its backward knows of training alone."""

    def forward(self, x, training=True):
        return (2 * x if training else x + 0), lambda dy: 2 * dy


@pytest.mark.effect("gradcheck.check(training)")
def test_a_layer_is_checked_in_the_mode_that_is_asked_for():
    assert gradcheck.check(TwiceInTraining(), X).passed
    assert gradcheck.check(TwiceInTraining(), X, training=True).passed
    assert not gradcheck.check(TwiceInTraining(), X, training=False).passed


@pytest.mark.effect("gradcheck.check(loss)")
def test_a_loss_behind_a_layer_is_part_of_what_is_checked():
    net, labels = nn.Linear(4, 3, dtype=np.float64), np.array([2, 0])
    x = np.stack([X, X**2])
    right = (ops.softmax_cross_entropy, ops.softmax_cross_entropy_backward)
    report = gradcheck.check(net, x, labels, loss=right)
    assert report.passed
    p = np.exp(net(x))
    dscores = (p / p.sum(axis=1, keepdims=True) - np.eye(3)[labels]) / 2
    dy = report["bias"].analytic[0] / dscores.sum(axis=0)[0]  # one number, drawn
    np.testing.assert_allclose(report["x"].analytic, dy * dscores @ net.weight.value)
    np.testing.assert_allclose(report["weight"].analytic, dy * dscores.T @ x)
    wrong = (right[0], lambda dy, saved: 2 * right[1](dy, saved))
    assert not gradcheck.check(net, x, labels, loss=wrong).passed


@pytest.mark.effect(
    "gradcheck.assert_gradients(subject)",
    "gradcheck.assert_gradients(inputs)",
    "gradcheck.assert_gradients(options)",
)
def test_an_assertion_takes_what_a_check_takes():
    gradcheck.assert_gradients(tanh_off_by(1e-4), X, tolerance=1e-3)
    with pytest.raises(AssertionError, match="tanh: FAILED"):
        gradcheck.assert_gradients(tanh_off_by(1e-4), X)
    stateful = (ops.tanh, lambda dy, saved: dy.fill(0) or ops.tanh_backward(dy, saved))
    with pytest.raises(AssertionError, match="backward changed dy"):
        gradcheck.assert_gradients(stateful, X)


def test_a_gradient_that_was_there_before_is_none_of_the_layers():
    layer = nn.Linear(4, 3, dtype=np.float64)
    layer.weight.grad[...] = np.nan
    gradcheck.assert_gradients(layer, np.stack([X, X**2]))
    assert np.isnan(layer.weight.grad).all()
