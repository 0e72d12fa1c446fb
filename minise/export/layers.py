"""Every layer as nodes of a graph: one function for each class.

A function takes the graph, the layer, its name and the name of its input, adds the nodes that
compute what `layer(x)` does, and returns the name of the output. The main node has the layer's
name, others a word more, as in "se1.scale". What is (N, C) in the net is (N, C, 1, 1) here.
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
from minise.shapes import output_size, window_counts

AddLayer: TypeAlias = Callable[[Graph, Any, str, str], str]


def add_layer(graph: Graph, layer: Layer, name: str, x: str) -> str:
    """Add what `layer` computes of the value x. Raises `InputError` for a layer it does not know.

    A subclass is known by its base where it computes as that does.
    """
    for kind in type(layer).__mro__:
        if kind in LAYERS and _computes_as(type(layer), kind):
            y = LAYERS[kind](graph, layer, name, x)
            if not graph.has(y):
                raise InputError(
                    f"export: {name or 'the net'}: the function for {kind.__name__} gives {y!r}, "
                    "expected the name of a value, as graph.node returns it"
                )
            return y
    raise InputError(
        f"export: {name or 'the net'} is a {type(layer).__name__}, which export does not know: "
        "give it its nodes with export.register"
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


def _one_node(op: str, **attributes: float) -> AddLayer:
    return lambda graph, layer, name, x: graph.node(op, name, x, **attributes)


def _silu(graph: Graph, layer: SiLU, name: str, x: str) -> str:
    return graph.node("Mul", name, x, graph.node("Sigmoid", _within(name, "sigmoid"), x))


def _leaky_relu(graph: Graph, layer: LeakyReLU, name: str, x: str) -> str:
    return graph.node("LeakyRelu", name, x, alpha=layer.slope)


def _hard_sigmoid(graph: Graph, layer: HardSigmoid, name: str, x: str) -> str:
    """clip(x + w/2, 0, w) / w. Some runtimes make another function of ONNX's own operator."""
    return _ramp(graph, layer.width, name, x)


def _hard_swish(graph: Graph, layer: HardSwish, name: str, x: str) -> str:
    return graph.node("Mul", name, x, _ramp(graph, 6, _within(name, "hard_sigmoid"), x))


def _ramp(graph: Graph, width: float, name: str, x: str) -> str:
    half = graph.constant(_within(name, "half"), width / 2, x)
    above = graph.node("Add", _within(name, "add"), x, half)
    ramp = graph.node("Clip", _within(name, "clip"), above, min=0.0, max=float(width))
    return graph.node("Mul", name, ramp, graph.constant(_within(name, "slope"), 1 / width, ramp))


def _clip(graph: Graph, layer: Clip, name: str, x: str) -> str:
    return graph.node("Clip", name, x, min=float(layer.low), max=float(layer.high))


def _conv(graph: Graph, layer: Conv2d, name: str, x: str) -> str:
    return graph.node(
        "Conv",
        name,
        x,
        *_state(graph, layer, name),
        kernel_shape=layer.weight.value.shape[2:],
        strides=layer.stride,
        pads=(*layer.padding, *layer.padding),  # top, left, bottom, right
        dilations=layer.dilation,
        group=layer.groups,
    )


def _linear(graph: Graph, layer: Linear, name: str, x: str) -> str:
    """Of maps (N, C, 1, 1) a 1×1 convolution, which more runtimes know there than a product."""
    if len(graph.shape(x)) == 1:
        return graph.node("Gemm", name, x, *_state(graph, layer, name), transB=1)  # x · weightᵀ
    if graph.keep_names:  # the weights stay (out, in)
        row = graph.node("Flatten", _within(name, "row"), x, axis=1)
        return _as_map(graph, name, _linear(graph, layer, name, row))
    weight, *bias = layer.named_state(_within(name, ""))
    arrays = [graph.state(weight[0], weight[1].value[:, :, None, None])]
    arrays += [graph.state(full, entry.value) for full, entry in bias]
    return graph.node("Conv", name, x, *arrays, **_ONE_BY_ONE)


_ONE_BY_ONE: dict[str, Any] = {
    "kernel_shape": (1, 1), "strides": (1, 1), "pads": (0, 0, 0, 0), "dilations": (1, 1), "group": 1
}  # fmt: skip


def _as_map(graph: Graph, name: str, x: str) -> str:
    """(N, C) as (N, C, 1, 1)."""
    (C,) = graph.shape(x)
    return graph.node("Reshape", _within(name, "map"), x, shape=(C, 1, 1))


def _batch_norm(graph: Graph, layer: BatchNorm2d, name: str, x: str) -> str:
    return graph.node("BatchNormalization", name, x, *_state(graph, layer, name), epsilon=layer.eps)


def _batch_norm_relu(graph: Graph, layer: BatchNormReLU2d, name: str, x: str) -> str:
    return graph.node("Relu", _within(name, "relu"), _batch_norm(graph, layer, name, x))


def _flatten(graph: Graph, layer: Flatten, name: str, x: str) -> str:
    if graph.shape(x)[1:] == (1, 1):
        return x
    return graph.node("Flatten", name, x, axis=1)


def _max_pool(graph: Graph, layer: MaxPool2d, name: str, x: str) -> str:
    return graph.node("MaxPool", name, x, **_windows(graph, layer, x))


def _avg_pool(graph: Graph, layer: AvgPool2d, name: str, x: str) -> str:
    """With padding a convolution of each channel: runtimes differ in what AveragePool counts."""
    options = _windows(graph, layer, x)
    if not any(options["pads"]):
        return graph.node("AveragePool", name, x, **options)
    C, H, W = graph.shape(x)
    (KH, KW), one = layer.window.size, 1 / math.prod(layer.window.size)
    ones = graph.constant(_within(name, "weight"), np.full((C, 1, KH, KW), one), x)
    y = graph.node("Conv", name, x, ones, **options, dilations=(1, 1), group=C)
    (_, OH, OW), counts_pad = graph.shape(y), layer.count_include_pad
    down = window_counts(H, layer.window, 0, OH, counts_pad)
    across = window_counts(W, layer.window, 1, OW, counts_pad)
    missing = KH * KW / np.outer(down, across)  # (OH, OW): by how much more each pixel counts
    if (missing == 1).all():
        return y
    shares = graph.constant(_within(name, "share"), missing[None, None], y)
    return graph.node("Mul", _within(name, "counted"), y, shares)


def _windows(graph: Graph, layer: MaxPool2d | AvgPool2d, x: str) -> dict[str, Any]:
    """The options of a pooling of x.

    What windows of `ceil_mode` reach beyond the padding is padding as well, at the end: runtimes
    differ in what they take ONNX's own ceil_mode to be.
    """
    window, ends = layer.window, []
    for axis, size in enumerate(graph.shape(x)[1:]):
        places = output_size(size, window, axis, ceil_mode=layer.ceil_mode)
        reach = (places - 1) * window.stride[axis] + window.size[axis]
        ends.append(max(window.padding[axis], reach - window.padding[axis] - size))
    return {
        "kernel_shape": window.size,
        "strides": window.stride,
        "pads": (*window.padding, *ends),  # top, left, bottom, right
    }


def _global_avg_max_pool(graph: Graph, layer: GlobalAvgMaxPool, name: str, x: str) -> str:
    average = graph.node("GlobalAveragePool", _within(name, "avg"), x)
    largest = graph.node("GlobalMaxPool", _within(name, "max"), x)
    total = graph.node("Add", _within(name, "add"), average, largest)  # (N, C, 1, 1)
    return graph.node("Mul", name, total, graph.constant(_within(name, "half"), 0.5, total))


def _sequential(graph: Graph, layer: Sequential, name: str, x: str) -> str:
    return _through(graph, layer, name, [part for part, _ in layer.children()], x)


def _se_block(graph: Graph, se: SEBlock, name: str, x: str) -> str:
    s = _through(graph, se, name, ["squeeze", "fc1", "activation", "fc2", "gate"], x)  # (N, C)
    return _channel_scale(graph, name, x, s)


def _gather_excite(graph: Graph, layer: GatherExcite, name: str, x: str) -> str:
    s = _through(graph, layer, name, ["squeeze", "gate"], x)  # (N, C)
    return _channel_scale(graph, name, x, s)


def _eca(graph: Graph, layer: ECA, name: str, x: str) -> str:
    z = _through(graph, layer, name, ["squeeze"], x)  # (N, C, 1, 1)
    row = graph.node("Transpose", _within(name, "row"), z, perm=(0, 2, 1, 3))  # (N, 1, C, 1)
    g = _through(graph, layer, name, ["conv"], row)
    g = graph.node("Transpose", _within(name, "channels"), g, perm=(0, 2, 1, 3))  # (N, C, 1, 1)
    s = _through(graph, layer, name, ["gate"], g)
    return _channel_scale(graph, name, x, s)


def _channel_scale(graph: Graph, name: str, x: str, s: str) -> str:
    if len(graph.shape(s)) == 1:
        s = _as_map(graph, name, s)
    return graph.node("Mul", _within(name, "scale"), x, s)


def _effective_se(graph: Graph, layer: EffectiveSE, name: str, x: str) -> str:
    s = _through(graph, layer, name, ["squeeze", "fc", "gate"], x)  # (N, C)
    return _channel_scale(graph, name, x, s)


def _one_plus(graph: Graph, layer: OnePlus, name: str, x: str) -> str:
    return graph.node("Add", name, x, graph.constant(_within(name, "one"), 1.0, x))


def _no_squeeze(graph: Graph, layer: NoSqueeze, name: str, x: str) -> str:
    s = _through(graph, layer, name, ["fc1", "activation", "fc2", "gate"], x)  # (N, C, H, W)
    return graph.node("Mul", _within(name, "scale"), x, s)


def _spatial_se(graph: Graph, layer: SpatialSE, name: str, x: str) -> str:
    q = _through(graph, layer, name, ["conv", "gate"], x)  # (N, 1, H, W)
    ones = graph.constant(_within(name, "ones"), np.ones((graph.shape(x)[0], 1, 1, 1)), x)
    # Some runtimes multiply maps wrongly where one has a single channel.
    spread = graph.node("Conv", _within(name, "spread"), q, ones, **_ONE_BY_ONE)  # (N, C, H, W)
    return graph.node("Mul", _within(name, "scale"), x, spread)


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


def register(kind: type[Layer]) -> Callable[[AddLayer], AddLayer]:
    """Decorate the function that gives a layer of one's own its nodes.

    It is called with the graph, the layer, its name and the name of its input, adds nodes of
    `OPERATORS` with `graph.node`, and returns the name of the last one. All formats know the layer
    then. Raises `InputError` for what is no class of layers.
    """
    if not (isinstance(kind, type) and issubclass(kind, Layer)):
        raise InputError(
            f"export: register is given {kind!r}, expected a class of layers, as in "
            "@export.register(MyLayer)"
        )

    def keep(add: AddLayer) -> AddLayer:
        LAYERS[kind] = add
        return add

    return keep


LAYERS: dict[type, AddLayer] = {
    Conv2d: _conv,
    Linear: _linear,
    BatchNorm1d: _batch_norm,
    BatchNorm2d: _batch_norm,
    BatchNormReLU2d: _batch_norm_relu,
    ReLU: _one_node("Relu"),
    Sigmoid: _one_node("Sigmoid"),
    Tanh: _one_node("Tanh"),
    HardSigmoid: _hard_sigmoid,
    SiLU: _silu,
    HardSwish: _hard_swish,
    LeakyReLU: _leaky_relu,
    Clip: _clip,
    Flatten: _flatten,
    Dropout: lambda graph, layer, name, x: x,  # in evaluation there is none
    DropPath: lambda graph, layer, name, x: x,
    MaxPool2d: _max_pool,
    AvgPool2d: _avg_pool,
    GlobalAvgPool: _one_node("GlobalAveragePool"),
    GlobalMaxPool: _one_node("GlobalMaxPool"),
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
