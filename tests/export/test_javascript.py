import base64
import json
import re
from functools import partial

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from javascript import Node, assert_says_the_same, needs_node
from onnx_runtimes import cast, with_statistics
from strategies import conv_cases, pool_cases

from minise import InputError, export, gradcheck, models, nn
from minise.export import OPERATORS, Pixels, trace
from minise.export.javascript import FUNCTIONS, javascript_module
from minise.export.layers import LAYERS

pytestmark = needs_node
OF_LAYERS = [name for name in gradcheck.EXAMPLES if name[0].isupper()]
OF_MNIST = [name for name in models.names() if models.image_shape(name) == (1, 28, 28)]
DIGITS = Pixels(0.1307, 0.3081)
ONE = st.integers(1, 2)  # images


@pytest.fixture(scope="module")
def node(tmp_path_factory):
    node = Node(tmp_path_factory.mktemp("node"))
    yield node
    node.close()


def images(N, *shape, seed=0):
    return np.random.default_rng(seed).standard_normal((N, *shape)).astype(np.float32)


def pictures(N, *shape):
    return np.random.default_rng(0).integers(0, 256, (N, *shape), np.uint8)


def assert_exported(node, net, x):
    text = javascript_module(net, x.shape[1:], pixels=None)
    assert_says_the_same(node, text, net(x), x)


@pytest.mark.parametrize("name", OF_LAYERS)
def test_every_layer_that_gradients_are_checked_of_is_the_same(node, name):
    example = gradcheck.EXAMPLES[name](np.random.default_rng(3))
    net = with_statistics(cast(example.subject, np.float32))
    assert_exported(node, net, example.inputs[0].astype(np.float32))


@pytest.mark.parametrize("name", OF_MNIST)
def test_every_net_gives_the_scores_of_pictures(node, name):
    net, x = with_statistics(models.create(name, seed=1)), pictures(3, 1, 28, 28)
    text = javascript_module(net, (1, 28, 28), pixels=DIGITS)
    assert_says_the_same(node, text, net(DIGITS.normalised(x)), x)


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_colours_are_side_by_side_and_each_has_its_own_mean(node, dtype):
    net, x = with_statistics(models.create("se-resnet20")), pictures(2, 3, 8, 8)
    pixels = Pixels([0.2, 0.4, 0.6], [0.1, 0.2, 0.3], dtype)
    text = javascript_module(net, (3, 8, 8), pixels=pixels)
    assert_says_the_same(node, text, net(pixels.normalised(x)), x)
