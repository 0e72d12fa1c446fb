"""Every layer as ONNX nodes: one function for each class.

A function takes the graph, the layer, its name and the name of its input, adds the nodes that
compute what `layer(x)` does, and returns the name of the output. The main node has the layer's
name, others a word more, as in "se1.scale".
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any, TypeAlias

import numpy as np

from minise.errors import InputError
from minise.export.graph import Graph
from minise.nn import (
    ECA,
    AvgPool2d,
    BatchNorm1d,
    BatchNorm2d,
    BatchNormReLU2d,
    Clip,
    ConcurrentSE,
    Conv2d,
    Dropout,
    DropPath,
    EffectiveSE,
    Flatten,
    GatherExcite,
    GlobalAvgMaxPool,
    GlobalAvgPool,
    GlobalMaxPool,
    HardSigmoid,
    HardSwish,
    Inception,
    InvertedResidual,
    Layer,
    LeakyReLU,
    Linear,
    MaxPool2d,
    NoSqueeze,
    ReLU,
    Residual,
    SEBlock,
    Sequential,
    Sigmoid,
    SiLU,
    SpatialSE,
    Tanh,
)
from minise.nn.residual import AT_THE_JOIN
from minise.nn.se import OnePlus
from minise.shapes import Pair, output_size, window_counts

AddLayer: TypeAlias = Callable[[Graph, Any, str, str], str]


def add_layer(graph: Graph, layer: Layer, name: str, x: str) -> str:
    """Add what `layer` computes of the value x. Raises `InputError` for a layer it does not know.

    A subclass is known by its base where it computes as that does.
    """
    for kind in type(layer).__mro__:
        if kind in LAYERS and _computes_as(type(layer), kind):
            return LAYERS[kind](graph, layer, name, x)
    raise InputError(
        f"export: {name or 'the net'} is a {type(layer).__name__}, which export does not know"
    )


def _computes_as(kind: type, base: type) -> bool:
    methods = ("forward", "gates", "join")
    return all(getattr(kind, method, None) is getattr(base, method, None) for method in methods)


def _within(name: str, part: str) -> str:
    return f"{name}.{part}" if name else part


def _state(graph: Graph, layer: Layer, name: str) -> list[str]:
    """The arrays of a simple layer, in the order in which its node reads them."""
    return [graph.state(full, entry.value) for full, entry in layer.named_state(_within(name, ""))]


def _through(graph: Graph, layer: Layer, name: str, parts: Iterable[str], x: str) -> str:
    """Through the parts of these names, one after the other."""
    for part in parts:
        x = add_layer(graph, getattr(layer, part), _within(name, part), x)
    return x


def _elementwise(op: str, **attributes: float) -> AddLayer:
    return lambda graph, layer, name, x: graph.node(op, name, x, **attributes)


def _silu(graph: Graph, layer: SiLU, name: str, x: str) -> str:
    return graph.node("Mul", name, x, graph.node("Sigmoid", _within(name, "sigmoid"), x))


def _leaky_relu(graph: Graph, layer: LeakyReLU, name: str, x: str) -> str:
    return graph.node("LeakyRelu", name, x, alpha=layer.slope)


def _hard_sigmoid(graph: Graph, layer: HardSigmoid, name: str, x: str) -> str:
    return graph.node("HardSigmoid", name, x, alpha=1 / layer.width, beta=0.5)


def _clip(graph: Graph, layer: Clip, name: str, x: str) -> str:
    low, high = (
        graph.numbers(_within(name, end), np.array(getattr(layer, end))) for end in ("low", "high")
    )
    return graph.node("Clip", name, x, low, high)


def _conv(graph: Graph, layer: Conv2d, name: str, x: str) -> str:
    return graph.node(
        "Conv",
        name,
        x,
        *_state(graph, layer, name),
        kernel_shape=layer.weight.value.shape[2:],
        strides=layer.stride,
        pads=[*layer.padding, *layer.padding],  # top, left, bottom, right
        dilations=layer.dilation,
        group=layer.groups,
    )


def _linear(graph: Graph, layer: Linear, name: str, x: str) -> str:
    return graph.node("Gemm", name, x, *_state(graph, layer, name), transB=1)  # x · weightᵀ


def _batch_norm(graph: Graph, layer: BatchNorm2d, name: str, x: str) -> str:
    return graph.node("BatchNormalization", name, x, *_state(graph, layer, name), epsilon=layer.eps)


def _batch_norm_relu(graph: Graph, layer: BatchNormReLU2d, name: str, x: str) -> str:
    return graph.node("Relu", _within(name, "relu"), _batch_norm(graph, layer, name, x))


def _flatten(graph: Graph, layer: Flatten, name: str, x: str) -> str:
    return graph.node("Flatten", name, x, axis=1)


def _max_pool(graph: Graph, layer: MaxPool2d, name: str, x: str) -> str:
    return _pool(graph, "MaxPool", layer, name, x)


def _avg_pool(graph: Graph, layer: AvgPool2d, name: str, x: str) -> str:
    """What lies beyond the padding is no pixel, even where the padding counts.

    AveragePool makes no difference between the two: there it divides by the whole window, which
    is put right afterwards. (A Pad before it is exact too, but not in onnxruntime 1.20.)
    """
    counted = layer.count_include_pad
    y = _pool(graph, "AveragePool", layer, name, x, count_include_pad=int(counted))
    if not counted:
        return y
    sizes = zip(graph.size_before(name), _places(graph, layer, name), strict=True)
    down, across = (
        window_counts(size, layer.window, axis, places, True)
        for axis, (size, places) in enumerate(sizes)
    )
    share = np.outer(down, across) / math.prod(layer.window.size)  # (OH, OW), of the whole window
    if (share == 1).all():
        return y
    return graph.node("Div", _within(name, "div"), y, graph.numbers(_within(name, "share"), share))


def _pool(
    graph: Graph, op: str, layer: MaxPool2d | AvgPool2d, name: str, x: str, **attributes: int
) -> str:
    """What windows of `ceil_mode` reach beyond the padding is padding as well, at the end.

    For runtimes differ in what they take ONNX's own ceil_mode to be.
    """
    window, size, places = layer.window, graph.size_before(name), _places(graph, layer, name)
    ends = []
    for axis, padding in enumerate(window.padding):
        reach = (places[axis] - 1) * window.stride[axis] + window.size[axis]
        ends.append(max(padding, reach - padding - size[axis]))
    return graph.node(
        op,
        name,
        x,
        kernel_shape=window.size,
        strides=window.stride,
        pads=[*window.padding, *ends],  # top, left, bottom, right
        **attributes,
    )


def _places(graph: Graph, layer: MaxPool2d | AvgPool2d, name: str) -> Pair:
    """How many windows there are, down and across."""
    H, W = graph.size_before(name)
    return (
        output_size(H, layer.window, 0, ceil_mode=layer.ceil_mode),
        output_size(W, layer.window, 1, ceil_mode=layer.ceil_mode),
    )


def _global_pool(op: str) -> AddLayer:
    def add(graph: Graph, layer: Layer, name: str, x: str) -> str:
        z = graph.node(op, name, x)  # (N, C, 1, 1)
        return graph.node("Flatten", _within(name, "flatten"), z, axis=1)  # (N, C)

    return add


def _global_avg_max_pool(graph: Graph, layer: GlobalAvgMaxPool, name: str, x: str) -> str:
    average = graph.node("GlobalAveragePool", _within(name, "avg"), x)
    largest = graph.node("GlobalMaxPool", _within(name, "max"), x)
    z = graph.node("Mean", name, average, largest)  # (N, C, 1, 1)
    return graph.node("Flatten", _within(name, "flatten"), z, axis=1)  # (N, C)


def _sequential(graph: Graph, layer: Sequential, name: str, x: str) -> str:
    return _through(graph, layer, name, [part for part, _ in layer.children()], x)


def _se_block(graph: Graph, se: SEBlock, name: str, x: str) -> str:
    s = _through(graph, se, name, ["squeeze", "fc1", "activation", "fc2", "gate"], x)  # (N, C)
    return _channel_scale(graph, name, x, s)


def _gather_excite(graph: Graph, layer: GatherExcite, name: str, x: str) -> str:
    s = _through(graph, layer, name, ["squeeze", "gate"], x)  # (N, C)
    return _channel_scale(graph, name, x, s)


def _eca(graph: Graph, layer: ECA, name: str, x: str) -> str:
    z = _through(graph, layer, name, ["squeeze"], x)  # (N, C)
    axes = graph.integers(_within(name, "row_axes"), [1, 3])
    rows = graph.node("Unsqueeze", _within(name, "rows"), z, axes)  # (N, 1, C, 1)
    g = _through(graph, layer, name, ["conv"], rows)
    g = graph.node("Squeeze", _within(name, "channels"), g, axes)  # (N, C)
    s = _through(graph, layer, name, ["gate"], g)
    return _channel_scale(graph, name, x, s)


def _channel_scale(graph: Graph, name: str, x: str, s: str) -> str:
    axes = graph.integers(_within(name, "map_axes"), [2, 3])
    gates = graph.node("Unsqueeze", _within(name, "gates"), s, axes)  # (N, C, 1, 1)
    return graph.node("Mul", _within(name, "scale"), x, gates)


def _effective_se(graph: Graph, layer: EffectiveSE, name: str, x: str) -> str:
    s = _through(graph, layer, name, ["squeeze", "fc", "gate"], x)  # (N, C)
    return _channel_scale(graph, name, x, s)


def _one_plus(graph: Graph, layer: OnePlus, name: str, x: str) -> str:
    return graph.node("Add", name, x, graph.numbers(_within(name, "one"), np.ones(1)))


def _no_squeeze(graph: Graph, layer: NoSqueeze, name: str, x: str) -> str:
    s = _through(graph, layer, name, ["fc1", "activation", "fc2", "gate"], x)  # (N, C, H, W)
    return graph.node("Mul", _within(name, "scale"), x, s)


def _spatial_se(graph: Graph, layer: SpatialSE, name: str, x: str) -> str:
    q = _through(graph, layer, name, ["conv", "gate"], x)  # (N, 1, H, W)
    return graph.node("Mul", _within(name, "scale"), x, q)


def _concurrent_se(graph: Graph, layer: ConcurrentSE, name: str, x: str) -> str:
    c = _through(graph, layer, name, ["channel"], x)
    q = _through(graph, layer, name, ["spatial"], x)
    op = {"max": "Max", "add": "Add"}[layer.merge]
    return graph.node(op, _within(name, "merge"), c, q)


def _residual(graph: Graph, block: Residual, name: str, x: str) -> str:
    names = {id(part): part_name for part_name, part in block.children()}

    def se_at(*places: str) -> list[str]:
        return ["se"] if block.placement in places else []

    branch = [names[id(part)] for part in block.branch()]  # it has the SE block at "3x3" itself
    u = _through(graph, block, name, [*se_at("pre"), *branch, *se_at(*AT_THE_JOIN)], x)
    r = _through(graph, block, name, ["shortcut", *se_at("identity")], x)
    total = graph.node("Add", _within(name, "add"), u, r)
    y = graph.node("Relu", _within(name, "relu"), total)
    return _through(graph, block, name, se_at("post"), y)


def _inverted_residual(graph: Graph, block: InvertedResidual, name: str, x: str) -> str:
    u = _through(graph, block, name, [part for part, _ in block.children()], x)
    return graph.node("Add", _within(name, "add"), u, x) if block.adds_input else u


def _inception(graph: Graph, module: Inception, name: str, x: str) -> str:
    names = {id(part): part_name for part_name, part in module.children()}
    ways = [_through(graph, module, name, [names[id(branch)]], x) for branch in module.branches()]
    u = graph.node("Concat", _within(name, "concat"), *ways, axis=1)
    return _through(graph, module, name, ["se"], u)


LAYERS: dict[type, AddLayer] = {
    Conv2d: _conv,
    Linear: _linear,
    BatchNorm1d: _batch_norm,
    BatchNorm2d: _batch_norm,
    BatchNormReLU2d: _batch_norm_relu,
    ReLU: _elementwise("Relu"),
    Sigmoid: _elementwise("Sigmoid"),
    Tanh: _elementwise("Tanh"),
    HardSigmoid: _hard_sigmoid,
    SiLU: _silu,
    HardSwish: _elementwise("HardSwish"),
    LeakyReLU: _leaky_relu,
    Clip: _clip,
    Flatten: _flatten,
    Dropout: lambda graph, layer, name, x: x,  # in evaluation there is none
    DropPath: lambda graph, layer, name, x: x,
    MaxPool2d: _max_pool,
    AvgPool2d: _avg_pool,
    GlobalAvgPool: _global_pool("GlobalAveragePool"),
    GlobalMaxPool: _global_pool("GlobalMaxPool"),
    GlobalAvgMaxPool: _global_avg_max_pool,
    Sequential: _sequential,
    SEBlock: _se_block,
    NoSqueeze: _no_squeeze,
    SpatialSE: _spatial_se,
    ConcurrentSE: _concurrent_se,
    OnePlus: _one_plus,
    EffectiveSE: _effective_se,
    ECA: _eca,
    GatherExcite: _gather_excite,
    Residual: _residual,
    InvertedResidual: _inverted_residual,
    Inception: _inception,
}
