import numpy as np
import pytest

from minise import InputError, nn


@pytest.fixture
def x():
    return np.random.default_rng(0).standard_normal((2, 8, 4, 3)).astype(np.float32)


def test_no_squeeze_of_a_map_of_one_pixel_is_an_se_block(x):
    block, relative = nn.SEBlock(8, 2), nn.NoSqueeze(8, 2)
    relative.load_state_dict(block.state_dict())
    pixel = x[:, :, :1, :1]
    np.testing.assert_allclose(relative(pixel), block(pixel), rtol=1e-5)


def test_of_two_merged_blocks_the_larger_is_given_or_their_sum(x):
    largest = nn.ConcurrentSE(8, 2)
    total = nn.ConcurrentSE(8, 2, merge="add")
    total.load_state_dict(largest.state_dict())
    channel, spatial = largest.channel(x), largest.spatial(x)
    np.testing.assert_array_equal(largest(x), np.maximum(channel, spatial))
    np.testing.assert_array_equal(total(x), channel + spatial)


@pytest.mark.parametrize(("channels", "size"), [(8, 3), (64, 3), (128, 5), (512, 5), (1, 1)])
def test_eca_looks_at_as_many_channels_as_its_paper_says(channels, size):
    assert nn.ECA(channels).conv.weight.value.shape == (1, 1, size, 1)


def test_the_gate_of_gather_excite_is_the_sigmoid_of_the_mean(x):
    gates = 1 / (1 + np.exp(-x.mean(axis=(2, 3), keepdims=True)))
    np.testing.assert_allclose(nn.GatherExcite()(x), x * gates, rtol=1e-5)
    assert nn.GatherExcite().parameters() == []


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: nn.ECA(8, 4), "kernel_size is 4, expected an odd number"),
        (lambda: nn.ConcurrentSE(8, 2, merge="mx"), "unknown merge 'mx': did you mean 'max'"),
        (lambda: nn.NoSqueeze(8, 16), "leaves no hidden unit for 8 channels"),
        (lambda: nn.NoSqueeze(8, gate="soft"), "unknown gate 'soft'"),
    ],
)
def test_bad_options_are_one_clear_error(make, message):
    with pytest.raises(InputError, match=message):
        make()
