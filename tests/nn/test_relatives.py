from functools import partial
from inspect import signature

import numpy as np
import pytest

from minise import InputError, nn


@pytest.fixture
def x():
    return np.random.default_rng(0).standard_normal((2, 8, 4, 3)).astype(np.float32)


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def test_no_squeeze_is_an_se_block_of_every_pixel(x):
    block, relative = nn.SEBlock(8, 2), nn.NoSqueeze(8, 2)
    for parameter in block.parameters():
        parameter.value += 0.1
    relative.load_state_dict(block.state_dict())
    pixels = x.transpose(0, 2, 3, 1).reshape(-1, 8, 1, 1)  # each an image of its own
    expected = block(pixels).reshape(2, 4, 3, 8).transpose(0, 3, 1, 2)
    np.testing.assert_allclose(relative(x), expected, rtol=1e-5)


def test_the_gate_of_a_pixel_is_the_sigmoid_of_its_weighed_channels(x):
    block = nn.SpatialSE(8)
    block.conv.bias.value[...] = 0.3
    g = np.tensordot(block.conv.weight.value[0, :, 0, 0], x, (0, 1)) + 0.3  # (N, H, W)
    np.testing.assert_allclose(block(x), x * sigmoid(g)[:, None], rtol=1e-5)


def test_the_gate_of_eca_weighs_the_means_of_neighbouring_channels_in_their_order(x):
    block = nn.ECA(8, 3)
    block.conv.weight.value[0, 0, :, 0] = w = [1, -2, 5]
    z = np.pad(x.mean(axis=(2, 3)), [(0, 0), (1, 1)])  # (N, C + 2)
    g = w[0] * z[:, :-2] + w[1] * z[:, 1:-1] + w[2] * z[:, 2:]
    np.testing.assert_allclose(block(x), x * sigmoid(g)[:, :, None, None], rtol=1e-4)


@pytest.mark.parametrize(
    ("make", "shapes"),
    [
        (partial(nn.NoSqueeze, 8, 2), [(4, 8, 1, 1), (4,), (8, 4, 1, 1), (8,)]),
        (partial(nn.NoSqueeze, 8, 2, bias=False), [(4, 8, 1, 1), (8, 4, 1, 1)]),
        (partial(nn.NoSqueeze, 8, hidden=3, bias=False), [(3, 8, 1, 1), (8, 3, 1, 1)]),
        (partial(nn.SpatialSE, 8), [(1, 8, 1, 1), (1,)]),
        (partial(nn.SpatialSE, 8, bias=False), [(1, 8, 1, 1)]),
        (
            partial(nn.ConcurrentSE, 8, 2),
            [(4, 8), (4,), (8, 4), (8,), (1, 8, 1, 1), (1,)],
        ),
        (
            partial(nn.ConcurrentSE, 8, hidden=3, bias=False),
            [(3, 8), (8, 3), (1, 8, 1, 1)],
        ),
        (partial(nn.EffectiveSE, 8), [(8, 8), (8,)]),
        (partial(nn.EffectiveSE, 8, bias=False), [(8, 8)]),
        (partial(nn.ECA, 8), [(1, 1, 3, 1)]),
    ],
)
def test_a_relative_has_weights_of_these_shapes(make, shapes):
    assert [parameter.value.shape for parameter in make().parameters()] == shapes


def test_of_two_merged_blocks_the_larger_is_given_or_their_sum(x):
    largest = nn.ConcurrentSE(8, 2)
    total = nn.ConcurrentSE(8, 2, merge="add")
    total.load_state_dict(largest.state_dict())
    channel, spatial = largest.channel(x), largest.spatial(x)
    np.testing.assert_array_equal(largest(x), np.maximum(channel, spatial))
    np.testing.assert_array_equal(total(x), channel + spatial)


def test_where_two_merged_blocks_are_equal_the_channels_one_learns(x):
    block = nn.ConcurrentSE(8, 2)
    for parameter in block.parameters():
        parameter.value[...] = 0  # every gate is 1/2
    y, backward = block.forward(x)
    backward(np.ones_like(y))
    assert block.channel.fc2.bias.grad.all()
    assert not block.spatial.conv.weight.grad.any()


@pytest.mark.parametrize(("channels", "size"), [(8, 3), (64, 3), (128, 5), (512, 5), (1, 1)])
def test_eca_looks_at_as_many_channels_as_its_paper_says(channels, size):
    assert nn.ECA(channels).conv.weight.value.shape == (1, 1, size, 1)


@pytest.mark.parametrize("channels", [1, 4, 7, 8, 256])
def test_the_kernel_of_eca_is_not_smaller_than_asked(channels):
    usual = nn.ECA(channels).conv.weight.value.shape[2]
    size = nn.ECA(channels, smallest=3).conv.weight.value.shape[2]
    assert size == max(usual, 3)


def test_the_gate_of_effective_se_is_of_all_means_by_one_map(x):
    for gate, function in {
        "hard_sigmoid": lambda g: np.clip(g / 6 + 0.5, 0, 1),
        "sigmoid": sigmoid,
    }.items():
        block = nn.EffectiveSE(8, gate=gate)
        block.fc.weight.value *= 3
        block.fc.bias.value[...] = 0.3
        g = x.mean(axis=(2, 3)) @ block.fc.weight.value.T + 0.3
        np.testing.assert_allclose(block(x), x * function(g)[:, :, None, None], rtol=1e-5)


OF_SE = {
    "reduction": 4,
    "rounding": "timm",
    "reduced_from": 32,
    "hidden": 3,
    "squeeze": "max",
    "activation": "silu",
    "norm": "before",
    "gate": "tanh",
    "bias": False,
    "residual": True,
}  # others than its defaults


def made_of(layer):
    """Its parts and its state, without the names of the outermost layers."""
    kinds = [type(part).__name__ for _, part in layer.named_layers()][1:]
    return kinds, [value.shape for value in layer.state_dict().values()]


def test_every_option_of_se_is_known_here():
    options = list(signature(nn.SEBlock).parameters)[1:]
    assert options == [*OF_SE, "rng", "dtype"]


@pytest.mark.parametrize("option", OF_SE)
def test_both_blocks_take_every_option_of_se(option):
    given = {option: OF_SE[option]}
    assert made_of(nn.SEBlock(16, **given)) != made_of(nn.SEBlock(16))
    assert made_of(nn.ConcurrentSE(16, **given).channel) == made_of(nn.SEBlock(16, **given))


def test_no_squeeze_takes_every_option_of_se_but_the_squeeze():
    options = signature(nn.SEBlock).parameters
    assert list(signature(nn.NoSqueeze).parameters) == [o for o in options if o != "squeeze"]
    for name, parameter in signature(nn.NoSqueeze).parameters.items():
        assert parameter.default == options[name].default


@pytest.mark.parametrize("option", [option for option in OF_SE if option != "squeeze"])
def test_an_option_makes_of_no_squeeze_what_it_makes_of_se(option):
    block, relative = (kind(16, **{option: OF_SE[option]}) for kind in (nn.SEBlock, nn.NoSqueeze))
    assert [type(part) for _, part in relative.activation.named_layers()][:1] == [
        type(part) for _, part in block.activation.named_layers()
    ][:1]
    assert made_of(relative.gate) == made_of(block.gate)
    sizes = [value.size for value in block.state_dict().values()]
    assert [value.size for value in relative.state_dict().values()] == sizes


def test_the_bias_and_the_dtype_are_those_of_both_blocks():
    block = nn.ConcurrentSE(8, 2, bias=False, dtype=np.float64)
    assert not any("bias" in name for name in block.state_dict())
    assert {value.dtype for value in block.state_dict().values()} == {np.dtype(np.float64)}


def test_the_gate_of_gather_excite_is_the_sigmoid_of_the_mean(x):
    gates = sigmoid(x.mean(axis=(2, 3), keepdims=True))
    np.testing.assert_allclose(nn.GatherExcite()(x), x * gates, rtol=1e-5)
    assert nn.GatherExcite().parameters() == []


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: nn.ECA(8, 4), "kernel_size is 4, expected an odd number"),
        (lambda: nn.ECA(0), "ECA: channels 0, expected a whole number of at least 1"),
        (lambda: nn.EffectiveSE(8, gate="soft"), "EffectiveSE: unknown gate 'soft'"),
        (lambda: nn.ConcurrentSE(8, 2, merge="mx"), "unknown merge 'mx': did you mean 'max'"),
        (
            lambda: nn.NoSqueeze(8, 16),
            "NoSqueeze: a reduction of 16 leaves no hidden unit for 8 channels",
        ),
        (lambda: nn.NoSqueeze(8, 2, gate="soft"), "NoSqueeze: unknown gate 'soft'"),
    ],
)
def test_bad_options_are_one_clear_error(make, message):
    with pytest.raises(InputError, match=message):
        make()
