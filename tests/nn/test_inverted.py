from functools import partial

import numpy as np
import pytest

from minise import InputError, nn

F64 = {"dtype": np.float64}
SE = partial(nn.SEBlock, reduction=2, **F64)


@pytest.fixture
def x():
    return np.random.default_rng(0).standard_normal((3, 4, 6, 5))


def test_the_layers_follow_each_other_and_x_is_added(x):
    block = nn.InvertedResidual(4, 4, width=12, kernel_size=5, activation="silu", se=SE, **F64)
    u = block.expand(x)
    assert u.shape == (3, 12, 6, 5)
    v = block.se(block.depthwise(u))
    np.testing.assert_allclose(block(x), block.project(v) + x, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(("filters", "stride", "size"), [(4, 2, (3, 3)), (6, 1, (6, 5))])
def test_x_is_not_added_where_the_shape_changes(x, filters, stride, size):
    block = nn.InvertedResidual(4, filters, stride, width=8, drop_path=0.9, **F64)
    y = block(x)
    assert y.shape == (3, filters, *size)
    np.testing.assert_array_equal(y, block.project(block.depthwise(block.expand(x))))
    assert "drop_path" not in dict(block.children())  # nothing would be left of the image


def test_the_depthwise_convolution_has_the_kernel_and_the_stride():
    block = nn.InvertedResidual(4, 6, 2, width=8, kernel_size=5)
    units = dict(block.children()).values()
    found = [(u.conv.weight.value.shape, u.conv.stride, u.conv.groups) for u in units]
    assert found == [
        ((8, 4, 1, 1), (1, 1), 1), ((8, 1, 5, 5), (2, 2), 8), ((6, 8, 1, 1), (1, 1), 1),
    ]  # fmt: skip


def test_nothing_is_expanded_where_the_width_is_that_of_the_input(x):
    block = nn.InvertedResidual(4, 4, width=4, **F64)
    assert list(dict(block.children())) == ["depthwise", "project"]
    np.testing.assert_array_equal(block(x), block.project(block.depthwise(x)) + x)


def test_the_activation_stands_twice_and_not_behind_the_projection():
    block = nn.InvertedResidual(4, 4, width=8, activation="hard_swish")
    kinds = [[type(part).__name__ for _, part in unit.children()] for _, unit in block.children()]
    active = ["Conv2d", "BatchNorm2d", "HardSwish"]
    assert kinds == [active, active, ["Conv2d", "BatchNorm2d"]]


def test_se_weighs_the_wide_maps_and_may_reduce_those_of_the_input():
    wide, narrow = (
        nn.InvertedResidual(4, 6, width=12, se=partial(SE, **options)).se
        for options in ({}, {"reduced_from": 4})
    )
    assert wide.fc1.weight.value.shape == (6, 12)
    assert narrow.fc1.weight.value.shape == (2, 12)


def test_a_dropped_image_passes_as_it_is_and_the_others_are_scaled(x):
    block = nn.InvertedResidual(4, 4, width=8, drop_path=0.5, rng=np.random.default_rng(2), **F64)
    twin = nn.InvertedResidual(4, 4, width=8, rng=np.random.default_rng(2), **F64)
    block.drop_path.rng = np.random.default_rng(1)
    kept = np.random.default_rng(1).random(3) >= 0.5
    assert 0 < kept.sum() < 3
    y, backward = block.forward(x)
    whole, whole_backward = twin.forward(x)
    np.testing.assert_array_equal(y[~kept], x[~kept])
    np.testing.assert_allclose(y[kept], x[kept] + 2 * (whole - x)[kept], rtol=1e-12, atol=1e-12)
    dy = np.random.default_rng(3).standard_normal(y.shape)
    through = dy * (2.0 * kept)[:, None, None, None]
    dx = whole_backward(through) - through + dy  # the branch's part is scaled, the other is not
    np.testing.assert_allclose(backward(dy), dx, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(
        block.expand.conv.weight.grad, twin.expand.conv.weight.grad, rtol=1e-12, atol=1e-12
    )
    np.testing.assert_array_equal(
        nn.InvertedResidual(4, 4, width=8, drop_path=0.5, **F64)(x),
        nn.InvertedResidual(4, 4, width=8, **F64)(x),
    )


def test_eps_and_momentum_are_those_of_every_norm():
    block = nn.InvertedResidual(4, 4, width=8, eps=0.5, momentum=0.125)
    norms = [layer for _, layer in block.named_layers() if isinstance(layer, nn.BatchNorm2d)]
    assert [(norm.eps, norm.momentum) for norm in norms] == 3 * [(0.5, 0.125)]


def test_the_state_is_listed_in_forward_order():
    names = list(nn.InvertedResidual(4, 4, width=8, se=SE).state_dict())
    parts = list(dict.fromkeys(name.rpartition(".")[0] for name in names))
    assert parts == [
        "expand.conv", "expand.bn", "depthwise.conv", "depthwise.bn", "se.fc1", "se.fc2",
        "project.conv", "project.bn",
    ]  # fmt: skip


def test_wrong_options_are_one_clear_error():
    with pytest.raises(InputError, match="unknown activation 'sliu': did you mean 'silu'"):
        nn.InvertedResidual(4, 4, width=8, activation="sliu")
    with pytest.raises(ValueError, match="DropPath: p is 2, expected"):
        nn.InvertedResidual(4, 4, width=8, drop_path=2)
