import numpy as np
import pytest
from onnx_runtimes import with_statistics

from minise import models
from minise.export import largest_difference, onnx_model


def images(N, *shape):
    return np.random.default_rng(0).standard_normal((N, *shape)).astype(np.float32)


def test_the_difference_is_a_share_of_the_largest_score():
    net = models.create("se-cnn")
    model = onnx_model(net, (1, 28, 28), pixels=None)
    x = images(2, 1, 28, 28)
    assert largest_difference(model, net, x, pixels=None) < 1e-9
    net.fc.weight.value *= 2
    assert largest_difference(model, net, x, pixels=None) == pytest.approx(0.5)
    net.fc.weight.value[...] = np.nan
    assert np.isnan(largest_difference(model, net, x, pixels=None))


def test_the_difference_of_a_deep_net_is_none_of_rounding():
    net = with_statistics(models.create("se-resnet56"))
    x = images(1, 3, 8, 8)
    for keep_names, rounding in ((True, 1e-9), (False, 1e-6)):  # folded weights are float32 again
        model = onnx_model(net, (3, 8, 8), pixels=None, keep_names=keep_names)
        assert largest_difference(model, net, x, pixels=None) < rounding
