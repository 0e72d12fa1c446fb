from functools import partial

import numpy as np
import pytest

from minise import Cost, InputError, cost, models, nn

C, H, W = 8, 6, 5
# The parameters, multiply-adds, and additions and products beside them of each block that stands
# for SE, on maps (8, 6, 5): counted by hand.
BLOCKS = {
    "SEBlock": (partial(nn.SEBlock, C, 2), Cost(2 * C * 4 + 12, 2 * C * 4, 2 * C * H * W)),
    "SEBlock, max": (
        partial(nn.SEBlock, C, 2, squeeze="max", bias=False),
        Cost(2 * C * 4, 2 * C * 4, 2 * C * H * W),
    ),
    "NoSqueeze": (partial(nn.NoSqueeze, C, 2), Cost(76, 2 * C * 4 * H * W, C * H * W)),
    "SpatialSE": (partial(nn.SpatialSE, C), Cost(C + 1, C * H * W, C * H * W)),
    "ConcurrentSE": (
        partial(nn.ConcurrentSE, C, 2),
        Cost(76 + C + 1, 2 * C * 4 + C * H * W, 3 * C * H * W),
    ),
    "ECA": (partial(nn.ECA, C, 3), Cost(3, 3 * C, 2 * C * H * W)),
    "GatherExcite": (nn.GatherExcite, Cost(0, 0, 2 * C * H * W)),
}


@pytest.mark.parametrize("name", BLOCKS)
def test_the_cost_of_a_block_is_that_counted_by_hand_and_all_of_it_is_se(name):
    make, expected = BLOCKS[name]
    block = make()
    assert cost(block, (C, H, W)) == expected
    assert cost(block, (C, H, W), of_se=True) == expected


@pytest.mark.parametrize("placement", nn.PLACEMENTS)
def test_se_in_any_place_costs_what_the_block_alone_does(placement):
    block = nn.Residual(C, C, se=partial(nn.SEBlock, reduction=2), placement=placement)
    assert cost(block, (C, H, W), of_se=True) == BLOCKS["SEBlock"][1]
    plain = cost(nn.Residual(C, C), (C, H, W))
    assert cost(block, (C, H, W)) == Cost(*np.add(plain, BLOCKS["SEBlock"][1]))


def test_what_only_begins_with_the_name_of_a_block_is_not_within_it():
    net = nn.Sequential(se=nn.SEBlock(C, 2), second=nn.Conv2d(C, C, 1))
    assert cost(net, (C, H, W), of_se=True) == BLOCKS["SEBlock"][1]


def test_a_global_pooling_without_se_is_no_squeeze():
    assert cost(models.create("resnet8"), (1, 28, 28)).squeeze_and_scale == 0


def resnet50():
    """Multiply-adds, block by block: 3.86 · 10⁹, as Hu et al. say in table 2."""
    products, channels = 3 * 64 * 7**2 * 112**2, 64
    for planes, blocks, size in ((64, 3, 56), (128, 4, 28), (256, 6, 14), (512, 3, 7)):
        for k in range(blocks):
            weights = channels * planes + 9 * planes**2 + 4 * planes**2
            weights += 4 * planes * channels if k == 0 else 0  # the shortcut
            products, channels = products + weights * size**2, 4 * planes
    return products + 2048 * 1000


def test_the_multiply_adds_of_resnet50_are_the_papers_and_se_adds_its_weights():
    plain = cost(models.create("resnet50"), (3, 224, 224))
    with_se = models.create("se-resnet50")
    assert plain == Cost(25_557_032, resnet50(), 0)
    maps = 2 * (3 * 256**2 + 4 * 512**2 + 6 * 1024**2 + 3 * 2048**2) // 16
    numbers = 3 * 256 * 56**2 + 4 * 512 * 28**2 + 6 * 1024 * 14**2 + 3 * 2048 * 7**2
    of_se = Cost(2_530_992, maps, 2 * numbers)
    assert cost(with_se, (3, 224, 224), of_se=True) == of_se
    assert cost(with_se, (3, 224, 224)) == Cost(*np.add(plain, of_se))


def test_a_convolution_in_groups_multiplies_less():
    assert cost(nn.Conv2d(4, 6, 3, groups=2, bias=False), (4, 5, 5)).multiply_adds == 6 * 9 * 18


def test_a_parameter_that_two_layers_share_counts_once():
    first, second = nn.Linear(4, 4), nn.Linear(4, 4)
    second.weight = first.weight
    assert cost(nn.Sequential(nn.Flatten(), first, second), (4, 1, 1)).parameters == 16 + 4 + 4


def test_parameters_beside_layers_are_counted():
    class Scaled(nn.Layer):
        def __init__(self):
            self.gamma = nn.Parameter(np.ones(1000, np.float32))
            self.conv = nn.Conv2d(1, 4, 3)

        def forward(self, x, training=True):
            return self.conv.forward(x, training)

    assert cost(Scaled(), (1, 5, 5)).parameters == 1000 + 40
    assert cost(Scaled(), (1, 5, 5), of_se=True).parameters == 0
    Scaled.is_se = True
    assert cost(Scaled(), (1, 5, 5), of_se=True).parameters == 1000 + 40


def test_an_image_that_does_not_fit_is_one_clear_error():
    with pytest.raises(InputError, match=r"an input of \(1, 20, 20\) does not fit: linear: x has"):
        cost(models.create("cnn"), (1, 20, 20))


def test_a_layer_of_ones_own_that_scales_keeps_its_parameters():
    class Scaled(nn.Layer):
        is_se = scales = True

        def __init__(self):
            self.s = nn.Parameter(np.ones((3, 1, 1)))

        def forward(self, x, training=True):
            return x * self.s.value, lambda dy: dy * self.s.value

    assert cost(Scaled(), (3, 4, 4)) == (3, 0, 3 * 4 * 4)
    assert cost(Scaled(), (3, 4, 4), of_se=True).parameters == 3
