import base64
import json
import re
from functools import partial

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from in_chromium import evaluate, needs_chromium
from in_node import Node, assert_says_the_same, needs_node
from onnx_runtimes import cast, with_statistics
from strategies import conv_cases, pool_cases

from minise import InputError, backend, data, gradcheck, models, nn
from minise.export import OPERATORS, Graph, Pixels, javascript_module, register
from minise.export.javascript.module import FUNCTIONS
from minise.export.layers import LAYERS

pytestmark = needs_node
OF_LAYERS = [name for name in gradcheck.EXAMPLES if name[0].isupper()]
OF_MNIST = [name for name in models.names() if models.image_shape(name) == (1, 28, 28)]
DIGITS = Pixels(0.1307, 0.3081)
FEW = st.integers(1, 2)  # images


@pytest.fixture(scope="module")
def node(tmp_path_factory):
    node = Node(tmp_path_factory.mktemp("node"))
    yield node
    node.close()


def images(N, *shape):
    return np.random.default_rng(0).standard_normal((N, *shape)).astype(np.float32)


def pictures(N, *shape):
    return np.random.default_rng(0).integers(0, 256, (N, *shape), np.uint8)


def scores_of(net, x):
    with backend.using("numpy"):  # few images each: compiling would take longer
        return net(x)


def assert_exported(node, net, x):
    text = javascript_module(net, x.shape[1:], pixels=None)
    assert_says_the_same(node, text, scores_of(net, x), x)


@pytest.mark.parametrize("name", OF_LAYERS)
def test_every_layer_that_gradients_are_checked_of_is_the_same(node, name):
    example = gradcheck.EXAMPLES[name](np.random.default_rng(3))
    net = with_statistics(cast(example.subject, np.float32))
    assert_exported(node, net, example.inputs[0].astype(np.float32))


@pytest.mark.parametrize("name", OF_MNIST)
def test_every_net_gives_the_scores_of_pictures(node, name):
    net, x = with_statistics(models.create(name, seed=1)), pictures(2, 1, 28, 28)
    text = javascript_module(net, (1, 28, 28), pixels=DIGITS)
    assert_says_the_same(node, text, scores_of(net, DIGITS.normalised(x)), x)


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_colours_are_side_by_side_and_each_has_its_own_mean(node, dtype):
    net, x = with_statistics(models.create("se-resnet20")), pictures(2, 3, 8, 7)
    pixels = Pixels([0.2, 0.4, 0.6], [0.1, 0.2, 0.3], dtype)
    text = javascript_module(net, (3, 8, 7), pixels=pixels)
    assert_says_the_same(node, text, scores_of(net, pixels.normalised(x)), x)


@given(case=conv_cases(np.float32, FEW, most_filters=5))
def test_a_convolution_has_the_same_stride_padding_dilation_and_groups(node, case):
    F, _, *size = case.w.shape
    net = nn.Conv2d(case.x.shape[1], F, tuple(size), bias=case.b is not None, **case.options)
    net.weight.value[...] = case.w
    if case.b is not None:
        net.bias.value[...] = case.b
    assert_exported(node, net, case.x)


@given(case=pool_cases(np.float32, FEW))
def test_the_largest_pixel_is_of_the_same_window(node, case):
    assert_exported(node, nn.MaxPool2d(**case.options), case.x)


@given(case=pool_cases(np.float32, FEW), count_include_pad=st.booleans())
def test_the_average_is_over_the_same_pixels(node, case, count_include_pad):
    assert_exported(node, nn.AvgPool2d(**case.options, count_include_pad=count_include_pad), case.x)


def test_a_place_that_is_of_padding_alone_is_the_bias(node):
    assert_exported(node, nn.Conv2d(3, 5, 1, stride=3, padding=1), images(2, 3, 1, 1))


SE_MAKERS = {
    "max": partial(nn.SEBlock, hidden=3, squeeze="max", gate="hard_sigmoid"),
    "NoSqueeze": partial(nn.NoSqueeze, hidden=3),
    "ConcurrentSE": partial(nn.ConcurrentSE, hidden=3),
    "ECA": nn.ECA,
}


@pytest.mark.parametrize("placement", nn.PLACEMENTS)
@pytest.mark.parametrize("se", SE_MAKERS)
def test_any_relative_of_se_stands_in_any_place(node, se, placement):
    block = nn.Residual(4, 6, 2, se=SE_MAKERS[se], placement=placement)
    assert_exported(node, with_statistics(block), images(2, 4, 5, 4))


def test_every_operator_is_known():
    """Batch norm is folded, and the others change no number."""
    others = {"BatchNormalization", "Cast", "Flatten", "Reshape"}
    assert set(FUNCTIONS) == set(OPERATORS) - others


class Own(nn.Layer):
    """A layer whose nodes are given, with what the graph says of them as what it computes."""

    def __init__(self, add):
        self.add = add

    def forward(self, x, training=True):
        graph = trace_of(self.add, x.shape[1:])
        return graph.run(x)[graph.output], None


def trace_of(add, shape):
    graph = Graph("x", np.zeros((1, *shape), np.float32))
    graph.output = add(graph, "own", "x")
    return graph


def shuffled(graph, name, x):
    """The channels of two groups in turn."""
    C, H, W = graph.shape(x)
    y = graph.node("Reshape", f"{name}.groups", x, shape=(2, C // 2, H, W))
    y = graph.node("Transpose", f"{name}.turn", y, perm=(0, 2, 1, 3, 4))
    y = graph.node("Relu", f"{name}.relu", y)
    return graph.node("Reshape", name, y, shape=(C, H, W))


def joined(graph, name, x):
    """All broadcasts: by row, by column, by channel, and by numbers for each place."""
    C, H, W = graph.shape(x)
    rng = np.random.default_rng(1)
    y = x
    for op, shape in [
        ("Add", (1, C, 1, 1)), ("Mul", (1, 1, H, 1)), ("Max", (1, 1, 1, W)), ("Mul", (1, 1, H, W)),
        ("Add", (1, C, 1, W)), ("Max", (1, C, H, 1)), ("Mul", (1, C, H, W)), ("Max", (1, 1, 1, 1)),
    ]:  # fmt: skip
        y = graph.node(op, name, y, graph.constant("c", rng.standard_normal(shape), x))
    turned = graph.node("Transpose", name, x, perm=(0, 1, 3, 2))
    return graph.node("Concat", name, y, graph.node("Identity", "i", x), turned, axis=1)


def product(graph, name, x):
    """Of rows that were maps, with weights (in, out)."""
    row = graph.node("Tanh", f"{name}.tanh", graph.node("Flatten", f"{name}.row", x, axis=1))
    weight = np.random.default_rng(1).standard_normal((graph.shape(row)[0], 5))
    return graph.node("Gemm", name, row, graph.constant("w", weight, x), transB=0)


def along(axis):
    return lambda graph, name, x: graph.node(
        "Concat", name, x, graph.node("Clip", "c", x, min=-0.5, max=float("inf")), axis=axis
    )


@pytest.mark.parametrize(
    "add", [shuffled, joined, product, along(1), along(2), along(-1)], ids=lambda add: add.__name__
)
def test_a_layer_of_ones_own_may_use_any_operator(node, add, monkeypatch):
    monkeypatch.setattr("minise.export.layers.LAYERS", dict(LAYERS))
    register(Own)(lambda graph, layer, name, x: layer.add(graph, name, x))
    assert_exported(
        node, nn.Sequential(a=nn.Tanh(), b=Own(add), c=nn.LeakyReLU()), images(2, 4, 3, 3)
    )


@pytest.mark.parametrize(
    "names",
    [
        ["class", "await", "inputShape", "scores", "pixels"],
        ["conv", "relu", "part", "weights", "memory"],
        ["0", "1", "a_weight", "a", "a.weight"],
        ["Größe", "*/", "\n throw 1", "`${0}", "__proto__"],
        ["Math", "Float32Array", "undefined", "picture", "input"],
    ],
)
def test_layers_may_be_called_anything(node, names):
    a, b, c, d, e = names
    layers = {
        a: nn.Conv2d(2, 3, 1),
        b: nn.ReLU(),
        c: nn.Conv2d(3, 3, 1),
        d: nn.Tanh(),
        e: nn.SiLU(),
    }
    assert_exported(node, nn.Sequential(**layers), images(2, 2, 3, 3))


@pytest.mark.parametrize("net", [nn.Sequential(), nn.Flatten(), nn.Linear(5, 3)])
def test_a_net_of_nothing_or_of_rows_is_no_trouble(node, net):
    shape = (5,) if isinstance(net, nn.Linear) else (2, 3, 3)
    assert_exported(node, net, images(2, *shape))


def test_what_is_not_finite_stays_so(node):
    x = np.array([np.nan, np.inf, -np.inf, 1], np.float32).reshape(4, 1, 1, 1)
    for layer in (nn.ReLU(), nn.LeakyReLU(), nn.Clip(-1, 1), nn.Sigmoid(), nn.GlobalMaxPool()):
        text = javascript_module(layer, (1, 1, 1), pixels=None)
        numbers = "[NaN, Infinity, -Infinity, 1]"
        scores = node.evaluate(text, f"{numbers}.map(x => String(m.predict([x])[0]))")
        np.testing.assert_allclose(np.array(scores, float), scores_of(layer, x).ravel(), rtol=1e-6)


SE_CNN = models.create("se-cnn")


@pytest.fixture(scope="module")
def text():
    return javascript_module(SE_CNN, (1, 28, 28), pixels=DIGITS)


def test_a_page_finds_what_it_needs(node, text):
    assert node.evaluate(text, "Object.keys(m)") == ["classes", "inputShape", "pixelsOf", "predict"]
    assert node.evaluate(text, "m.inputShape") == [28, 28, 1]
    assert node.evaluate(text, "m.classes") == [str(digit) for digit in range(10)]
    assert "import" not in text.replace("//     import", "")


def test_classes_have_their_names(node):
    names = ["a \"quoted\" 'one'", "Größe\n\\", "</script>"]
    net = nn.Sequential(nn.Flatten(), nn.Linear(4, 3))
    text = javascript_module(net, (1, 2, 2), pixels=DIGITS, classes=names)
    assert node.evaluate(text, "m.classes") == names
    with pytest.raises(InputError, match=r"^export: 2 names of classes, expected 3"):
        javascript_module(net, (1, 2, 2), pixels=DIGITS, classes=names[:2])


@pytest.mark.parametrize(
    "array", ["[...p]", "new Uint8Array(p)", "Uint8ClampedArray.from(p)", "new Float32Array(p)"]
)
def test_pixels_are_in_any_kind_of_array(node, text, array):
    x = pictures(1, 1, 28, 28)
    p = json.dumps(x.ravel().tolist())
    scores = node.evaluate(text, f"(p => [...m.predict({array})])({p})")
    expected = scores_of(SE_CNN, DIGITS.normalised(x))
    np.testing.assert_allclose([scores], expected, atol=1e-5)
    kind = node.evaluate(text, f"m.predict({p}).constructor.name")
    assert kind == "Float32Array"


def test_scores_are_the_callers_own_and_pixels_stay(node, text):
    code = """(() => {
        const one = new Uint8Array(784).fill(200), first = m.predict(one), before = [...first];
        const second = m.predict(new Uint8Array(784));
        return [before.join() === first.join(), first.join() !== second.join(),
            before.join() === m.predict(one).join(), one.every(pixel => pixel === 200)];
    })()"""
    assert node.evaluate(text, code) == [True] * 4


@pytest.mark.parametrize(
    ("pixels", "got"),
    [("new Uint8Array(3136)", "3136"), ("[[0]]", "1"), ("{ data: [] }", "no"), ("undefined", "no")],
)
def test_another_number_of_pixels_is_one_clear_error(node, text, pixels, got):
    expected = f"^Error: predict: got {got} numbers, expected 784 = 28 x 28 x 1; those of a canvas "
    with pytest.raises(RuntimeError, match=expected):
        node.evaluate(text, f"m.predict({pixels})")
    normalised = javascript_module(SE_CNN, (1, 28, 28), pixels=None)
    with pytest.raises(RuntimeError, match=f"got {got} numbers, expected 784 = 28 x 28 x 1$"):
        node.evaluate(normalised, f"m.predict({pixels})")


IMAGE = "{ width: 2, height: 1, data: new Uint8ClampedArray([255, 100, 0, 255, 10, 20, 30, 51]) }"


@pytest.mark.parametrize(
    ("channels", "pixels"), [(1, [135, 4]), (3, [255, 100, 0, 2, 4, 6])], ids=["grey", "colour"]
)
def test_pixels_of_a_canvas_have_no_alpha(node, channels, pixels):
    text = javascript_module(nn.ReLU(), (channels, 1, 2), pixels=Pixels(0, 1))
    assert node.evaluate(text, f"[...m.pixelsOf({IMAGE})]") == pixels
    scores = node.evaluate(text, f"[...m.predict(m.pixelsOf({IMAGE}))]")
    in_order = np.array(pixels).reshape(2, channels).T.ravel() / 255
    np.testing.assert_allclose(scores, in_order, rtol=1e-6)


def test_a_canvas_of_another_size_is_one_clear_error(node, text):
    with pytest.raises(RuntimeError, match=r"^Error: pixelsOf: got 2 x 1 pixels, expected 28 x 28"):
        node.evaluate(text, f"m.pixelsOf({IMAGE})")


def test_a_module_that_takes_no_picture_has_no_pixels_of_one(node):
    for channels, pixels in ((1, None), (2, DIGITS)):
        text = javascript_module(nn.ReLU(), (channels, 2, 2), pixels=pixels)
        assert "pixelsOf" not in text


def test_the_weights_are_float32_little_endian(text):
    numbers = np.frombuffer(base64.b64decode(re.search('return "(.+)"', text)[1]), "<f4")
    np.testing.assert_array_equal(numbers[-10:], SE_CNN.fc.bias.value)
    at, size = re.search(r"conv1_weight = part\(weights, (\d+), 8, 3, 3, (1)\)", text).groups()
    weights = numbers[int(at) : int(at) + 72].reshape(8, 3, 3, int(size))
    np.testing.assert_array_equal(weights, SE_CNN.conv1.weight.value.transpose(0, 2, 3, 1))


def test_the_same_net_is_the_same_text_with_what_it_uses_alone(text):
    assert javascript_module(SE_CNN, (1, 28, 28), pixels=DIGITS) == text
    assert "function sigmoid(" in text
    assert "function tanh(" not in text
    code, weights = len(text), 4 * (9290) * 4 / 3
    assert code - weights < 12_000
    assert text.isascii()
    assert max(map(len, text.splitlines()[:-3])) <= 120


def test_a_layer_without_a_translation_and_images_that_do_not_fit_are_one_clear_error():
    with pytest.raises(InputError, match=r"^export: a is a Own, which export does not know"):
        javascript_module(nn.Sequential(a=Own(shuffled)), (2, 2, 2), pixels=None)
    with pytest.raises(InputError, match=r"does not fit: conv2d: x has 3 channels"):
        javascript_module(SE_CNN, (3, 28, 28), pixels=None)


def four_axes(graph, name, x):
    y = graph.node("Reshape", f"{name}.split", x, shape=(2, 2, 3, 3))
    return graph.node("Add", name, y, graph.constant("c", np.ones((1, 1, 2, 1, 3)), y))


def test_a_join_of_more_axes_than_three_is_refused(monkeypatch):
    monkeypatch.setattr("minise.export.layers.LAYERS", dict(LAYERS))
    register(Own)(lambda graph, layer, name, x: layer.add(graph, name, x))
    message = r"^export: a: JavaScript has no Add of \(2, 2, 3, 3\) and \(1, 2, 1, 3\)$"
    with pytest.raises(InputError, match=message):
        javascript_module(nn.Sequential(a=Own(four_axes)), (4, 3, 3), pixels=None)


@pytest.mark.slow  # a browser starts; Node above runs the same engine
@needs_chromium
def test_in_a_page_the_scores_are_the_same(tmp_path, text):
    x = data.load("sample").test.images[:120]
    pixels = json.dumps([picture.ravel().tolist() for picture in x])
    code = f"{pixels}.map(p => [...m.predict(Uint8Array.from(p))])"
    scores = np.array(evaluate(tmp_path, text, code))
    expected = SE_CNN(DIGITS.normalised(x))
    assert np.abs(scores - expected).max() <= 1e-5 * np.abs(expected).max()
