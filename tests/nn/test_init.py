"""Which weights a layer starts with: their law, and for each layer and net which law it is.

He for what a relu follows, variance 2 / fan_in; LeCun for anything else, 1 / fan_in.
"""

from functools import partial
from math import prod, sqrt

import numpy as np
import pytest
from laws import assert_drawn, assert_independent, assert_variance
from scipy import stats

from minise import InputError, models, nn
from minise.models import inception, resnet

HE, LECUN = 2, 1
rng = np.random.default_rng


@pytest.mark.parametrize(("init", "gain"), [(nn.he_normal, HE), (nn.lecun_normal, LECUN)])
@pytest.mark.parametrize(
    ("shape", "fan_in"),
    [((48, 16, 3, 2), 96), ((60, 80), 80), ((80, 60), 60), ((500, 1, 5, 1), 5)],
)
def test_weights_are_normal_and_independent_with_a_variance_by_fan_in(init, gain, shape, fan_in):
    w = init(np.random.default_rng(0), shape)
    assert (w.shape, w.dtype) == (shape, np.float32)
    assert_drawn(w, stats.norm(0, sqrt(gain / fan_in)))
    assert_variance(w, gain / fan_in)
    assert_independent(w[1:], w[:-1])
    assert_independent(w.reshape(-1)[1:], w.reshape(-1)[:-1])


@pytest.mark.parametrize("init", [nn.he_normal, nn.lecun_normal])
def test_weights_of_float32_are_those_of_float64_rounded(init):
    single, double = (init(np.random.default_rng(3), (7, 5), of) for of in ("f4", "f8"))
    assert (single.dtype, double.dtype) == (np.float32, np.float64)
    np.testing.assert_array_equal(single, double.astype(np.float32))
    assert (double != single).all()


# A layer made with some channels, and gain and fan-in of its weights. Each has a thousand or more.
LAYERS = {
    "Conv2d": (partial(nn.Conv2d, 20, 30, (3, 2)), {"weight": (HE, 120)}),
    "Conv2d in groups": (partial(nn.Conv2d, 32, 48, 3, groups=4), {"weight": (HE, 72)}),
    "Conv2d by LeCun": (
        partial(nn.Conv2d, 20, 30, 3, init=nn.lecun_normal),
        {"weight": (LECUN, 180)},
    ),
    "Linear": (partial(nn.Linear, 40, 60), {"weight": (LECUN, 40)}),
    "Linear by He": (partial(nn.Linear, 40, 60, init=nn.he_normal), {"weight": (HE, 40)}),
    "BatchNorm2d": (partial(nn.BatchNorm2d, 5), {}),
    "BatchNormReLU2d": (partial(nn.BatchNormReLU2d, 5), {}),
    "conv_norm_act": (
        partial(nn.conv_norm_act, 30, 20, 3, groups=2),
        {"conv.weight": (HE, 135)},
    ),
    "SEBlock": (
        partial(nn.SEBlock, 80, 4),
        {"fc1.weight": (HE, 80), "fc2.weight": (LECUN, 20)},
    ),
    "NoSqueeze": (
        partial(nn.NoSqueeze, 80, 4),
        {"fc1.weight": (HE, 80), "fc2.weight": (LECUN, 20)},
    ),
    "SpatialSE": (partial(nn.SpatialSE, 1500), {"conv.weight": (LECUN, 1500)}),
    "ConcurrentSE": (
        partial(nn.ConcurrentSE, 1500, 1000),
        {
            "channel.fc1.weight": (HE, 1500),
            "channel.fc2.weight": (LECUN, 1),
            "spatial.conv.weight": (LECUN, 1500),
        },
    ),
    "ECA": (partial(nn.ECA, 8, 1501), {"conv.weight": (LECUN, 1501)}),
    "Residual": (
        partial(nn.Residual, 32, 40, 2),
        {
            "conv1.weight": (HE, 288),
            "conv2.weight": (HE, 360),
            "shortcut.0.weight": (HE, 32),
        },
    ),
    "Bottleneck": (
        partial(nn.Bottleneck, 36, 60, 2, width=40, groups=4),
        {
            "conv1.weight": (HE, 36),
            "conv2.weight": (HE, 90),
            "conv3.weight": (HE, 40),
            "shortcut.0.weight": (HE, 36),
        },
    ),
    "InvertedResidual": (
        partial(nn.InvertedResidual, 30, 40, 2, width=120, kernel_size=5),
        {
            "expand.conv.weight": (HE, 30),
            "depthwise.conv.weight": (HE, 25),
            "project.conv.weight": (HE, 120),
        },
    ),
    "Inception": (
        partial(nn.Inception, 60, 20, (30, 20), (24, 10), 20),
        {
            "branch1x1.conv.weight": (HE, 60),
            "branch3x3.0.conv.weight": (HE, 60),
            "branch3x3.1.conv.weight": (HE, 270),
            "branch5x5.0.conv.weight": (HE, 60),
            "branch5x5.1.conv.weight": (HE, 600),
            "branch_pool.1.conv.weight": (HE, 60),
        },
    ),
    "Inception, factored": (
        partial(nn.Inception, 60, 20, (30, 20), (24, 10), 20, factored=True),
        {
            "branch1x1.conv.weight": (HE, 60),
            "branch3x3.0.conv.weight": (HE, 60),
            "branch3x3.1.conv.weight": (HE, 270),
            "branch5x5.0.conv.weight": (HE, 60),
            "branch5x5.1.conv.weight": (HE, 216),
            "branch5x5.2.conv.weight": (HE, 90),
            "branch_pool.1.conv.weight": (HE, 60),
        },
    ),
}


def start_of(name):
    """What a state that is not drawn starts with."""
    return 1.0 if name.endswith(("weight", "running_var")) else 0.0


@pytest.mark.parametrize("layer", LAYERS)
def test_each_layer_draws_its_weights_by_its_law_and_starts_the_rest_at_0_or_1(layer):
    make, weights = LAYERS[layer]
    state = make(rng=np.random.default_rng(0)).state_dict() if weights else make().state_dict()
    assert set(weights) <= set(state)
    for name, value in state.items():
        if name in weights:
            gain, fan_in = weights[name]
            assert_variance(value, gain / fan_in)
            assert_drawn(value, stats.norm(0, sqrt(gain / fan_in)))
        else:
            np.testing.assert_array_equal(value, start_of(name))


@pytest.mark.parametrize("layer", [name for name, (_, weights) in LAYERS.items() if weights])
def test_all_weights_of_a_layer_come_from_one_generator(layer):
    make, weights = LAYERS[layer]

    def drawn(**generator):
        state = make(**generator, dtype=np.float64).state_dict()
        units = [state[name] / sqrt(gain / fan_in) for name, (gain, fan_in) in weights.items()]
        return np.concatenate([unit.reshape(-1) for unit in units]).round(13)

    first, second = drawn(rng=rng(1)), drawn(rng=rng(2))
    assert len(np.unique(first)) == len(first)  # none is drawn twice
    assert not np.intersect1d(first, second).size
    np.testing.assert_array_equal(drawn(), drawn(rng=rng(0)))


@pytest.mark.parametrize("layer", LAYERS)
def test_each_layer_has_the_dtype_asked_for_everywhere(layer):
    make, _ = LAYERS[layer]
    for options, dtype in (({}, np.float32), ({"dtype": np.float64}, np.float64)):
        made = make(**options)
        gradients = [parameter.grad for parameter in made.parameters()]
        arrays = [*made.state_dict().values(), *gradients]
        assert {array.dtype for array in arrays} == {np.dtype(dtype)}
        assert not any(gradient.any() for gradient in gradients)


# One net of each kind; others of the same function differ in their number of blocks.
NETS = [
    "se-cnn", "se-cnn3", "se-resnet8", "se-resnet14", "se-inception-tiny", "se-mobilenet-tiny",
    "se-vgg-tiny", "se-vgg-8k", "cnn", "resnet8", "se-resnet18", "se-resnet50",
    "se-resnext50-32x4d", "senet154", "se-bn-inception", "se-mobilenetv3-tiny",
    "se-efficientnet-tiny", "se-regnety-400mf",
]  # fmt: skip


class Constant:
    """A generator whose normal numbers are all one more than its seed."""

    def __init__(self, seed):
        self.seed = seed

    def standard_normal(self, shape):
        return np.broadcast_to(self.seed + 1.0, shape)


@pytest.fixture
def constant(monkeypatch):
    """Generators are constant, and the nets for photos small."""
    monkeypatch.setattr(np.random, "default_rng", Constant)
    for name, stages in resnet.IMAGENET.items():
        monkeypatch.setitem(resnet.IMAGENET, name, stages._replace(blocks=(1, 1, 0, 0)))
    small = inception.Module(8, (8, 8), (8, 8), 8)
    monkeypatch.setattr(inception, "BN_INCEPTION", {"5b": small})


@pytest.mark.usefixtures("constant")
@pytest.mark.effect("models.create(seed)", "models.create(dtype)")
@pytest.mark.parametrize("name", NETS)
def test_each_net_draws_each_weight_with_its_seed_and_by_its_law(name):
    for layer, value in models.create(name, seed=2, dtype=np.float64).state_dict().items():
        assert value.dtype == np.float64, layer
        expected = start_of(layer)
        if value.ndim > 1:
            by_lecun = layer == "fc1.weight" or layer.endswith(("fc.weight", "fc2.weight"))
            gain = LECUN if by_lecun else HE
            expected = 3 * sqrt(gain / prod(value.shape[1:]))
        np.testing.assert_allclose(value, expected, 1e-14, err_msg=layer)


@pytest.mark.usefixtures("constant")
def test_masks_of_dropout_are_drawn_with_the_seed_of_the_net():
    assert models.create("senet154", seed=2).dropout.rng.seed == 2


@pytest.mark.parametrize("name", ["se-cnn", "se-resnet8", "se-inception-tiny"])
def test_no_number_is_drawn_twice_for_a_net(name):
    state = models.create(name, dtype=np.float64).state_dict()
    weights = [value for value in state.values() if value.ndim > 1]
    units = [w.reshape(-1) * sqrt(prod(w.shape[1:])) for w in weights]
    drawn = np.concatenate([*units, *(unit / sqrt(2) for unit in units)]).round(13)
    assert len(np.unique(drawn)) == len(drawn)  # by LeCun, by He, or by both


@pytest.mark.effect("models.create(filled)")
def test_weights_that_are_loaded_next_are_not_drawn(monkeypatch):
    generator, same = rng(0), rng(0)
    with nn.unfilled():
        layer = nn.Conv2d(2, 3, 3, rng=generator, dtype=np.float64)
    assert layer.weight.value.dtype == np.float64
    assert layer.weight.value.shape == (3, 2, 3, 3)
    np.testing.assert_array_equal(
        nn.Linear(4, 3, rng=generator).weight.value, nn.Linear(4, 3, rng=same).weight.value
    )
    monkeypatch.setattr(np.random, "default_rng", lambda seed: None)  # which can draw nothing
    state = models.create("se-cnn", filled=False).state_dict()
    assert state["se1.fc1.weight"].dtype == np.float32


@pytest.mark.parametrize(
    "make",
    [
        lambda: nn.Linear(0, 3),
        lambda: nn.Linear(3, 2.5),
        lambda: nn.Conv2d(2, 0, 3),
        lambda: nn.EffectiveSE(0),
        lambda: nn.SpatialSE(0),
    ],
)
def test_weights_have_numbers_along_each_axis(make):
    with pytest.raises(InputError, match=r"^weights of shape .*, expected whole numbers of at"):
        make()
