"""Plans against graphs: the steps in NumPy, in the memory that they are given."""

import math

import numpy as np
import pytest
from onnx_runtimes import cast, with_statistics

from minise import InputError, export, gradcheck, models, nn
from minise.export import OPERATORS, Pixels, trace
from minise.export.memory import offsets
from minise.export.plan import INPUT, MEMORY, OUTPUT, Value, plan

OF_LAYERS = [name for name in gradcheck.EXAMPLES if name[0].isupper()]
OF_MNIST = [name for name in models.names() if models.image_shape(name) == (1, 28, 28)]


def run(layout, x):
    """What the steps make of one image, which lies as the plan has it: a row."""
    places = {
        INPUT: np.ascontiguousarray(x, np.float32).reshape(-1),
        MEMORY: np.full(layout.memory, np.nan, np.float32),
        OUTPUT: np.full(math.prod(layout.output.shape), np.nan, np.float32),
    }

    def numbers(value):
        if not isinstance(value, Value):
            return value
        end = value.offset + math.prod(value.shape)
        return places[value.place][value.offset : end].reshape(value.shape)

    for step in layout.steps:
        y = computed(step, [numbers(x).copy() for x in step.inputs])
        for then in step.then:
            arrays = [y] if then.constant is None else [y, then.constant]
            y = OPERATORS[then.op](*arrays, **then.options)
        assert y.shape == step.output.shape
        numbers(step.output)[...] = y
    return places[OUTPUT]


def computed(step, inputs):
    x, options = inputs[0], step.options
    match step.op:
        case "Gemm":
            return (x @ step.weight + (0 if step.bias is None else step.bias)).reshape(
                step.output.shape
            )
        case "Conv":
            w = step.weight.transpose(3, 2, 0, 1)
            return OPERATORS["Conv"](x.transpose(2, 0, 1)[None], w, step.bias, **options)[
                0
            ].transpose(1, 2, 0)
        case "MaxPool" | "AveragePool" | "GlobalAveragePool" | "GlobalMaxPool":
            return OPERATORS[step.op](x.transpose(2, 0, 1)[None], **options)[0].transpose(1, 2, 0)
        case "Concat":
            return np.concatenate(inputs, options["axis"])
    return OPERATORS[step.op](*inputs, **options)


def assert_planned(net, x, pixels=None):
    """For the first of the images x (N, C, H, W) or rows (N, C)."""
    graph = trace(net, x.shape[1:], pixels=pixels)
    layout = plan(graph)
    expected = graph.run(x[:1])[graph.output][0].reshape(-1)
    got = run(layout, np.moveaxis(x[0], 0, -1) if x.ndim == 4 else x[0])
    np.testing.assert_allclose(got, expected, rtol=0, atol=1e-5 * np.abs(expected).max())
    return layout


def images(*shape):
    return np.random.default_rng(0).standard_normal(shape).astype(np.float32)


@pytest.mark.parametrize("name", OF_LAYERS)
def test_every_layer_that_gradients_are_checked_of_is_planned(name):
    example = gradcheck.EXAMPLES[name](np.random.default_rng(3))
    net = with_statistics(cast(example.subject, np.float32))
    assert_planned(net, example.inputs[0].astype(np.float32))


@pytest.mark.parametrize("name", OF_MNIST)
def test_every_net_of_mnist_is_planned(name):
    net = with_statistics(models.create(name, seed=1))
    pixels = np.random.default_rng(0).integers(0, 256, (1, 1, 28, 28)).astype(np.float32)
    assert_planned(net, pixels, Pixels(0.13, 0.31))


def test_activations_and_what_is_added_stand_in_the_step_before():
    layout = assert_planned(
        nn.Sequential(conv=nn.Conv2d(2, 3, 1), swish=nn.HardSigmoid(), relu=nn.ReLU()),
        images(1, 2, 3, 4),
    )
    assert [step.op for step in layout.steps] == ["Conv", "Transpose"]
    assert [then.op for then in layout.steps[0].then] == ["Add", "Clip", "Mul", "Relu"]


def test_a_value_that_two_read_is_kept():
    layout = assert_planned(
        nn.Sequential(conv=nn.Conv2d(2, 3, 1), silu=nn.SiLU()), images(1, 2, 3, 4)
    )
    assert [step.op for step in layout.steps] == ["Conv", "Sigmoid", "Mul", "Transpose"]


def test_memory_is_used_again():
    net = nn.Sequential(*[nn.Conv2d(4, 4, 1) for _ in range(6)], nn.GlobalAvgPool())
    assert assert_planned(net, images(1, 4, 5, 5)).memory == 2 * 4 * 5 * 5


def test_a_map_is_scaled_where_it_lies():
    layout = assert_planned(nn.Sequential(nn.Conv2d(1, 8, 1), nn.SEBlock(8, 2)), images(1, 1, 5, 5))
    scale = next(step for step in layout.steps if step.op == "Mul")
    assert scale.output.offset == scale.inputs[0].offset


def test_a_linear_map_after_flatten_has_its_weights_in_the_order_of_the_map():
    net = nn.Sequential(nn.Conv2d(2, 3, 1), nn.ReLU(), nn.Flatten(), nn.Linear(3 * 4 * 5, 2))
    layout = assert_planned(net, images(1, 2, 4, 5))
    assert [step.op for step in layout.steps] == ["Conv", "Gemm"]


def test_what_is_needed_together_lies_apart():
    sizes = {"a": 3, "b": 5, "c": 4, "d": 1}
    alive = {"a": (0, 1), "b": (1, 2), "c": (2, 3), "d": (0, 3)}
    starts, total = offsets(sizes, alive)
    taken = {name: set(range(starts[name], starts[name] + sizes[name])) for name in sizes}
    assert max(map(max, taken.values())) < total
    for one in sizes:
        for other in sizes:
            together = alive[one][0] <= alive[other][1] and alive[other][0] <= alive[one][1]
            assert one == other or not together or not taken[one] & taken[other]
    assert total < sum(-(-size // 4) * 4 for size in sizes.values())


class Rearranged(nn.Layer):
    """Maps reshaped to other maps, moved, and joined with constants."""

    def forward(self, x, training=True):
        N, C, H, W = x.shape
        y = np.maximum(x, 0).reshape(N, C // 2, H, 2 * W).transpose(0, 3, 1, 2)
        ones = np.broadcast_to(np.float32(2), (N, 1, *y.shape[2:]))
        y = np.concatenate([y, ones], 1).reshape(N, -1)
        return np.tanh(y), lambda dy: dy


@pytest.fixture
def rearranged(monkeypatch):
    monkeypatch.setattr(export.layers, "LAYERS", dict(export.layers.LAYERS))

    @export.register(Rearranged)
    def add(graph, layer, name, x):
        C, H, W = graph.shape(x)
        y = graph.node("Relu", "relu", x)
        y = graph.node("Reshape", "reshape", y, shape=(C // 2, H, 2 * W))
        y = graph.node("Transpose", "transpose", y, perm=(0, 3, 1, 2))
        constant = graph.constant("twos", np.full((1, 1, *graph.shape(y)[1:]), 2.0), y)
        y = graph.node("Concat", "concat", y, constant, axis=1)
        return graph.node("Tanh", "tanh", graph.node("Flatten", "flatten", y, axis=1))

    return Rearranged()


def test_a_layer_of_ones_own_moves_numbers_as_it_likes(rearranged):
    assert_planned(nn.Sequential(nn.Conv2d(2, 4, 1), rearranged), images(1, 2, 3, 5))


def test_what_only_onnx_can_say_is_refused_by_its_name():
    graph = trace(nn.Sequential(a=nn.ReLU()), (2, 3, 3), pixels=None)
    graph.node("Cast", "odd", graph.output, to="int32")
    with pytest.raises(InputError, match=r"^export: odd: Cast can be written as ONNX alone"):
        plan(graph)
