import numpy as np
import pytest
from onnx_runtimes import assert_says_the_same

from minise import nn
from minise.export import onnx_model, trace

RNG = np.random.default_rng(0)


# OpenCV 4.14 is wrong, without a word, where the whole kernel goes over a single row or column.
@pytest.mark.parametrize("size", [(1, 7), (7, 1), (1, 1), (1, 2)])
@pytest.mark.parametrize("stride", [1, 2])
def test_a_filter_for_each_channel_is_right_on_a_single_row_or_column(size, stride):
    net = nn.Conv2d(2, 4, 3, stride, padding=1, groups=2, rng=RNG)
    x = RNG.standard_normal((5, 2, *size)).astype(np.float32)
    assert_says_the_same(onnx_model(net, x.shape[1:], pixels=None), net, x[:1], x)


@pytest.mark.parametrize("size", [(1, 3), (3, 1)])
def test_an_average_over_padding_is_right_there_too(size):
    net = nn.AvgPool2d(3, 1, 1, count_include_pad=True)
    x = RNG.standard_normal((2, 2, *size)).astype(np.float32)
    assert_says_the_same(onnx_model(net, x.shape[1:], pixels=None), net, x[:1], x)


@pytest.mark.parametrize(
    ("size", "options", "kernel"),
    [
        ((1, 7), {"padding": 1}, (1, 3)),
        ((7, 1), {"padding": 1}, (3, 1)),
        ((1, 1), {"padding": 1}, (1, 1)),
        ((1, 1), {"padding": 4, "dilation": 4, "stride": 2}, (1, 1)),
        ((1, 1), {"padding": (1, 2), "stride": 3}, (1, 1)),  # the last column sees it
        ((1, 7), {"padding": 2}, (3, 3)),  # three rows come out
        ((1, 1), {"padding": 3, "dilation": 2, "stride": 3}, (3, 3)),  # no row sees it
        ((1, 1), {"padding": 4, "stride": 7}, (3, 3)),  # nor here
        ((2, 2), {"padding": 1}, (3, 3)),
    ],
)
def test_a_kernel_has_the_rows_and_columns_that_see_the_map(size, options, kernel):
    net = nn.Conv2d(2, 3, 3, **options, rng=RNG)
    x = RNG.standard_normal((2, 2, *size)).astype(np.float32)
    graph = trace(net, x.shape[1:], pixels=None)
    (node,) = graph.nodes
    assert graph.constants[node.inputs[1]].shape == (3, 2, *kernel)
    assert node.options["kernel_shape"] == kernel
    np.testing.assert_allclose(graph.run(x)[graph.output], net(x), rtol=1e-5, atol=1e-6)


def test_names_are_kept_with_their_shapes():
    net = nn.Conv2d(2, 3, 3, padding=1)
    graph = trace(net, (2, 1, 1), pixels=None, keep_names=True)
    assert graph.constants["weight"].shape == (3, 2, 3, 3)
