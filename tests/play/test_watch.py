"""What is seen of a pass is what the pass computed, in every net."""

import copy

import numpy as np
import playing
import pytest

from minise import InputError, backend, nn, ops
from minise.arrays import asnumpy
from minise.play.changes import Change
from minise.play.watch import Nudge, Watcher

NETS = pytest.mark.parametrize("name", playing.NAMES)
LABEL = 2


def image(dtype=np.float32):
    return (
        np.random.default_rng(5).standard_normal((1, 1, playing.SIDE, playing.SIDE)).astype(dtype)
    )


def both(net, **options):
    watched = Watcher(net).watch(image(net.parameters()[0].value.dtype), **options)
    watched.backward(LABEL)
    return watched


def loss_of(net, watcher, x, nudge=None, **options):
    scores = watcher.watch(x, nudge=nudge, **options).scores
    return float(ops.softmax_cross_entropy(scores, np.array([LABEL]))[0])


@NETS
def test_scores_and_gradients_are_those_of_the_net(each_backend, name):
    net = nn.layer.moved(playing.nets()[name])
    ordinary = copy.deepcopy(net)
    watched = both(net)
    x = backend.asarray(image())
    y, backward = ordinary.forward(x, training=False)
    assert watched.scores.tobytes() == asnumpy(y).tobytes() == asnumpy(net(x)).tobytes()
    _, saved = ops.softmax_cross_entropy(y, backend.asarray(np.array([LABEL])))
    backward(ops.softmax_cross_entropy_backward(1.0, saved))
    for ours, theirs in zip(net.parameters(), ordinary.parameters(), strict=True):
        assert asnumpy(ours.grad).tobytes() == asnumpy(theirs.grad).tobytes()


@NETS
def test_the_two_paths_into_a_block_sum_to_dx(each_backend, name):
    watched = both(nn.layer.moved(playing.nets()[name]))
    for block in watched.blocks.values():
        assert block.dx.shape == block.x.shape
        size = np.abs(block.scaled).max() + np.abs(block.squeezed).max()
        np.testing.assert_allclose(
            block.scaled + block.squeezed, block.dx, rtol=0, atol=1e-6 * size
        )
        s = block.s if block.gates_pixels else block.s[:, :, None, None]
        np.testing.assert_allclose(block.scaled, s * block.dy, rtol=1e-6, atol=1e-7 * size)
        summed = (block.x * block.dy).sum(axis=(2, 3)) if block.ds.ndim == 2 else block.x * block.dy
        if block.ds.ndim == 4 and block.ds.shape[1] == 1:
            summed = summed.sum(axis=1, keepdims=True)
        np.testing.assert_allclose(block.ds, summed, rtol=1e-4, atol=1e-5 * np.abs(block.ds).max())


@NETS
def test_every_gradient_of_a_layer_is_that_of_differences(name):
    net = playing.nets(np.float64)[name]
    watcher, x = Watcher(net), image(np.float64)
    watched = watcher.watch(x)
    watched.backward(LABEL)
    rng = np.random.default_rng(0)
    layers = [layer for layer in watched.shown() if layer.name in watched.parts]
    assert len(layers) >= 4
    for layer in layers:
        for _ in range(3):
            entry = tuple(int(rng.integers(n)) for n in layer.dy.shape[1:])
            down, up = (
                loss_of(net, watcher, x, Nudge(layer.name, entry, step)) for step in (-1e-6, 1e-6)
            )
            said = layer.dy[(0, *entry)]
            assert abs((up - down) / 2e-6 - said) < 1e-7, (layer.name, entry)


@NETS
def test_each_layer_that_computes_is_shown_once_in_order(name):
    net = playing.nets()[name]
    watched = both(net)
    shown = list(watched.shown())
    assert len({layer.name for layer in shown}) == len(shown)
    assert {b.name for b in shown if b.name in watched.blocks} == set(watched.blocks)
    assert shown[0].name == "conv"
    assert shown[-1].name == "fc"
    assert shown[-1].y is watched.scores
    if name == "standard":
        assert [layer.name for layer in shown] == [
            "conv", "block.conv1", "block.bn1", "block.conv2", "block.bn2", "block.se", "block",
            "pool", "fc",
        ]  # fmt: skip
    if name == "twice":
        assert [layer.name for layer in shown[2:6]] == ["se.conv", "se.se", "se.conv#2", "se.se#2"]
    if name == "concurrent max":
        assert [layer.name for layer in shown[2:5]] == ["se.channel", "se.spatial", "se"]


def test_a_layer_that_is_used_twice_has_two_gradients():
    watched = both(playing.nets()["twice"])
    first, second = watched.blocks["se.se"], watched.blocks["se.se#2"]
    assert not np.array_equal(first.s, second.s)
    assert not np.array_equal(first.dx, second.dx)
    np.testing.assert_array_equal(watched.parts["se.conv#2"].dy, second.dx)
    np.testing.assert_array_equal(watched.parts["se.conv"].dy, first.dx)
    changed = both(playing.nets()["twice"], changes={"se.se#2": Change(gates={0: 0.0})})
    np.testing.assert_array_equal(changed.blocks["se.se"].s, first.s)
    assert changed.blocks["se.se#2"].s[0, 0] == 0


class Identity(nn.Layer):
    """An SE block that does nothing."""

    def forward(self, x, training=True):
        return x, lambda dy: dy


@pytest.mark.parametrize("name", [n for n in playing.NAMES if n not in ("twice", "concurrent add")])
def test_with_all_blocks_off_a_net_is_one_without_them(name):
    net = playing.nets()[name]
    off = both(net, changes={n: Change(off=True) for n in Watcher(net).watch(image()).blocks})
    plain = playing.nets()[name]
    for layer in [layer for _, layer in plain.named_layers()]:
        for child_name, child in layer.children():
            if child.is_se:
                setattr(layer, child_name, Identity())
    watched = both(plain)
    np.testing.assert_allclose(off.scores, watched.scores, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(off.parts["conv"].dy, watched.parts["conv"].dy, rtol=1e-4, atol=1e-6)
    for block in off.blocks.values():
        assert (block.s == 1).all()
        assert not block.squeezed.any()
        np.testing.assert_array_equal(block.scaled, block.dx)


def test_gates_are_moved_one_over_those_of_a_class_over_off():
    net = playing.nets()["se"]
    own = both(net).blocks["se"].s[0]
    means = {"se": np.array([[0.1, 0.2, 0.3, 0.4], [np.nan] * 4])}
    change = Change(like=0, gates={1: -2.0})
    block = both(net, changes={"se": change}, means=means).blocks["se"]
    np.testing.assert_allclose(block.s, [[0.1, -2, 0.3, 0.4]], rtol=1e-6)
    np.testing.assert_array_equal(block.own[0], own)
    assert not block.dz.any()  # none depends on x any more
    assert block.ds.any()  # but the loss does on them
    off = both(net, changes={"se": Change(off=True, like=0, gates={1: -2.0})}, means=means)
    assert off.blocks["se"].s.tolist() == [[1, -2, 1, 1]]
    one = both(net, changes={"se": Change(gates={2: 0.5})}).blocks["se"]
    np.testing.assert_array_equal(np.delete(one.s[0], 2), np.delete(own, 2))
    assert one.dz.any()
    for wrong, message in (
        (Change(like=1), "gates: there are no mean gates of class 1"),
        (Change(like=2), "gates: there are no mean gates of class 2"),
        (Change(gates={4: 1.0}), "gates: channel 4, of 0 to 3"),
    ):
        with pytest.raises(InputError, match=message):
            both(net, changes={"se": wrong}, means=means)
    with pytest.raises(InputError, match="there is no block 'conv'"):
        both(net, changes={"conv": Change(off=True)})


def test_the_gradient_with_moved_gates_is_that_of_a_net_with_these():
    class Fixed(nn.Layer):
        def forward(self, x, training=True):
            return np.array([[0.3, 0.0, 1.0, 2.0]], x.dtype), lambda ds: np.zeros_like(ds)

    net = playing.nets()["se"]
    change = Change(gates={0: 0.3, 1: 0.0, 2: 1.0, 3: 2.0})
    moved = both(net, changes={"se": change})
    other = playing.nets()["se"]
    other.se.gate = Fixed()
    expected = both(other)
    assert moved.scores.tobytes() == expected.scores.tobytes()
    np.testing.assert_array_equal(moved.parts["conv"].dy, expected.parts["conv"].dy)


@pytest.mark.parametrize("squeeze", ["avg", "max", "avg+max"])
@pytest.mark.parametrize("name", ["se", "standard", "eca", "effective", "gather-excite"])
def test_an_exchanged_squeeze_is_that_of_a_net_made_with_it(name, squeeze):
    net = playing.nets()[name]
    block = next(iter(Watcher(net).watch(image()).blocks))
    changed = both(net, changes={block: Change(squeeze=squeeze)})
    made = playing.nets()[name]
    dict(made.named_layers())[block].squeeze = nn.se.SQUEEZES[squeeze]()
    expected = both(made)
    assert changed.scores.tobytes() == expected.scores.tobytes()
    np.testing.assert_array_equal(changed.blocks[block].dx, expected.blocks[block].dx)
    assert type(dict(net.named_layers())[block].squeeze) is nn.GlobalAvgPool


def test_gates_of_pixels_can_only_be_off():
    net = playing.nets()["spatial"]
    for change in (Change(like=0), Change(gates={0: 0.5}), Change(squeeze="max")):
        with pytest.raises(InputError, match="those of pixels can be all 1"):
            both(net, changes={"se": change})


def test_a_loss_of_nothing_has_no_sign():
    net = playing.nets()["se"]
    net.fc.bias.value[LABEL] = 1e6
    assert str(both(net).loss) == "0.0"


def test_a_nudge_of_what_there_is_not_is_not_passed_over():
    with pytest.raises(AssertionError, match="nothing is called 'none'"):
        Watcher(playing.nets()["se"]).watch(image(), nudge=Nudge("none", (0,), 1.0))


def test_what_is_no_net_for_classes_is_told():
    with pytest.raises(InputError, match=r"gives \(1, 4, 6, 6\) for one image, expected scores"):
        Watcher(nn.Conv2d(1, 4, 3, padding=1)).watch(image())


class HalfABlock(nn.Layer):
    """What says that it gates channels, but does not show its gates."""

    is_se = scales = gates_channels = True

    def __init__(self, channels, **_):
        self.inner = nn.ReLU()

    def forward(self, x, training=True):
        return self.inner.forward(x, training)


def test_a_block_whose_gates_cannot_be_seen_is_a_layer_like_others():
    watched = both(playing.net_with(HalfABlock))
    assert not watched.blocks
    assert "se.inner" in [layer.name for layer in watched.shown()]


class AddsItself(nn.SEBlock):
    """A block of one's own, that adds the two paths in its backward."""

    def forward(self, x, training=True):
        s, gates_backward = self.gates(x, training)
        y, saved = ops.channel_scale(x, s)

        def backward(dy):
            dx, ds = ops.channel_scale_backward(dy, saved)
            return dx + gates_backward(ds)

        return y, backward


def test_a_block_that_adds_the_paths_itself_shows_both():
    def made(block):
        return playing.net_with(lambda channels, **rest: block(channels, 2, **rest))

    ours, usual = both(made(AddsItself)).blocks["se"], both(made(nn.SEBlock)).blocks["se"]
    for name in ("scaled", "squeezed", "dx", "dy", "ds"):
        np.testing.assert_allclose(getattr(ours, name), getattr(usual, name), rtol=1e-4, atol=1e-7)


class Doubled(nn.SEBlock):
    """A block of one's own, whose output is 2s · x."""

    def forward(self, x, training=True):
        s, gates_backward = self.gates(x, training)
        y, saved = ops.channel_scale(x, 2 * s)

        def backward(dy):
            dx, ds = ops.channel_scale_backward(dy, saved)
            return dx + gates_backward(2 * ds)

        return y, backward


def test_a_block_with_another_output_than_scaled_x_shows_no_wrong_number():
    net = playing.net_with(lambda channels, **rest: Doubled(channels, 2, **rest))
    block = both(net).blocks["se"]
    np.testing.assert_allclose(block.y, 2 * block.s[:, :, None, None] * block.x, rtol=1e-6)
    assert not block.scales
    assert block.scaled is block.squeezed is None
    assert block.dx.any()
    assert block.ds.any()
