import numpy as np
import pytest

from minise import InputError, nn, ops


@pytest.mark.parametrize(
    ("arguments", "options", "weights", "size"),
    [
        ((4, 6, 1), {}, (6, 4, 1, 1), (5, 8)),
        ((4, 6, 3), {}, (6, 4, 3, 3), (5, 8)),
        ((4, 6, 5, 2), {}, (6, 4, 5, 5), (3, 4)),
        ((4, 4, 3, 2), {"groups": 4}, (4, 1, 3, 3), (3, 4)),
    ],
)
def test_a_unit_is_relu_of_the_norm_of_a_convolution(arguments, options, weights, size):
    x = np.random.default_rng(0).standard_normal((3, 4, 5, 8))
    unit = nn.conv_norm_act(*arguments, **options, dtype=np.float64)
    unit.bn.running_mean.value[...], unit.bn.bias.value[...] = 0.5, 0.25
    assert unit.conv.weight.value.shape == weights
    stride = arguments[3] if len(arguments) > 3 else 1
    z, _ = ops.conv2d(
        x, unit.conv.weight.value, stride=stride, padding=weights[2] // 2, **options
    )  # without a bias
    y = unit(x)
    np.testing.assert_allclose(y, np.maximum((z - 0.5) / np.sqrt(1 + 1e-5) + 0.25, 0))
    assert y.shape == (3, weights[0], *size)
    assert list(dict(unit.children())) == ["conv", "bn"]
    assert isinstance(unit.bn, nn.BatchNormReLU2d)


@pytest.mark.parametrize("activation", list(nn.ACTIVATIONS))
def test_any_activation_follows_the_norm(activation):
    x = np.random.default_rng(0).standard_normal((5, 4, 5, 8))
    unit = nn.conv_norm_act(
        4, 6, 3, activation=activation, eps=0.1, momentum=0.25, dtype=np.float64
    )
    assert (unit.bn.eps, unit.bn.momentum) == (0.1, 0.25)
    norm = nn.BatchNorm2d(6, 0.1, 0.25, dtype=np.float64)
    z, _ = unit.conv.forward(x)
    for training in (True, False):  # evaluation with the statistics of the training
        y, _ = unit.forward(x, training)
        expected = nn.ACTIVATIONS[activation]()(norm.forward(z, training)[0])
        np.testing.assert_allclose(y, expected, rtol=1e-12, atol=1e-12)


def test_an_activation_is_a_layer_of_its_own_where_it_is_not_relu():
    def parts(activation):
        return list(dict(nn.conv_norm_act(4, 6, 3, activation=activation).children()))

    assert parts("silu") == ["conv", "bn", "act"]
    assert parts("none") == parts("relu") == ["conv", "bn"]
    with pytest.raises(InputError, match=r"^conv_norm_act: activation 'swish' is called 'silu'"):
        parts("swish")


def test_an_even_kernel_would_not_keep_the_size():
    with pytest.raises(InputError, match="kernel_size is 4, expected an odd number"):
        nn.conv_norm_act(4, 6, 4)
