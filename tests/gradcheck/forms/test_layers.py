"""Each difference is taken of the layer as it was given, whatever the last one left on it."""

import numpy as np
import pytest

from minise import gradcheck, nn
from minise.gradcheck.forms.layers import LayerWithLoss

X = np.random.default_rng(0).standard_normal((4, 6))


class Counting(nn.Layer):
    """Times the number of its calls."""

    def __init__(self):
        self.calls = 0

    def forward(self, x, training=True):
        self.calls += 1
        calls = self.calls
        return calls * x, lambda dy: calls * dy


class Listing(nn.Layer):
    """The same, in what no attribute restores."""

    def __init__(self):
        self.calls = []

    def forward(self, x, training=True):
        self.calls.append(1)
        calls = len(self.calls)
        return calls * x, lambda dy: calls * dy


class Drifting(nn.Layer):
    """A buffer that it writes into."""

    def __init__(self):
        self.mean = nn.Buffer(np.zeros(6))

    def forward(self, x, training=True):
        y = x * (1 + self.mean.value**2)
        slope = 1 + self.mean.value**2
        self.mean.value += 1
        return y, lambda dy: slope * dy


LAYERS = {
    "a number": Counting,
    "a list": Listing,
    "a buffer": Drifting,
    "a generator": lambda: nn.Dropout(0.5, rng=np.random.default_rng(3)),
}


@pytest.mark.parametrize("name", LAYERS)
def test_a_layer_is_as_it_was_given_for_each_step(name):
    subject = LayerWithLoss(LAYERS[name](), (X,), training=True, loss=None)
    first = np.array(subject.output({"x": X}))
    for _ in range(3):
        np.testing.assert_array_equal(subject.output({"x": X}), first)
    np.testing.assert_array_equal(subject.fresh().run({"x": X})[0], first)
    report = gradcheck.check(LAYERS[name](), X, habits={"inputs kept": False})
    assert all(gradient.passed for gradient in report.gradients)


def test_what_can_be_restored_is_not_copied():
    restored = {
        name: LayerWithLoss(make(), (X,), training=True, loss=None).restored is not None
        for name, make in LAYERS.items()
    }
    assert restored == {"a number": True, "a list": False, "a buffer": True, "a generator": True}
