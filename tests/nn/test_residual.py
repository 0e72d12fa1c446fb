from functools import partial

import numpy as np
import pytest

from minise import InputError, nn
from minise.gradcheck import assert_gradients

F64 = {"dtype": np.float64}
SE = partial(nn.SEBlock, reduction=2, **F64)


@pytest.fixture
def x():
    return np.random.default_rng(0).standard_normal((2, 4, 5, 5))


@pytest.mark.parametrize("placement", [None, *nn.PLACEMENTS])
def test_a_block_whose_branch_is_silent_is_relu_of_its_shortcut(x, placement):
    options = {} if placement is None else {"se": SE, "placement": placement}
    for block in (
        nn.Residual(4, 4, **options, **F64),
        nn.Bottleneck(4, 4, width=2, **options, **F64),
    ):
        last = block.bn3 if isinstance(block, nn.Bottleneck) else block.bn2
        last.weight.value[:] = 0
        expected = block.se(x) if placement == "identity" else x
        expected = np.maximum(expected, 0)
        expected = block.se(expected) if placement == "post" else expected
        np.testing.assert_allclose(block(x), expected)


@pytest.mark.parametrize(
    ("placement", "channels"),
    [("standard", 8), ("pre", 4), ("post", 8), ("identity", 8), ("3x3", 6)],
)
def test_the_se_block_has_the_channels_of_its_place(placement, channels):
    block = nn.Bottleneck(4, 8, 2, width=6, se=SE, placement=placement, **F64)
    assert block.se.fc2.weight.value.shape[0] == channels


@pytest.mark.parametrize("stride_first", [True, False])
def test_the_stride_is_that_of_the_first_or_of_the_3x3_convolution(stride_first):
    block = nn.Bottleneck(4, 8, 2, width=4, stride_first=stride_first)
    strides = [block.conv1.stride, block.conv2.stride, block.conv3.stride]
    assert strides == ([(2, 2), (1, 1), (1, 1)] if stride_first else [(1, 1), (2, 2), (1, 1)])


def test_an_unknown_placement_is_one_clear_error():
    with pytest.raises(
        InputError, match="Bottleneck: unknown placement 'prae': did you mean 'pre'"
    ):
        nn.Bottleneck(4, 4, width=2, placement="prae")


def test_the_state_is_listed_in_forward_order():
    names = list(nn.Residual(4, 8, 2, se=SE).state_dict())
    parts = list(dict.fromkeys(name.split(".")[0] for name in names))
    assert parts == ["conv1", "bn1", "conv2", "bn2", "se", "shortcut"]


def test_a_subclass_of_the_block_that_does_more_than_scale_does_it():
    class Twice(nn.SEBlock):
        def forward(self, x, training=True):
            y, backward = super().forward(x, training)
            return 2 * y, lambda dy: backward(2 * dy)

    rng = np.random.default_rng(0)
    x = rng.standard_normal((2, 4, 6, 6))
    plain, twice = (
        nn.Residual(4, 4, se=partial(kind, reduction=2, **F64), **F64)
        for kind in (nn.SEBlock, Twice)
    )
    twice.load_state_dict(plain.state_dict())
    assert not np.allclose(plain.predict(x), twice.predict(x))
    assert_gradients(twice, x, training=False)
