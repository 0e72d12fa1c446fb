"""A net as an ONNX model, and the model in a file."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from minise import backend
from minise.arrays import Array
from minise.errors import InputError
from minise.export.graph import INPUT, Graph
from minise.export.layers import add_layer
from minise.files import write_whole
from minise.nn import Backward, Layer, moved, observed
from minise.shapes import Pair

if TYPE_CHECKING:
    import onnx


def check_installed() -> None:
    """Raises `InputError` where the package onnx is missing."""
    try:
        import onnx  # noqa: F401
    except ImportError as error:
        raise InputError(
            f"export needs the package onnx: python -m pip install onnx ({error})"
        ) from None


def onnx_model(
    net: Layer, input_shape: tuple[int, ...], *, metadata: Mapping[str, str] | None = None
) -> onnx.ModelProto:
    """What `net(x)` computes, as an ONNX model that has passed ONNX's own checker.

    `input_shape` is that of one image, (C, H, W). The input "x" is (N, C, H, W) with any N but no
    other H and W; the output "scores" is what the net gives. Both have the dtype of the net's
    parameters, float32 or float64 (of which onnxruntime knows no convolution). The weights are
    copied, under their names in `state_dict`. `metadata` is stored in the model.

    Raises `InputError` where such an image does not fit, for a layer that it does not know, and
    where the package onnx is missing.
    """
    check_installed()
    import onnx

    dtype = next((p.value.dtype for p in net.parameters()), np.dtype(np.float32))
    sizes: dict[str, set[Pair]] = defaultdict(set)

    def record(name: str, part: Layer, x: Array, training: bool) -> tuple[Array, Backward]:
        if x.ndim == 4:
            sizes[name].add((x.shape[2], x.shape[3]))
        return part.forward(x, training)

    try:
        with backend.using("numpy"):
            image = np.zeros((1, *input_shape), dtype)
            net = moved(net)
            y = observed(net, record)(image)
    except (ValueError, TypeError) as error:
        raise InputError(f"export: an input of {input_shape} does not fit: {error}") from None
    graph = Graph([name for name, _ in net.named_state()], sizes, dtype)
    model = graph.model(add_layer(graph, net, "", INPUT), image.shape[1:], y.shape[1:])
    onnx.helper.set_model_props(model, dict(metadata or {}))
    onnx.checker.check_model(model, full_check=True)
    return model


def save_onnx(path: Path, model: onnx.ModelProto) -> None:
    """Write a model to a file, over one that is there: whole, or not at all.

    Raises `InputError` where the file cannot be written.
    """
    write_whole(path, model.SerializeToString())
