"""An ONNX model whose weights and maps are of 8 bits, by onnxruntime."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from minise.arrays import Array
from minise.errors import InputError
from minise.export.onnx.model import check_installed
from minise.export.pixels import check_images

if TYPE_CHECKING:
    import onnx

AT_ONCE = 16  # images, of which all maps are held
READY = {"onnx.quant.pre_process": "onnxruntime.quant"}  # else it advises, and sets up logging


def int8_model(model: onnx.ModelProto, images: Array) -> onnx.ModelProto:
    """The model with weights and maps of 8 bits, in place of float32.

    Each weight and each map has a scale: a map's is such that the values which it takes for
    `images` (N, C, H, W) just fit. These are what the model is fed, a few hundred of those that the
    net learned from. What the model is fed, what it gives, and what is stored in it stay the same.

    Each operator stays as it was, between ONNX's own QuantizeLinear and DequantizeLinear, since
    more runtimes know these than the operators on integers that onnxruntime has besides. Weights
    have 7 of the 8 bits: sums of two products of 8 bits overflow on processors that add up in 16.

    Raises `InputError` for a model in float64, for images that do not fit, for fewer than it takes
    at once, and where the package onnxruntime is missing.
    """
    check_installed(int8=True)
    import onnx
    from onnxruntime import quantization

    kinds = {tensor.data_type for tensor in model.graph.initializer}
    if onnx.TensorProto.DOUBLE in kinds:
        raise InputError("export: int8 is made of float32, and this model computes in float64")
    reader = _Reader(model, images)
    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder, "float32.onnx"), Path(folder, "int8.onnx")
        ready = onnx.ModelProto()
        ready.CopyFrom(model)
        onnx.helper.set_model_props(ready, READY)
        source.write_bytes(ready.SerializeToString())  # a model in memory would lose its weights
        quantization.quantize_static(
            source,
            target,
            reader,
            quant_format=quantization.QuantFormat.QDQ,
            activation_type=quantization.QuantType.QUInt8,
            weight_type=quantization.QuantType.QInt8,
            reduce_range=True,
        )
        small = onnx.load(target)
    onnx.helper.set_model_props(small, {entry.key: entry.value for entry in model.metadata_props})
    small.producer_name, small.producer_version = model.producer_name, model.producer_version
    onnx.checker.check_model(small, full_check=True)
    return small


class _Reader:
    """Hands out the images as onnxruntime asks for them: as many as the model takes at once."""

    def __init__(self, model: onnx.ModelProto, images: Array) -> None:
        from onnx import helper

        (value,) = model.graph.input
        kind = value.type.tensor_type
        batch = kind.shape.dim[0].dim_value  # 0 where it takes any number
        shape = tuple(dim.dim_value for dim in kind.shape.dim)[1:]
        least = max(batch, 1)
        if len(images) < least:
            raise InputError(f"export: int8 with {len(images)} images, expected at least {least}")
        check_images(images, shape, pixels=value.name == "pixels")
        self.name = value.name
        self.images = images.astype(helper.tensor_dtype_to_np_dtype(kind.elem_type))
        size = batch or AT_ONCE
        self.starts = iter(range(0, len(images) - len(images) % least, size))
        self.size = size

    def get_next(self) -> dict[str, Array] | None:
        start = next(self.starts, None)
        return None if start is None else {self.name: self.images[start : start + self.size]}
