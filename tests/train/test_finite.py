import numpy as np
import pytest

from minise import nn
from minise.train.finite import all_finite, first_not_finite


def net(**patches):
    rng = np.random.default_rng(0)
    made = nn.Sequential(
        conv=nn.Conv2d(1, 4, 3, padding=1, rng=rng),
        relu=nn.ReLU(),
        se=nn.SEBlock(4, 2, rng=rng),
        flatten=nn.Flatten(),
        fc=nn.Linear(4 * 9, 3, rng=rng),
    )
    for name, value in patches.items():
        dict(made.named_parameters())[name.replace("_", ".")].value.flat[0] = value
    return made


X = np.random.default_rng(1).standard_normal((2, 1, 3, 3)).astype(np.float32)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_gradient_that_is_not_finite_is_noticed_wherever_it_is(value):
    parameters = net().parameters()
    assert all_finite(parameters)
    for parameter in parameters:
        parameter.grad.flat[-1] = value
        assert not all_finite(parameters)
        parameter.grad.flat[-1] = 1e30  # whose square is no float32
        assert all_finite(parameters)


@pytest.mark.parametrize(
    ("patch", "found"),
    [
        ({"conv_weight": np.inf}, "conv (Conv2d), forward"),
        ({"se_fc1_weight": np.nan}, "se.fc1 (Linear), forward"),
        ({"fc_bias": np.nan}, "fc (Linear), forward"),
    ],
)
def test_the_layer_is_named_in_which_it_began(patch, found):
    assert first_not_finite(net(**patch), X, np.ones((2, 3), np.float32)) == found


def test_backward_is_looked_at_as_well():
    dscores = np.ones((2, 3), np.float32)
    assert first_not_finite(net(), X, dscores) is None
    dscores[0, 0] = np.nan
    assert first_not_finite(net(), X, dscores) == "fc (Linear), backward"
