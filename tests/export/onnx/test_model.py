import os
import re
import subprocess
import sys

import numpy as np
import onnx
import pytest
from onnx import numpy_helper
from onnx_runtimes import assert_says_the_same, with_statistics

from minise import InputError, backend, gradcheck, models, nn
from minise.export import Pixels, layers, onnx_model, save_onnx, trace
from minise.export.plan import plan

OF_MNIST = [name for name in models.names() if models.image_shape(name) == (1, 28, 28)]


def images(N, *shape):
    return np.random.default_rng(0).standard_normal((N, *shape)).astype(np.float32)


@pytest.mark.parametrize("name", OF_MNIST)
def test_one_model_of_a_net_takes_batches_of_any_size(name):
    net = with_statistics(models.create(name, seed=1))
    model = onnx_model(net, (1, 28, 28), pixels=None)
    assert_says_the_same(model, net, images(1, 1, 28, 28), images(5, 1, 28, 28))


@pytest.mark.parametrize(
    "name", [pytest.param("se-resnet50", marks=pytest.mark.slow), "se-bn-inception"]
)
def test_nets_of_imagenet_say_the_same(name):
    net = with_statistics(models.create(name, num_classes=10))
    model, x = onnx_model(net, (3, 64, 64), pixels=None), images(2, 3, 64, 64)
    assert_says_the_same(model, net, x[:1], x, runtimes=["onnxruntime", "OpenCV"])


# What the page on runtimes promises: some know no others, and a new one is to be tried in them all.
FEW = {
    "Add", "AveragePool", "Cast", "Clip", "Concat", "Conv", "Flatten", "Gemm", "GlobalAveragePool",
    "GlobalMaxPool", "Identity", "LeakyRelu", "Max", "MaxPool", "Mul", "Relu", "Reshape", "Sigmoid",
    "Tanh", "Transpose",
}  # fmt: skip


def operators(net, shape, **options):
    pixels = Pixels(0.1, 0.3, np.uint8)
    model = onnx_model(net, shape, pixels=pixels, **options)
    return {node.op_type for node in model.graph.node}


@pytest.mark.parametrize("name", OF_MNIST)
def test_nets_of_mnist_are_of_few_operators(name):
    net = models.create(name)
    for batch in (None, 1):
        assert operators(net, (1, 28, 28), batch=batch) <= FEW


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(set(models.names()) - set(OF_MNIST)))
def test_other_nets_are_of_few_operators(name):
    net = models.create(name, num_classes=2)
    channels, *size = models.image_shape(name)
    shape = (channels, *(min(pixels, 33) for pixels in size))
    assert {node.op for node in trace(net, shape, pixels=Pixels(0.1, 0.3)).nodes} <= FEW


def test_layers_are_of_few_operators():
    for name in (name for name in gradcheck.EXAMPLES if name[0].isupper()):
        example = gradcheck.EXAMPLES[name](np.random.default_rng(0))
        shape = example.inputs[0].shape[1:]
        found = trace(example.subject, shape, pixels=None).nodes
        assert {node.op for node in found} <= FEW, name


def test_with_the_names_of_the_state_there_is_batch_norm_besides():
    found = operators(models.create("se-resnet8"), (1, 28, 28), keep_names=True)
    assert found - FEW == {"BatchNormalization"}


def test_with_them_it_says_the_same_for_any_batch():
    net = with_statistics(models.create("se-resnet8", seed=1))
    model = onnx_model(net, (1, 28, 28), pixels=None, keep_names=True)
    batches = images(1, 1, 28, 28), images(5, 1, 28, 28)
    assert_says_the_same(model, net, *batches, runtimes=["reference", "onnxruntime"])


def test_a_node_that_reads_the_output_changes_nothing(monkeypatch):
    def with_another(graph, layer, name, x):
        y = graph.node("Tanh", name, x)
        graph.node("Relu", "unread", y)
        return y

    monkeypatch.setitem(layers.LAYERS, nn.Tanh, with_another)
    net = nn.Sequential(tanh=nn.Tanh())
    model = onnx_model(net, (2, 3, 3), pixels=None)
    assert_says_the_same(model, net, images(2, 2, 3, 3), runtimes=["onnxruntime"])
    planned = plan(trace(net, (1, 3, 3), pixels=None))
    assert [step.op for step in planned.steps if not step.then] == ["Tanh", "Relu"]
    assert planned.output == planned.steps[0].output


def test_a_model_has_the_names_and_the_arrays_of_its_net():
    net = with_statistics(models.create("se-resnet8"))
    graph = onnx_model(net, (1, 28, 28), pixels=None, keep_names=True).graph
    state = net.state_dict()
    arrays = [array for array in graph.initializer if not array.name.endswith(".shape")]
    assert [array.name for array in arrays] == list(state)
    for array in arrays:
        np.testing.assert_array_equal(numpy_helper.to_array(array), state[array.name])
    nodes = {node.name: node.op_type for node in graph.node}
    assert len(nodes) == len(graph.node)
    expected = {"conv": "Conv", "block2.bn1": "BatchNormalization", "block1.se.fc1": "Gemm"}
    assert expected.items() <= nodes.items()
    assert {name for name, _ in net.children() if "block" not in name} <= set(nodes)


@pytest.mark.parametrize("name", ["resnet8", "se-cnn", "se-mobilenetv3-tiny"])
def test_of_a_folded_model_no_array_is_put_in_by_its_name_in_the_state(name):
    net = models.create(name)
    graph = onnx_model(net, (1, 28, 28), pixels=None).graph
    assert not {array.name for array in graph.initializer} & set(net.state_dict())


def test_a_layer_that_is_called_as_an_array_of_another_is_no_trouble():
    net = nn.Sequential(**{"a": nn.Conv2d(2, 2, 1), "a_weight": nn.ReLU(), "a_bias": nn.Tanh()})
    assert_says_the_same(onnx_model(net, (2, 3, 3), pixels=None), net, images(2, 2, 3, 3))


def test_a_model_says_how_it_is_to_be_read():
    metadata = {"model": "se-cnn", "mean": "0.13"}
    model = onnx_model(models.create("se-cnn"), (1, 28, 28), metadata=metadata, pixels=None)
    assert {entry.key: entry.value for entry in model.metadata_props} == metadata
    assert [(o.domain, o.version) for o in model.opset_import] == [("", 17)]
    assert (model.ir_version, model.producer_name) == (8, "minise")
    (x,), (scores,) = model.graph.input, model.graph.output
    assert (x.name, scores.name) == ("x", "scores")
    shapes = [
        [size.dim_param or size.dim_value for size in value.type.tensor_type.shape.dim]
        for value in (x, scores)
    ]
    assert shapes == [["N", 1, 28, 28], ["N", 10]]


def test_the_arrays_are_copies_and_the_net_stays_as_it_is():
    net = models.create("se-resnet8")
    before = net.state_dict()
    model = onnx_model(net, (1, 28, 28), pixels=None)
    content = model.SerializeToString()
    assert all(np.array_equal(before[name], value) for name, value in net.state_dict().items())
    for parameter in net.parameters():
        parameter.value += 1
    assert model.SerializeToString() == content


@pytest.mark.parametrize(
    "net",
    [
        nn.Sequential(),
        nn.Sequential(scores=nn.ReLU(), x=nn.ReLU(), last=nn.Sequential(), N=nn.Tanh()),
        nn.Sequential(nn.ReLU(), nn.Sequential()),
        nn.Sequential(**{"a": nn.Conv2d(2, 2, 1), "a.weight": nn.ReLU()}),
    ],
)
def test_names_that_are_taken_and_nets_of_nothing_are_no_trouble(net):
    assert_says_the_same(onnx_model(net, (2, 3, 3), pixels=None), net, images(2, 2, 3, 3))


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        ((1, 20, 20), "an input of (1, 20, 20) does not fit: linear: x has 400"),
        ((3, 28, 28), "does not fit: conv2d: x has 3 channels"),
        ((28, 28), "does not fit: conv2d: x has shape (1, 28, 28)"),
        ((1, 0, 28), "does not fit: conv2d: x has no pixels"),
        ((1, -1, 28), "does not fit: negative dimensions"),
        ((1, 2.5, 28), "does not fit: 'float' object"),
    ],
)
def test_images_that_do_not_fit_are_one_clear_error(shape, message):
    with pytest.raises(InputError, match=re.escape(message)):
        onnx_model(models.create("cnn"), shape, pixels=None)


def test_a_model_has_passed_the_checker(monkeypatch):
    def refuse(model, full_check):
        raise onnx.checker.ValidationError(f"refused, {full_check}")

    monkeypatch.setattr(onnx.checker, "check_model", refuse)
    with pytest.raises(onnx.checker.ValidationError, match="refused, True"):
        onnx_model(nn.ReLU(), (1, 2, 2), pixels=None)


def test_an_operator_that_is_not_of_the_list_is_refused(monkeypatch):
    def unknown(graph, layer, name, x):
        return graph.node("Relux", name, x)

    monkeypatch.setitem(layers.LAYERS, nn.ReLU, unknown)
    with pytest.raises(
        InputError, match=r"^export: a: unknown operator 'Relux': did you mean 'Relu'"
    ):
        onnx_model(nn.Sequential(a=nn.ReLU()), (1, 2, 2), pixels=None)


def test_the_backend_does_not_matter():
    net = models.create("se-cnn")
    with backend.using("numpy"):
        content = onnx_model(net, (1, 28, 28), pixels=None).SerializeToString()
    assert onnx_model(net, (1, 28, 28), pixels=None).SerializeToString() == content


def test_a_saved_model_is_read_by_others(tmp_path):
    net = models.create("se-cnn")
    save_onnx(tmp_path / "model.onnx", onnx_model(net, (1, 28, 28), pixels=None))
    assert [path.name for path in tmp_path.iterdir()] == ["model.onnx"]
    assert_says_the_same(onnx.load(tmp_path / "model.onnx"), net, images(2, 1, 28, 28))


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch):
    path, model = tmp_path / "model.onnx", onnx_model(nn.ReLU(), (1, 2, 2), pixels=None)
    path.write_bytes(b"old")

    def full(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(InputError, match=r"model\.onnx: cannot be written: No space left"):
        save_onnx(path, model)
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_without_the_package_onnx_one_line_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(InputError, match=r"^export needs the package onnx: python -m pip install"):
        onnx_model(nn.ReLU(), (1, 2, 2), pixels=None)


def test_onnx_is_imported_only_to_export():
    code = "import sys, minise.export, minise.cli; print('onnx' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
