from functools import partial

import numpy as np
import pytest

from minise import InputError, nn, ops

F64 = {"dtype": np.float64}
SE = partial(nn.SEBlock, reduction=2, **F64)


@pytest.fixture
def x():
    return np.random.default_rng(0).standard_normal((3, 4, 6, 5))


def units(module, branch):
    """Kernel and stride of each convolution in a branch, in forward order."""
    layer = getattr(module, branch)
    found = [layer] if hasattr(layer, "conv") else [u for _, u in layer.children()]
    return [
        (unit.conv.weight.value.shape[2], unit.conv.stride[0])
        for unit in found
        if hasattr(unit, "conv")
    ]


def test_the_branches_lie_side_by_side_in_the_channels_of_the_output(x):
    module = nn.Inception(4, 1, (2, 3), (2, 5), 2, **F64)
    y = module(x)
    assert y.shape == (3, 11, 6, 5)
    for branch, first, last in [
        (module.branch1x1, 0, 1),
        (module.branch3x3, 1, 4),
        (module.branch5x5, 4, 9),
        (module.branch_pool, 9, 11),
    ]:
        np.testing.assert_array_equal(y[:, first:last], branch(x))


def test_a_branch_has_the_convolutions_of_its_name():
    module = nn.Inception(4, 1, (2, 3), (2, 5), 2)
    assert units(module, "branch1x1") == [(1, 1)]
    assert units(module, "branch3x3") == [(1, 1), (3, 1)]
    assert units(module, "branch5x5") == [(1, 1), (5, 1)]
    assert units(module, "branch_pool") == [(1, 1)]
    factored = nn.Inception(4, 1, (2, 3), (2, 5), 2, factored=True)
    assert units(factored, "branch5x5") == [(1, 1), (3, 1), (3, 1)]


@pytest.mark.parametrize("factored", [False, True])
def test_a_stride_is_that_of_the_last_convolutions_and_of_the_pooling(x, factored):
    module = nn.Inception(4, 0, (2, 3), (2, 5), 0, stride=2, factored=factored, **F64)
    assert units(module, "branch3x3") == [(1, 1), (3, 2)]
    assert units(module, "branch5x5")[-1][1] == 2
    assert all(stride == 1 for _, stride in units(module, "branch5x5")[:-1])
    assert module(x).shape == (3, 12, 3, 3)


@pytest.mark.parametrize(("ones", "pooled", "channels"), [(1, 2, 11), (0, 2, 10), (1, 0, 13)])
def test_the_number_of_channels_is_told(x, ones, pooled, channels):
    module = nn.Inception(4, ones, (2, 3), (2, 5), pooled, **F64)
    assert module.out_channels == module(x).shape[1] == channels


@pytest.mark.parametrize("pool", ["avg", "max"])
def test_without_a_convolution_behind_the_pooling_its_channels_pass(x, pool):
    module = nn.Inception(4, 1, (2, 3), (2, 5), 0, pool=pool, **F64)
    expected, _ = getattr(ops, f"{pool}_pool2d")(x, 3, 1, padding=1)
    np.testing.assert_array_equal(module(x)[:, 9:], expected)


def test_se_weighs_the_joined_maps(x):
    module = nn.Inception(4, 1, (2, 3), (2, 5), 2, se=SE, **F64)
    assert module.se.fc2.weight.value.shape[0] == module.out_channels == 11
    joined = np.concatenate([branch(x) for branch in module.branches()], axis=1)
    np.testing.assert_array_equal(module(x), module.se(joined))


def test_evaluation_is_handed_on_to_what_stands_in_the_place_of_se(x):
    module = nn.Inception(4, 1, (2, 3), (2, 5), 2, se=partial(nn.BatchNorm2d, **F64), **F64)
    before = module.state_dict()
    module(x)
    for name, value in module.state_dict().items():
        np.testing.assert_array_equal(value, before[name])


def test_the_state_is_listed_in_forward_order():
    names = list(nn.Inception(4, 1, (2, 3), (2, 5), 2, factored=True, se=SE).state_dict())
    parts = list(dict.fromkeys(name.rpartition(".")[0] for name in names))
    assert parts == [
        "branch1x1.conv", "branch1x1.bn",
        "branch3x3.0.conv", "branch3x3.0.bn", "branch3x3.1.conv", "branch3x3.1.bn",
        "branch5x5.0.conv", "branch5x5.0.bn", "branch5x5.1.conv", "branch5x5.1.bn",
        "branch5x5.2.conv", "branch5x5.2.bn",
        "branch_pool.1.conv", "branch_pool.1.bn",
        "se.fc1", "se.fc2",
    ]  # fmt: skip


def test_what_is_left_out_has_no_state():
    names = nn.Inception(4, 0, (2, 3), (2, 5), 0).state_dict()
    assert {name.split(".")[0] for name in names} == {"branch3x3", "branch5x5"}


def test_an_unknown_pooling_is_one_clear_error():
    with pytest.raises(InputError, match="Inception: unknown pool 'mx': did you mean 'max'"):
        nn.Inception(4, 1, (2, 3), (2, 5), 2, pool="mx")


@pytest.mark.parametrize(("ones", "pooled"), [(1, 0), (0, 2), (1, 2)])
def test_a_stride_that_a_branch_cannot_have_is_one_clear_error(ones, pooled):
    with pytest.raises(InputError, match=f"stride 2 with ones={ones}, pooled={pooled}, expected 0"):
        nn.Inception(4, ones, (2, 3), (2, 5), pooled, stride=2)
