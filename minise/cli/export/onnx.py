"""`minise export` to an ONNX model."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from minise import data, export
from minise.cli.export import quantised
from minise.cli.export.feed import Feed, drawn, what_comes_out
from minise.errors import InputError
from minise.nn import Layer

if TYPE_CHECKING:
    import onnx

CHECKED = 3  # random images
KEPT = [
    "  names   those of the run's file, for reading, and for what loads weights by name; without",
    "          --keep-names more programs are right: OpenCV 4 is not with each batch norm",
]
TOLERANCE = 1e-5  # of the largest score


def write_onnx(
    path: Path,
    run: Path,
    net: Layer,
    feed: Feed,
    *,
    batch: int | None,
    keep_names: bool,
    images: data.Dataset | None,
) -> list[str]:
    """Write the model, of 8 bits where there are `images`; what to say of it, in lines.

    Raises `InputError` where it does not say what the net says; nothing is written then.
    """
    export.check_installed(int8=images is not None)
    about = feed.about
    model = export.onnx_model(
        net,
        about.image_shape,
        pixels=feed.pixels,
        batch=batch,
        keep_names=keep_names,
        metadata=feed.metadata(),
    )
    model.graph.input[0].doc_string = "; ".join(feed.described())
    model.graph.output[0].doc_string = what_comes_out(about)
    checked = _checked(run, model, net, feed, batch or CHECKED)
    model, changed = (model, KEPT * keep_names) if images is None else _as_int8(model, feed, images)
    export.save_onnx(path, model)
    return [
        f"{path}: {about.model}, {path.stat().st_size:,} bytes, "
        f"ONNX opset {model.opset_import[0].version}",
        f"  input   {_described(model.graph.input[0])}",
        *(f"          {line}" for line in feed.described()),
        f"  output  {_described(model.graph.output[0])}",
        f"          {what_comes_out(about)}",
        *checked,
        *changed,
    ]


def _checked(run: Path, model: onnx.ModelProto, net: Layer, feed: Feed, count: int) -> list[str]:
    """How far the two are apart. Raises `InputError` where that is too much."""
    shape = (count, *feed.about.image_shape)
    images = feed.of(np.random.default_rng(0).integers(0, 256, shape, np.uint8))
    difference = export.largest_difference(model, net, images, pixels=feed.pixels)
    if not math.isfinite(difference):
        raise InputError(f"{run}: the net's scores are not finite: nothing was written")
    if difference > TOLERANCE:
        raise InputError(
            f"export: the model would differ from the net by {difference:.1e} of the largest "
            "score: nothing was written"
        )
    return [
        f"  checked on {count} random image{'s' * (count > 1)}, in float64: it differs from the "
        "net",
        f"          by at most {difference:.1e} of the largest score",
    ]


def _as_int8(
    model: onnx.ModelProto, feed: Feed, images: data.Dataset
) -> tuple[onnx.ModelProto, list[str]]:
    """The model in 8 bits, and what that changes, in lines."""
    train, (tested, labels) = drawn(images.train.images), images.test
    small = export.int8_model(model, feed.of(train))
    before, after = (quantised.figures(each, feed.of(tested), labels) for each in (model, small))
    return small, [
        f"  int8    ranges from {len(train)} training images of {images.name}; its "
        f"{len(labels):,} test images",
        *(f"          {line}" for line in quantised.what_it_changes(before, after)),
    ]


def _described(value: onnx.ValueInfoProto) -> str:
    """As in "pixels (N, 1, 28, 28) float32"."""
    from onnx import helper

    kind = value.type.tensor_type
    sizes = ", ".join(size.dim_param or str(size.dim_value) for size in kind.shape.dim)
    return f"{value.name} ({sizes}) {helper.tensor_dtype_to_np_dtype(kind.elem_type)}"
