import weakref
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


def by_hand(block, x, placement):
    """The equations of minise/nn/residual.py, with the layers of the block."""

    def se_at(place, x):
        return block.se(x) if placement == place else x

    u = block.bn1(block.conv1(se_at("pre", x)))
    if isinstance(block, nn.Bottleneck):
        u = se_at("3x3", block.bn2(block.conv2(u)))
        u = block.bn3(block.conv3(u))
    else:
        u = block.bn2(block.conv2(se_at("3x3", u)))
    u = se_at("activated", np.maximum(u, 0)) if placement == "activated" else u
    r = se_at("identity", block.shortcut(x))
    return se_at("post", np.maximum(se_at("standard", u) + r, 0))


@pytest.mark.parametrize("placement", [None, *nn.PLACEMENTS])
@pytest.mark.parametrize(
    "make",
    [
        partial(nn.Residual, 4, 4),
        partial(nn.Residual, 4, 6, 2),
        partial(nn.Bottleneck, 4, 4, width=2),
        partial(nn.Bottleneck, 4, 6, 2, width=4, first_width=2, groups=2, shortcut_kernel=3),
    ],
)
def test_a_block_is_the_equations_of_its_placement(x, make, placement):
    options = {} if placement is None else {"se": SE, "placement": placement}
    block, rng = make(**options, **F64), np.random.default_rng(1)
    for name, entry in block.named_state():
        if name.endswith("running_var"):
            entry.value[...] = rng.uniform(0.5, 1.5, entry.value.shape)
        elif entry.value.ndim == 1:  # no bias or mean is 0
            entry.value += 0.3 * rng.standard_normal(entry.value.shape)
    np.testing.assert_allclose(block(x), by_hand(block, x, placement), atol=1e-12)


@pytest.mark.parametrize(
    ("make", "expected"),
    [
        (partial(nn.Residual, 4, 4), ["4×4×3×3/1", "4×4×3×3/1"]),
        (partial(nn.Residual, 4, 4, 2), ["4×4×3×3/2", "4×4×3×3/1", "4×4×1×1/2"]),
        (partial(nn.Residual, 4, 6), ["6×4×3×3/1", "6×6×3×3/1", "6×4×1×1/1"]),
        (partial(nn.Bottleneck, 4, 4, width=2), ["2×4×1×1/1", "2×2×3×3/1", "4×2×1×1/1"]),
        (
            partial(nn.Bottleneck, 4, 8, 2, width=6),
            ["6×4×1×1/1", "6×6×3×3/2", "8×6×1×1/1", "8×4×1×1/2"],
        ),
        (
            partial(nn.Bottleneck, 4, 8, 2, width=6, stride_first=True),
            ["6×4×1×1/2", "6×6×3×3/1", "8×6×1×1/1", "8×4×1×1/2"],
        ),
        (  # two groups: each of the six maps sees one of two
            partial(nn.Bottleneck, 4, 8, 2, width=6, first_width=2, groups=2, shortcut_kernel=3),
            ["2×4×1×1/1", "6×1×3×3/2", "8×6×1×1/1", "8×4×3×3/2"],
        ),
        (
            partial(nn.Bottleneck, 4, 8, width=6, shortcut_kernel=3),
            ["6×4×1×1/1", "6×6×3×3/1", "8×6×1×1/1", "8×4×1×1/1"],
        ),
    ],
)
def test_the_convolutions_of_a_block_have_these_weights_and_strides(make, expected):
    found = []
    for _, conv in make().named_layers():
        if isinstance(conv, nn.Conv2d):
            shape = conv.weight.value.shape
            found.append("×".join(map(str, shape)) + f"/{conv.stride[0]}")
            assert conv.padding == (shape[2] // 2, shape[3] // 2)
            assert conv.bias is None
    assert found == expected


@pytest.mark.parametrize("placement", nn.PLACEMENTS)
def test_a_residual_se_block_adds_its_input_in_every_place(x, placement):
    """Where gates are multiplied in together with the shortcut, they are one more."""
    se = partial(nn.SEBlock, reduction=2, residual=True, **F64)
    block = nn.Residual(4, 6, 2, se=se, placement=placement, **F64)
    np.testing.assert_allclose(block(x), by_hand(block, x, placement), rtol=1e-12)


@pytest.mark.parametrize(
    ("placement", "channels"),
    [("standard", 8), ("activated", 8), ("pre", 4), ("post", 8), ("identity", 8), ("3x3", 6)],
)
def test_the_se_block_has_the_channels_of_its_place(placement, channels):
    block = nn.Bottleneck(4, 8, 2, width=6, se=SE, placement=placement, **F64)
    assert block.se.fc2.weight.value.shape[0] == channels


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


@pytest.mark.parametrize("se", [None, SE])
def test_the_gradients_of_a_block_die_when_they_are_used_up(x, se, monkeypatch):
    """At its first convolution neither the block's own gradient is there nor that of its branch."""
    block, refs, alive = nn.Residual(4, 4, se=se, **F64), [], []
    join, first = block.join, block.conv1.forward

    def watched_join(u, r, training):
        y, join_backward = join(u, r, training)

        def backward(dy):
            du, dr = join_backward(dy)
            du = du.copy()  # of its own, where it is dr as well
            refs.extend([weakref.ref(dy), weakref.ref(du)])
            return du, dr

        return y, backward

    def watched_first(x, training):
        y, first_backward = first(x, training)

        def backward(dy):
            alive.extend(ref() is not None for ref in refs)
            return first_backward(dy)

        return y, backward

    monkeypatch.setattr(block, "join", watched_join)
    monkeypatch.setattr(block.conv1, "forward", watched_first)
    y, backward = nn.Sequential(block).forward(x)
    backward(np.ones_like(y))
    assert alive == [False, False]
