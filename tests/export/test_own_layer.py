"""The block of tutorial 9, a layer of one's own, goes into every format once it has its nodes."""

import notebooks
import numpy as np
import pytest
from in_c import needs_compiler
from in_node import Node, assert_says_the_same, needs_node
from onnx_runtimes import assert_says_the_same as assert_model_says_the_same

from minise import nn, ops
from minise.export import (
    OPERATORS,
    c_difference,
    c_header,
    javascript_module,
    layers,
    onnx_model,
    register,
)

CELLS = [cell.source for cell in notebooks.read(notebooks.FOLDER / "09-bring-your-own.ipynb").cells]


@pytest.fixture(scope="module")
def net():
    """A convolution and the block, with its code as it stands in the tutorial."""
    names = {"np": np, "nn": nn, "ops": ops}
    for start in ("EPS = ", "class StyleGate"):
        (code,) = (source for source in CELLS if source.startswith(start))
        exec(code, names)
    (code,) = (source for source in CELLS if source.startswith("@export.register(StyleGate)"))
    names["export"] = type("export", (), {"register": staticmethod(register)})
    exec(code, names)
    rng = np.random.default_rng(0)
    gate = names["StyleGate"](4, rng=rng)
    gate.bias.value[...] = rng.standard_normal(4)
    yield nn.Sequential(conv=nn.Conv2d(1, 4, 3, rng=rng), gate=gate, pool=nn.GlobalAvgPool())
    del layers.LAYERS[names["StyleGate"]]


@pytest.fixture(scope="module")
def images():
    return np.random.default_rng(1).standard_normal((3, 1, 8, 9)).astype(np.float32)


def test_as_an_onnx_model(net, images):
    assert_model_says_the_same(onnx_model(net, (1, 8, 9), pixels=None), net, images)


@needs_node
def test_as_javascript(net, images, tmp_path):
    node = Node(tmp_path)
    text = javascript_module(net, (1, 8, 9), pixels=None)
    assert_says_the_same(node, text, net(images), images)
    node.close()


@needs_compiler
def test_as_c(net, images):
    header = c_header(net, (1, 8, 9), "net", pixels=None)
    assert c_difference(header, "net", net, images, pixels=None) < 1e-5


def test_the_pages_say_how_many_operators_there_are():
    assert any(f"There are {len(OPERATORS)} operators" in source for source in CELLS)
    page = notebooks.FOLDER / "how-minise-is-built.md"
    assert f"`{len(OPERATORS)} operators " in page.read_text(encoding="utf-8")
