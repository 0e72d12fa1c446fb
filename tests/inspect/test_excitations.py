from functools import partial

import numpy as np
import pytest

from minise import InputError, data, inspect, models, nn, runs


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
    "name",
    ["se-resnet8", "se-inception-tiny", "se-mobilenet-tiny", "se-efficientnet-tiny", "se-vgg-tiny"],
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


def test_a_hidden_unit_is_dead_that_is_zero_for_every_image_of_every_batch():
    block = nn.SEBlock(2, hidden=3)
    block.fc1.weight.value[...] = [[0.01, 0], [0, -1], [0, 0.01]]
    block.fc1.bias.value[...] = [0, 0, -0.07]
    x = np.ones((5, 2, 3, 3), np.float32)
    x[4, 1] = 8  # wakes the last unit alone
    (dead,) = inspect.dead_units(block, x, batch_size=2).values()
    assert dead.tolist() == [False, True, False]
    (dead,) = inspect.dead_units(block, x[:4], batch_size=2).values()
    assert dead.tolist() == [False, True, True]
    assert inspect.dead_units(nn.Sequential(nn.ECA(2)), x) == {}
    with pytest.raises(InputError, match="dead_units: x has no image"):
        inspect.dead_units(block, x[:0])


def test_the_gates_of_the_first_net_one_meets_differ_from_digit_to_digit_after_an_epoch():
    digits = data.load("sample")
    training = runs.training_of(runs.Config(epochs=1, test_at_end=True), digits)
    training.run()
    x = data.to_input(digits.test.images, training.mean, training.std)
    for dead in inspect.dead_units(training.net, x).values():
        assert dead.mean() < 0.3
    *_, last = inspect.gates(training.net, x).values()
    means = inspect.by_class(last, digits.test.labels).mean  # (K, C)
    assert means.std(axis=0).mean() > 0.06  # 0.093 to 0.111 in three seeds; of se-cnn 0 to 0.009
    assert last.min() < 0.25
    assert last.max() > 0.75


def test_what_cannot_be_looked_into_is_one_clear_error(x):
    with pytest.raises(InputError, match=r"has no SE block to look into$"):
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


def test_a_block_of_ones_own_without_the_layers_that_are_watched_is_named():
    class Own(nn.Layer):
        gates_channels = True

        def __init__(self):
            self.gate = nn.Sigmoid()

        def forward(self, x, training=True):
            return self.gate.forward(x, training)

    with pytest.raises(InputError, match=r"own \(Own\) sets gates_channels, .* called squeeze"):
        inspect.gates(nn.Sequential(own=Own()), np.ones((2, 3, 4, 4)))
