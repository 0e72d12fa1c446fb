"""At a kink of a function with one output, as every loss is, not any slope passes."""

import numpy as np
import pytest

from minise import gradcheck

X = np.array([-1.0, 0.0, 2.0, 0.5])

# Outputs, and the gradient of x for a slope of relu.
OUTPUTS = {
    "the sum": (lambda y, x: y.sum(), lambda dy, slope: dy * slope),
    "each": (lambda y, x: y, lambda dy, slope: dy * slope),
    "the sum, and one without a kink": (
        lambda y, x: np.stack([y.sum(), x.sum()]),
        lambda dy, slope: dy[0] * slope + dy[1],
    ),
    "two with the same kink": (
        lambda y, x: np.stack([y.sum(), 2 * y.sum()]),
        lambda dy, slope: (dy[0] + 2 * dy[1]) * slope,
    ),
}


@pytest.mark.parametrize("outputs", OUTPUTS)
@pytest.mark.parametrize(
    ("at_0", "passes"), [(100, False), (2, False), (-1, False), (0, True), (0.5, True), (1, True)]
)
def test_a_slope_of_relu_at_0(outputs, at_0, passes):
    combine, pull = OUTPUTS[outputs]

    def forward(x):
        return combine(np.maximum(x, 0), x), x

    def backward(dy, x):
        return pull(dy, np.where(x == 0, at_0, x > 0))

    assert gradcheck.check((forward, backward), X).passed == passes


@pytest.mark.parametrize("seed", range(8))
def test_where_many_kinks_meet_in_a_loss_each_may_take_its_side(seed):
    """Zeros among the pixels and no bias: relus at 0, of which each may be on or off."""
    rng = np.random.default_rng(seed)
    x, w, b = rng.standard_normal((4, 6)), rng.standard_normal((6, 5)), np.zeros(5)
    x[:, :3] = 0
    x[0] = 0
    v = rng.standard_normal(5)

    def forward(x, w, b):
        h = x @ w + b
        return (np.maximum(h, 0) @ v).sum(), (x, w, h)

    def backward(dy, saved, at_0=0.0):
        x, w, h = saved
        dh = dy * v * np.where(h == 0, at_0, h > 0)
        return dh @ w.T, x.T @ dh, dh.sum(axis=0)

    assert gradcheck.check((forward, backward), x, w, b).passed
    steep = (forward, lambda dy, saved: backward(dy, saved, 50.0))
    assert not gradcheck.check(steep, x, w, b).passed
