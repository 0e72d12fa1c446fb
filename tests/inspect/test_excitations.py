from functools import partial

import numpy as np
import pytest

from minise import InputError, inspect, models, nn


@pytest.fixture
def x():
    return np.random.default_rng(0).standard_normal((5, 1, 28, 28)).astype(np.float32)


def test_each_block_shows_what_it_does(x):
    net = models.create("se-cnn", seed=1)
    seen = inspect.excitations(net, x)
    assert list(seen) == ["se1", "se2"]
    relu1 = net.relu1(net.conv1(x))
    np.testing.assert_allclose(seen["se1"].before, relu1, rtol=1e-6)
    np.testing.assert_allclose(seen["se1"].squeezed, relu1.mean(axis=(2, 3)), rtol=1e-5)
    np.testing.assert_allclose(seen["se1"].gates, net.se1.gates(relu1, False)[0], rtol=1e-6)
    np.testing.assert_allclose(seen["se1"].after, net.se1(relu1), rtol=1e-6)


BLOCKS = {
    "SEBlock": partial(nn.SEBlock, reduction=2),
    "SEBlock, max": partial(nn.SEBlock, reduction=2, squeeze="max", gate="tanh"),
    "ECA": nn.ECA,
    "GatherExcite": lambda channels: nn.GatherExcite(),
}


@pytest.mark.parametrize("name", BLOCKS)
@pytest.mark.parametrize("placement", nn.PLACEMENTS)
def test_a_block_in_any_place_of_a_residual_block_is_seen(name, placement):
    x = np.random.default_rng(0).standard_normal((3, 4, 5, 6)).astype(np.float32)
    net = nn.Sequential(first=nn.Residual(4, 8, 2, se=BLOCKS[name], placement=placement))
    (block, seen), *others = inspect.excitations(net, x).items()
    assert (block, others) == ("first.se", [])
    np.testing.assert_allclose(net.first.se(seen.before), seen.after, rtol=1e-6)
    channels = 4 if placement == "pre" else 8
    assert seen.squeezed.shape == seen.gates.shape == (3, channels)


def test_a_block_alone_is_seen_under_the_empty_name():
    x = np.ones((2, 4, 3, 3), np.float32)
    (name,) = inspect.gates(nn.SEBlock(4, 2), x)
    assert name == ""


def test_the_channels_of_a_concurrent_block_are_seen():
    x = np.ones((2, 4, 3, 3), np.float32)
    assert list(inspect.gates(nn.Sequential(nn.ConcurrentSE(4, 2)), x)) == ["0.channel"]


@pytest.mark.parametrize(
    "name", ["se-resnet8", "se-inception-tiny", "se-mobilenet-tiny", "se-vgg-tiny"]
)
def test_every_block_of_a_net_is_seen_and_the_net_stays_as_it_is(x, name):
    net = models.create(name)
    before, scores = net.state_dict(), net(x)
    found = inspect.gates(net, x)
    blocks = {n.removesuffix(".fc1.weight") for n in before if n.endswith(".fc1.weight")}
    assert set(found) == blocks
    assert all(np.array_equal(value, before[key]) for key, value in net.state_dict().items())
    np.testing.assert_array_equal(net(x), scores)


def test_batches_make_no_difference(x):
    net = models.create("se-cnn")
    whole, apart = inspect.gates(net, x), inspect.gates(net, x, batch_size=2)
    for name in whole:
        np.testing.assert_allclose(apart[name], whole[name], rtol=1e-5)
        assert whole[name].dtype == np.float32


def test_what_cannot_be_looked_into_is_one_clear_error(x):
    with pytest.raises(InputError, match="has no SE block to look into"):
        inspect.gates(models.create("cnn"), x)
    with pytest.raises(InputError, match="x has no image"):
        inspect.gates(models.create("se-cnn"), x[:0])
    with pytest.raises(InputError, match=r"labels have shape \(3,\), expected \(2,\)"):
        inspect.by_class(np.zeros((2, 4)), np.zeros(3, int))


def test_classes_have_the_mean_and_deviation_of_their_own_images():
    s = np.array([[0.1, 0.5], [0.3, 0.5], [0.9, 0.7]])
    found = inspect.by_class(s, np.array([0, 0, 2]))
    np.testing.assert_allclose(found.mean, [[0.2, 0.5], [np.nan] * 2, [0.9, 0.7]])
    np.testing.assert_allclose(found.deviation, [[0.1, 0], [np.nan] * 2, [0, 0]], atol=1e-15)
