"""A graph as an ONNX model, and the model in a file."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from minise.arrays import Array
from minise.errors import InputError
from minise.export.graph import Graph, Node
from minise.export.pixels import Pixels, input_described
from minise.export.trace import OUTPUT, trace
from minise.files import write_whole
from minise.nn import Layer
from minise.version import __version__

if TYPE_CHECKING:
    import onnx

BATCH = "N"  # of any size
# The oldest pair that has all that is needed, for runtimes since 2022. From opset 19 on,
# AveragePool is another one, which runtimes do not agree on at the edges.
OPSET, IR_VERSION = 17, 8


def check_installed(*, int8: bool = False) -> None:
    """Raises `InputError` where the package onnx is missing, or onnxruntime for `int8`."""
    try:
        import onnx  # noqa: F401

        if int8:
            import onnxruntime.quantization  # noqa: F401
    except ImportError as error:
        needed = ["onnx", "onnxruntime"] if int8 else ["onnx"]
        raise InputError(
            f"{'int8' if int8 else 'export'} needs the package{'s' * int8} {' and '.join(needed)}: "
            f"python -m pip install {' '.join(needed)} ({error})"
        ) from None


def onnx_model(
    net: Layer,
    input_shape: tuple[int, ...],
    *,
    pixels: Pixels | None,
    batch: int | None = None,
    keep_names: bool = False,
    metadata: Mapping[str, str] | None = None,
) -> onnx.ModelProto:
    """What `net(x)` computes, as an ONNX model that has passed ONNX's own checker.

    `input_shape` is that of one image, (C, H, W). With `pixels` the model takes the pixels of a
    picture, 0 to 255, as its input "pixels"; with None it takes what the net takes, as "x", in the
    dtype of the net's parameters, float32 or float64 (of which onnxruntime knows no convolution).
    The input is (N, C, H, W) with any N, or `batch` alone; the output "scores" is what the net
    gives. Batch norm is folded; with `keep_names` it stays, and the weights have their names and
    shapes in `state_dict`, for reading and for what loads weights by name: runtimes agree less on
    that form. `metadata` is stored in the model.

    Raises `InputError` where such an image does not fit, for a layer that it does not know, and
    where the package onnx is missing.
    """
    check_installed()
    import onnx

    if batch is not None and batch < 1:
        raise InputError(f"export: a batch of {batch}, expected 1 or more")
    graph = trace(net, input_shape, pixels=pixels, keep_names=keep_names)
    model = _written(graph, batch)
    model.graph.input[0].doc_string = input_described(graph.shape(graph.input)[0], pixels)
    model.graph.output[0].doc_string = "one score for each class; the largest is the answer"
    onnx.helper.set_model_props(model, dict(metadata or {}))
    onnx.checker.check_model(model, full_check=True)
    return model


def _written(graph: Graph, batch: int | None) -> onnx.ModelProto:
    from onnx import helper, numpy_helper

    def value(name: str) -> onnx.ValueInfoProto:
        kind = helper.np_dtype_to_tensor_dtype(graph.dtype(name))
        shape = [BATCH if batch is None else batch, *graph.shape(name)]
        return helper.make_tensor_value_info(final.get(name, name), kind, shape)

    final = {graph.output: OUTPUT}
    constants = dict(graph.constants)
    nodes = []
    for node in graph.nodes:
        op, attributes, arrays = _in_onnx(node, graph, batch)
        constants |= arrays
        inputs = [final.get(name, name) for name in (*node.inputs, *arrays)]
        output = final.get(node.name, node.name)
        nodes.append(helper.make_node(op, inputs, [output], name=output, **attributes))
    return helper.make_model(
        helper.make_graph(
            nodes,
            "minise",
            [value(graph.input)],
            [value(graph.output)],
            [numpy_helper.from_array(array, name) for name, array in constants.items()],
        ),
        producer_name="minise",
        producer_version=__version__,
        model_version=1,
        opset_imports=[helper.make_operatorsetid("", OPSET)],
        ir_version=IR_VERSION,
    )


def _in_onnx(
    node: Node, graph: Graph, batch: int | None
) -> tuple[str, dict[str, Any], dict[str, Array]]:
    """The operator, its attributes, and what it takes as further inputs.

    With a batch of fixed size Flatten is a Reshape, which CoreML knows.
    """
    import onnx

    options, dtype = dict(node.options), graph.dtype(node.name)
    arrays: dict[str, Array] = {}
    if node.op == "Clip":
        arrays = {end: np.array(options.pop(end), dtype) for end in ("min", "max")}
    elif node.op == "Reshape" or (node.op == "Flatten" and batch is not None):
        sizes = [-1 if batch is None else batch, *graph.shape(node.name)]
        node, options = node._replace(op="Reshape"), {}
        arrays = {"shape": np.array(sizes, np.int64)}
    elif node.op == "Cast":
        options["to"] = onnx.helper.np_dtype_to_tensor_dtype(dtype)
    named = {graph.free(f"{node.name}.{part}"): value for part, value in arrays.items()}
    return node.op, options, named


def save_onnx(path: Path, model: onnx.ModelProto) -> None:
    """Write a model to a file, over one that is there: whole, or not at all.

    Raises `InputError` where the file cannot be written.
    """
    write_whole(path, model.SerializeToString())
