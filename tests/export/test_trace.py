import re

import numpy as np
import pytest
from onnx_runtimes import with_statistics

from minise import InputError, data, gradcheck, models, nn, ops
from minise.export import (
    Graph,
    Pixels,
    c_header,
    javascript_module,
    onnx_model,
    register,
    trace,
)
from minise.export.layers import LAYERS

RNG = np.random.default_rng(0)
OF_LAYERS = [name for name in gradcheck.EXAMPLES if name[0].isupper()]
OF_MNIST = [name for name in models.names() if models.image_shape(name) == (1, 28, 28)]


@pytest.mark.parametrize("name", OF_LAYERS)
@pytest.mark.parametrize("keep_names", [False, True])
def test_a_graph_means_what_its_layer_does(name, keep_names):
    example = gradcheck.EXAMPLES[name](RNG)
    net, (x,) = with_statistics(example.subject), example.inputs
    graph = trace(net, x.shape[1:], pixels=None, keep_names=keep_names)
    scores = graph.run(x, np.float64)[graph.output]
    np.testing.assert_allclose(scores, net(x), rtol=1e-7, atol=1e-9)


@pytest.mark.parametrize("name", OF_MNIST)
def test_pixels_go_in_as_they_are(name):
    net = with_statistics(models.create(name, num_classes=10))
    images = RNG.integers(0, 256, (2, 1, 28, 28), np.uint8)
    expected = net(data.to_input(images, 0.13, 0.31))
    for dtype in (np.float32, np.uint8):
        graph = trace(net, (1, 28, 28), pixels=Pixels(0.13, 0.31, dtype))
        assert (graph.input, graph.dtype(graph.input)) == ("pixels", dtype)
        scores = graph.run(images.astype(dtype))[graph.output]
        assert scores.dtype == np.float32
        assert np.abs(scores - expected).max() <= 1e-5 * np.abs(expected).max()


def test_each_channel_may_have_its_mean_and_std():
    net = nn.Sequential(nn.Conv2d(3, 2, 1), nn.GlobalAvgPool())
    pixels = Pixels([0.485, 0.456, 0.406], [0.229, 0.224, 0.225])
    images = RNG.integers(0, 256, (2, 3, 4, 5)).astype(np.float32)
    of_channels = [np.array(values).reshape(3, 1, 1) for values in pixels[:2]]
    expected = net(((images / 255 - of_channels[0]) / of_channels[1]).astype(np.float32))
    graph = trace(net, (3, 4, 5), pixels=pixels)
    np.testing.assert_allclose(graph.run(images)[graph.output], expected, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(net(pixels.normalised(images)), expected, rtol=1e-4, atol=1e-5)


def test_pixels_of_one_grey_are_not_divided_by_zero():
    graph = trace(nn.ReLU(), (1, 2, 2), pixels=Pixels(0.25, 0.0))
    y = graph.run(np.full((1, 1, 2, 2), 255, np.float32))[graph.output]
    np.testing.assert_allclose(y, 0.75)


@pytest.mark.parametrize(
    ("pixels", "message"),
    [
        (
            Pixels([0.1, 0.2], 0.3),
            "mean of the pixels is [0.1, 0.2], expected a number, or one for",
        ),
        (Pixels(0.1, np.nan), "std of the pixels is nan, expected a number"),
        (Pixels(0.1, -0.3), "std of the pixels is -0.3, expected 0 or more"),
        (Pixels("0.1", 0.3), "mean of the pixels is 0.1, expected a number"),
        (Pixels(0.1, 0.3, np.int64), "pixels of int64, expected float32 or uint8"),
        (Pixels(33.3, 78.6), "mean of the pixels is 33.3, expected that of pixels from 0 to 1"),
        ((0.1, 0.3), "pixels is (0.1, 0.3), expected Pixels(mean, std), or None"),
    ],
)
def test_pixels_that_cannot_be_are_one_clear_error(pixels, message):
    with pytest.raises(InputError, match="^export: " + re.escape(message)):
        trace(nn.ReLU(), (3, 2, 2), pixels=pixels)


@pytest.mark.parametrize("mean", [0.3, [0.1, 0.2, 0.3]])
def test_pixels_may_be_in_a_row(mean):
    net, pixels = nn.Linear(3, 2), Pixels(mean, 0.5)
    rows = RNG.integers(0, 256, (4, 3)).astype(np.float32)
    expected = net(((rows / 255 - np.array(mean)) / 0.5).astype(np.float32))
    np.testing.assert_allclose(net(pixels.normalised(rows)), expected, rtol=1e-5, atol=1e-6)
    graph = trace(net, (3,), pixels=pixels)
    np.testing.assert_allclose(graph.run(rows)[graph.output], expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("shape", [(), 5, "abc", (1.0, 2, 2), (-1, 2, 2)])
@pytest.mark.parametrize("pixels", [None, Pixels(0.1, 0.3)])
def test_a_shape_that_no_image_has_is_one_clear_error(shape, pixels):
    with pytest.raises(InputError, match=r"^export: an input of .* does not fit: "):
        trace(nn.ReLU(), shape, pixels=pixels)


class Swish(nn.Layer):
    def forward(self, x, training=True):
        return x / (1 + np.exp(-x)), None


def test_a_layer_of_ones_own_is_given_its_nodes(monkeypatch):
    monkeypatch.setattr("minise.export.layers.LAYERS", dict(LAYERS))
    net = nn.Sequential(act=Swish(), conv=nn.Conv2d(2, 3, 1), pool=nn.GlobalAvgPool(), end=Swish())
    with pytest.raises(InputError, match=r"^export: act is a Swish, .*: give .* export\.register$"):
        trace(net, (2, 3, 3), pixels=None)

    @register(Swish)
    def swish(graph, layer, name, x):
        return graph.node("Mul", name, x, graph.node("Sigmoid", f"{name}.sigmoid", x))

    graph = trace(net, (2, 3, 3), pixels=None)
    assert [node.name for node in graph.nodes][:2] == ["act.sigmoid", "act"]
    x = RNG.standard_normal((2, 2, 3, 3)).astype(np.float32)
    np.testing.assert_allclose(graph.run(x)[graph.output], net(x), rtol=1e-5)


@pytest.mark.parametrize("kind", ["Swish", Swish(), np.ndarray, lambda graph, layer, name, x: x])
def test_only_a_class_of_layers_is_registered(kind):
    with pytest.raises(InputError, match=r"^export: register is given .*, expected a class of lay"):
        register(kind)


def test_a_net_that_makes_much_of_rounding_is_not_taken_for_another():
    layers = [nn.BatchNorm2d(16), nn.GlobalAvgPool()]
    for _ in range(60):
        layers += [nn.Linear(16, 16, rng=RNG), nn.Tanh()]
        layers[-2].weight.value *= 5
    net = with_statistics(nn.Sequential(*layers))
    assert trace(net, (16, 3, 3), pixels=None).nodes


def test_nodes_that_give_another_shape_than_the_layer_are_refused(monkeypatch):
    monkeypatch.setattr("minise.export.layers.LAYERS", dict(LAYERS))
    register(Swish)(lambda graph, layer, name, x: graph.node("GlobalAveragePool", name, x))
    message = r"^export: the net gives \(2, 3, 3\) for an image, its nodes \(2, 1, 1\)$"
    with pytest.raises(InputError, match=message):
        trace(Swish(), (2, 3, 3), pixels=None)


@pytest.mark.parametrize("given", [None, "nothing", 5, "constant"])
def test_what_is_no_value_is_refused_with_the_layers_name(monkeypatch, given):
    monkeypatch.setattr("minise.export.layers.LAYERS", dict(LAYERS))

    @register(Swish)
    def swish(graph, layer, name, x):
        return graph.constant("two", 2.0, x) if given == "constant" else given

    message = r"^export: act: the function for Swish gives .*, expected the name of a value"
    for net in (nn.Sequential(act=Swish()), nn.Sequential(act=Swish(), relu=nn.ReLU())):
        with pytest.raises(InputError, match=message):
            trace(net, (2, 3, 3), pixels=None)


@pytest.mark.parametrize("pixels", [None, Pixels(0.3, 0.4)])
def test_nodes_that_compute_something_else_are_refused(monkeypatch, pixels):
    monkeypatch.setattr("minise.export.layers.LAYERS", dict(LAYERS))
    net = nn.Sequential(nn.Conv2d(2, 3, 1), Swish())
    for wrong in (lambda graph, layer, name, x: x, LAYERS[nn.Sigmoid], LAYERS[nn.HardSwish]):
        register(Swish)(wrong)
        with pytest.raises(InputError, match=r"^export: the net and its nodes give different"):
            trace(net, (2, 3, 3), pixels=pixels)
    register(Swish)(LAYERS[nn.SiLU])
    assert trace(net, (2, 3, 3), pixels=pixels).nodes


def test_a_node_that_cannot_take_its_inputs_says_so():
    graph = Graph("x", np.zeros((1, 2, 3, 3), np.float32))
    with pytest.raises(InputError, match=r"^export: gate: Sigmoid cannot take its inputs: "):
        graph.node("Sigmoid", "gate", "x", alpha=1)
    with pytest.raises(InputError, match=r"^export: gate: there is no value 'y'$"):
        graph.node("Sigmoid", "gate", "y")


@pytest.mark.parametrize(
    "net",
    [
        nn.Sequential(nn.Conv2d(2, 3, 1), nn.BatchNorm2d(3)),
        nn.Sequential(nn.Conv2d(2, 4, 3, groups=2, bias=False), nn.BatchNormReLU2d(4)),
        nn.Sequential(nn.BatchNorm2d(2), nn.Conv2d(2, 3, 1)),
        nn.Sequential(nn.Flatten(), nn.Linear(18, 4), nn.BatchNorm1d(4)),
        nn.Sequential(nn.GlobalMaxPool(), nn.BatchNorm1d(2)),
        nn.Sequential(nn.Conv2d(2, 3, 1), nn.BatchNorm2d(3), nn.BatchNorm2d(3), nn.BatchNorm2d(3)),
    ],
)
def test_a_norm_is_folded_wherever_it_stands(net):
    net = with_statistics(net)
    x = RNG.standard_normal((2, 2, 3, 3)).astype(np.float32)
    graph = trace(net, (2, 3, 3), pixels=None)
    assert "BatchNormalization" not in {node.op for node in graph.nodes}
    np.testing.assert_allclose(graph.run(x)[graph.output], net(x), rtol=1e-5, atol=1e-6)


class ReadTwice(nn.Layer):
    """y = norm(conv(x)) + conv(x): the convolution itself is read too."""

    def __init__(self):
        self.conv, self.norm = nn.Conv2d(2, 2, 1), nn.BatchNorm2d(2)

    def forward(self, x, training=True):
        h, _ = self.conv.forward(x, training)
        return self.norm.forward(h, training)[0] + h, None


def test_a_map_that_is_read_by_others_too_is_not_changed(monkeypatch):
    monkeypatch.setattr("minise.export.layers.LAYERS", dict(LAYERS))

    @register(ReadTwice)
    def twice(graph, layer, name, x):
        h = LAYERS[nn.Conv2d](graph, layer.conv, "conv", x)
        return graph.node("Add", name, h, LAYERS[nn.BatchNorm2d](graph, layer.norm, "norm", h))

    net = with_statistics(ReadTwice())
    x = RNG.standard_normal((2, 2, 3, 3)).astype(np.float32)
    graph = trace(net, (2, 3, 3), pixels=None)
    np.testing.assert_allclose(graph.run(x)[graph.output], net(x), rtol=1e-5, atol=1e-6)


class NormUnused(nn.Layer):
    """y = conv(x), although its nodes have a norm of it besides."""

    def __init__(self):
        self.conv, self.norm = nn.Conv2d(2, 2, 1), nn.BatchNorm2d(2)

    def forward(self, x, training=True):
        return self.conv.forward(x, training)


def test_a_map_that_is_the_output_is_not_changed(monkeypatch):
    monkeypatch.setattr("minise.export.layers.LAYERS", dict(LAYERS))

    @register(NormUnused)
    def unused(graph, layer, name, x):
        h = LAYERS[nn.Conv2d](graph, layer.conv, "conv", x)
        LAYERS[nn.BatchNorm2d](graph, layer.norm, "norm", h)
        return h

    net = with_statistics(NormUnused())
    x = RNG.standard_normal((2, 2, 3, 3)).astype(np.float32)
    graph = trace(net, (2, 3, 3), pixels=None)
    np.testing.assert_allclose(graph.run(x)[graph.output], net(x), rtol=1e-5, atol=1e-6)


def test_one_convolution_with_two_norms_has_two_sets_of_weights():
    conv, norms = nn.Conv2d(2, 2, 1), [nn.BatchNorm2d(2), nn.BatchNorm2d(2)]
    net = with_statistics(nn.Sequential(a=conv, b=norms[0], c=conv, d=norms[1], e=conv))
    x = RNG.standard_normal((2, 2, 3, 3)).astype(np.float32)
    graph = trace(net, (2, 3, 3), pixels=None)
    np.testing.assert_allclose(graph.run(x)[graph.output], net(x), rtol=1e-5, atol=1e-6)


class Standardised(nn.Layer):
    """A convolution with tanh(weight), which the graph computes."""

    def __init__(self):
        self.weight = nn.Parameter(RNG.standard_normal((2, 2, 1, 1)).astype(np.float32))

    def forward(self, x, training=True):
        return ops.conv2d(x, np.tanh(self.weight.value), None)[0], None


def test_a_norm_after_weights_that_are_computed_stands_alone(monkeypatch):
    monkeypatch.setattr("minise.export.layers.LAYERS", dict(LAYERS))

    @register(Standardised)
    def standardised(graph, layer, name, x):
        weight = graph.node("Tanh", "w", graph.state("weight", layer.weight.value))
        options = {"strides": (1, 1), "pads": (0,) * 4, "dilations": (1, 1), "group": 1}
        return graph.node("Conv", name, x, weight, kernel_shape=(1, 1), **options)

    net = with_statistics(nn.Sequential(Standardised(), nn.BatchNorm2d(2)))
    x = RNG.standard_normal((2, 2, 3, 3)).astype(np.float32)
    graph = trace(net, (2, 3, 3), pixels=None)
    np.testing.assert_allclose(graph.run(x)[graph.output], net(x), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    ("array", "what"), [("conv1.weight", "weights"), ("bn1.running_var", "running_var")]
)
@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_no_format_is_written_of_numbers_that_are_not_finite(array, what, bad):
    net = nn.Sequential(conv1=nn.Conv2d(1, 2, 3), bn1=nn.BatchNorm2d(2), pool=nn.GlobalAvgPool())
    state = {name: value.copy() for name, value in net.state_dict().items()}
    state[array].flat[0] = bad
    net.load_state_dict(state)
    message = rf"^export: the {what} of {array[: array.index('.')]} are not finite"
    with pytest.raises(InputError, match=message):
        onnx_model(net, (1, 5, 5), pixels=None)
    with pytest.raises(InputError, match=message):
        c_header(net, (1, 5, 5), "net", pixels=None)
    with pytest.raises(InputError, match=message):
        javascript_module(net, (1, 5, 5), pixels=None)
