"""Whether an ONNX model says what its net says."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING

import numpy as np

from minise import backend
from minise.arrays import Array
from minise.export.pixels import Pixels
from minise.export.trace import in_float64
from minise.nn import Layer

if TYPE_CHECKING:
    import onnx


def largest_difference(
    model: onnx.ModelProto, net: Layer, images: Array, *, pixels: Pixels | None
) -> float:
    """How far the two are apart at most on images (N, C, H, W), as a share of the largest score.

    The images are what the model takes: 0 to 255 where it was made with these `pixels`.
    The model's operators are run by ONNX's reference implementation, in NumPy. Both compute in
    float64: in float32 the rounding of a deep net alone can come to 1e-4, and hide a mistake.
    """
    import onnx
    from onnx.reference import ReferenceEvaluator

    x = np.array(images, np.float64) if pixels is None else pixels.normalised(images, np.float64)
    (value,) = model.graph.input
    feed = images.astype(onnx.helper.tensor_dtype_to_np_dtype(value.type.tensor_type.elem_type))
    if feed.dtype.kind == "f":
        feed = feed.astype(np.float64)
    with np.errstate(over="ignore", invalid="ignore"):  # its sigmoid takes both branches
        (got,) = ReferenceEvaluator(_model_in_float64(model)).run(None, {value.name: feed})
    with backend.using("numpy"):
        expected = in_float64(net)(x)  # once only: compiling would take longer
    largest = max(float(np.abs(expected).max()), float(np.finfo(np.float64).tiny))
    return float(np.abs(got - expected).max()) / largest


def _model_in_float64(model: onnx.ModelProto) -> onnx.ModelProto:
    from onnx import TensorProto, numpy_helper

    twin = copy.deepcopy(model)
    for tensor in twin.graph.initializer:
        if tensor.data_type == TensorProto.FLOAT:
            wide = numpy_helper.to_array(tensor).astype(np.float64)
            tensor.CopyFrom(numpy_helper.from_array(wide, tensor.name))
    for value in (*twin.graph.input, *twin.graph.output):
        if value.type.tensor_type.elem_type == TensorProto.FLOAT:
            value.type.tensor_type.elem_type = TensorProto.DOUBLE
    for node in twin.graph.node:
        if node.op_type == "Cast":
            node.attribute[0].i = TensorProto.DOUBLE
    return twin
