import numpy as np
import pytest

from minise import nn, train
from minise.data import Split

PIXELS = np.array([[51, 0, 102], [0, 153, 51], [204, 0, 0], [0, 0, 255], [102, 51, 0]], np.uint8)
LABELS = np.array([2, 1, 1, 2, 1])  # the third and the last are missed


@pytest.mark.usefixtures("each_backend")
@pytest.mark.parametrize(("batch_size", "batches"), [(1, [1] * 5), (3, [3, 2]), (256, [5])])
@pytest.mark.effect(
    "train.evaluate(net)", "train.evaluate(split)", "train.evaluate(mean)", "train.evaluate(std)",
    "train.evaluate(batch_size)",
)  # fmt: skip
def test_loss_accuracy_and_probabilities_are_those_of_the_images_by_hand(batch_size, batches):
    sizes, rng = [], np.random.default_rng(0)  # it drops nothing in a test

    def watch(name, layer, x, training):
        sizes.append(len(x))
        return layer.forward(x, training)

    relu, drop = nn.ReLU(), nn.Dropout(0.5, rng=rng)  # a softmax alone would not see the mean
    net = nn.Sequential(flatten=nn.Flatten(), relu=relu, drop=drop)
    split = Split(PIXELS[:, None, None], LABELS)  # images (N, 1, 1, 3)
    test = train.evaluate(nn.observed(net, watch), split, mean=0.2, std=0.1, batch_size=batch_size)
    assert sizes[::4] == batches  # of the net and its three layers
    e = np.exp(np.maximum((PIXELS / 255 - 0.2) / 0.1, 0))
    p = e / e.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(test.probabilities, p, rtol=2e-5)
    assert test.loss == pytest.approx(-np.log(p[range(5), LABELS]).mean(), rel=1e-5)
    assert test.accuracy == 3 / 5
