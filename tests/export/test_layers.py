from functools import partial

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx_runtimes import RUNTIMES, assert_says_the_same, cast, with_statistics
from strategies import conv_cases, pool_cases

from minise import InputError, gradcheck, nn, ops
from minise.export import largest_difference, onnx_model
from minise.export.layers import LAYERS

RNG = np.random.default_rng(0)
OF_LAYERS = [name for name in gradcheck.EXAMPLES if name[0].isupper()]
FEW = st.integers(1, 3)  # images


def assert_exported(net, x, runtimes=RUNTIMES):
    model = onnx_model(net, x.shape[1:], pixels=None)
    assert_says_the_same(model, net, x[:1], x, runtimes=runtimes)


@pytest.mark.parametrize("name", OF_LAYERS)
def test_every_layer_that_gradients_are_checked_of_is_the_same_as_a_model(name):
    example = gradcheck.EXAMPLES[name](np.random.default_rng(3))
    net = with_statistics(cast(example.subject, np.float32))
    assert_exported(net, example.inputs[0].astype(np.float32))


@pytest.mark.parametrize("name", OF_LAYERS)
def test_in_float64_it_is_the_same_to_the_last_digits_of_its_options(name):
    example = gradcheck.EXAMPLES[name](np.random.default_rng(4))
    net, (x,) = with_statistics(example.subject), example.inputs
    # options as epsilon are float32 in ONNX, and onnxruntime knows no convolution in float64
    model = onnx_model(net, x.shape[1:], pixels=None)
    assert largest_difference(model, net, x, pixels=None) < 1e-7


def test_every_class_of_layers_is_known():
    layers = [getattr(nn, name) for name in nn.__all__]
    classes = {kind for kind in layers if isinstance(kind, type) and issubclass(kind, nn.Layer)}
    assert classes - set(LAYERS) == {nn.Layer, nn.Bottleneck}


def test_a_norm_of_values_that_hardly_vary_has_the_same_epsilon():
    net = nn.BatchNorm2d(3, eps=0.1)
    net.running_var.value[...] = [0, 0.01, 1]
    assert_exported(net, np.random.default_rng(0).standard_normal((2, 3, 2, 2)).astype(np.float32))


@given(case=conv_cases(np.float32, FEW))
def test_a_convolution_has_the_same_stride_padding_dilation_and_groups(case):
    F, _, *size = case.w.shape
    net = nn.Conv2d(case.x.shape[1], F, tuple(size), bias=case.b is not None, **case.options)
    net.weight.value[...] = case.w
    if case.b is not None:
        net.bias.value[...] = case.b
    assert_exported(net, case.x)


@given(case=pool_cases(np.float32, FEW))
def test_the_largest_pixel_is_of_the_same_window(case):
    (down, across), (top, left) = case.options["stride"], case.options["padding"]
    # with strides of 1, ONNX's reference takes left for bottom (1.23)
    trusted = ["onnxruntime"] if down == across == 1 and top != left else RUNTIMES
    assert_exported(nn.MaxPool2d(**case.options), case.x, trusted)


@given(case=pool_cases(np.float32, FEW), count_include_pad=st.booleans())
def test_the_average_is_over_the_same_pixels(case, count_include_pad):
    assert_exported(nn.AvgPool2d(**case.options, count_include_pad=count_include_pad), case.x)


SE_MAKERS = {
    "max": partial(nn.SEBlock, hidden=3, squeeze="max", gate="hard_sigmoid"),
    "NoSqueeze": partial(nn.NoSqueeze, hidden=3),
    "SpatialSE": nn.SpatialSE,
    "ConcurrentSE": partial(nn.ConcurrentSE, hidden=3),
    "ECA": nn.ECA,
    "GatherExcite": lambda channels: nn.GatherExcite(),
}


@pytest.mark.parametrize("placement", nn.PLACEMENTS)
@pytest.mark.parametrize("se", SE_MAKERS)
@pytest.mark.parametrize("block", [nn.Residual, partial(nn.Bottleneck, width=2)])
def test_any_relative_of_se_stands_in_any_place(block, se, placement):
    net = with_statistics(block(4, 6, 2, se=SE_MAKERS[se], placement=placement))
    assert_exported(net, np.random.default_rng(0).standard_normal((2, 4, 5, 4)).astype(np.float32))


class Mine(nn.Layer):
    def forward(self, x, training=True):
        return 2 * x, lambda dy: 2 * dy


class Leaky(nn.ReLU):
    def forward(self, x, training=True):
        return np.maximum(x, 0.1 * x), lambda dy: dy


class Halved(nn.SEBlock):
    def gates(self, x, training=True):
        s, backward = super().gates(x, training)
        return s / 2, backward


class Subtracting(nn.Residual):
    def join(self, u, r, training=True):
        return ops.relu(u - r)[0], lambda dy: (dy, -dy)


@pytest.mark.parametrize(
    "layer", [Mine(), Leaky(), Halved(2, 1), Subtracting(2, 2)], ids=lambda x: type(x).__name__
)
def test_a_layer_that_computes_anything_else_is_refused_by_its_name(layer):
    kind = type(layer).__name__
    with pytest.raises(InputError, match=f"^export: a.odd is a {kind}, which export does not"):
        onnx_model(nn.Sequential(a=nn.Sequential(nn.ReLU(), odd=layer)), (2, 3, 3), pixels=None)
    with pytest.raises(InputError, match=f"^export: the net is a {kind}"):
        onnx_model(layer, (2, 3, 3), pixels=None)


class TwiceConvolved(nn.Residual):
    def __init__(self):
        super().__init__(2, 2)
        self.relu = nn.ReLU()

    def branch(self):
        return [self.conv1, self.relu, self.conv1, self.relu]


class TwicePooled(nn.Residual):
    def __init__(self):
        super().__init__(2, 2)
        self.pool = nn.MaxPool2d(2)
        self.shortcut = nn.Sequential(nn.MaxPool2d(2), nn.MaxPool2d(2))

    def branch(self):
        return [self.conv1, self.pool, self.conv2, self.pool]


def test_a_subclass_with_a_branch_of_its_own_and_layers_twice_in_it_is_known():
    x = np.random.default_rng(0).standard_normal((2, 2, 6, 7)).astype(np.float32)
    assert_exported(TwiceConvolved(), x)


def test_one_layer_in_two_places_is_known_by_either_name():
    conv, pool = nn.Conv2d(2, 2, 3, padding=1), nn.AvgPool2d(2, ceil_mode=True)
    net = nn.Sequential(a=conv, b=pool, c=conv, d=pool)
    assert_exported(net, np.random.default_rng(0).standard_normal((2, 2, 7, 6)).astype(np.float32))


def test_a_pool_that_one_name_has_in_two_places_is_known_at_either_size():
    assert_exported(TwicePooled(), RNG.standard_normal((2, 2, 8, 8)).astype(np.float32))
