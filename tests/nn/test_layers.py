import numpy as np
import pytest
from laws import assert_share

from minise import nn


def test_running_averages_move_by_momentum_towards_the_unbiased_variance():
    x = np.random.default_rng(0).standard_normal((4, 2, 3, 5)) * 3 + 1
    layer = nn.BatchNorm2d(2, momentum=0.25, dtype=np.float64)
    layer.forward(x)
    mean, var = x.mean(axis=(0, 2, 3)), x.var(axis=(0, 2, 3), ddof=1)
    np.testing.assert_allclose(layer.running_mean.value, 0.25 * mean)
    np.testing.assert_allclose(layer.running_var.value, 0.75 + 0.25 * var)


def test_dropout_keeps_the_mean_and_lets_evaluation_alone():
    layer = nn.Dropout(0.25, rng=np.random.default_rng(0))
    x = np.ones((100, 100), np.float32)
    y, backward = layer.forward(x)
    assert y.dtype == np.float32
    assert set(np.unique(y)) == {0, np.float32(1 / 0.75)}
    kept = y > 0
    assert_share(kept.sum(), kept.size, 0.75)
    assert_share((kept[::2] & kept[1::2]).sum(), kept.size // 2, 0.75**2)  # of two images
    assert_share((kept[:, ::2] & kept[:, 1::2]).sum(), kept.size // 2, 0.75**2)
    np.testing.assert_array_equal(backward(x), y)
    assert not np.array_equal(layer.forward(x)[0], y)
    np.testing.assert_array_equal(layer(x), x)
    with pytest.raises(ValueError, match=r"p is 1\.0"):
        nn.Dropout(1.0, rng=np.random.default_rng(0))


def test_flattening_batch_last_memory_is_a_view():
    x = np.moveaxis(np.zeros((3, 4, 5, 2)), -1, 0)
    y, backward = nn.Flatten().forward(x)
    assert y.shape == (2, 60)
    assert np.shares_memory(x, y)
    assert backward(y).shape == x.shape
    assert nn.Flatten()(x[:0]).shape == (0, 60)


def test_wrong_options_are_refused():
    with pytest.raises(ValueError, match="3 groups must divide in_channels 4"):
        nn.Conv2d(4, 6, 3, groups=3)
    with pytest.raises(ValueError, match="padding is -1"):
        nn.Conv2d(4, 6, 3, padding=-1)
    with pytest.raises(ValueError, match="more than half"):
        nn.MaxPool2d(2, padding=2)
