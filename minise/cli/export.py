"""`minise export`."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING

import click
import numpy as np
from rich.console import Console

from minise import export, runs
from minise.cli.options import run_first
from minise.cli.say import show, typed
from minise.errors import InputError
from minise.files import check_writable
from minise.nn import Layer

if TYPE_CHECKING:
    import onnx

IMAGES = 3  # that the model is checked on
TOLERANCE = 1e-5  # of the largest score


@click.command("export", short_help="Write a trained net as an ONNX model.")
@click.argument("words", nargs=-1, metavar="[RUN] MODEL.onnx")
def export_command(words: tuple[str, ...]) -> None:
    """Write the net of RUN, a folder that `train` left or a file of weights, to MODEL.onnx.

    Without RUN, the newest run in `runs` is used.

    ONNX Runtime and others read such a file. Its input "x" is a batch of any number of images,
    normalised as in training: (pixel / 255 - mean) / std, with the mean and std from the file's
    metadata. Its output "scores" has one score for each class.

    Before the file is written, the model is compared with the net on random images. An existing
    file is replaced. The package onnx is needed.
    """
    run, names = run_first(words) if len(words) != 2 else (Path(words[0]), words[1:])
    if len(names) != 1:
        raise InputError(
            f"name one file to write, as in {typed('minise', 'export', run, 'model.onnx')}"
        )
    path = Path(names[0])
    if path.suffix.lower() != ".onnx":
        raise InputError(f"{path}, expected a name that ends in .onnx")
    if path.is_dir():
        raise InputError(f"{path} is a folder, expected the name of a file")
    if not path.parent.is_dir():
        raise InputError(f"{path}: there is no folder {path.parent}")
    check_writable(path.parent)
    export.check_installed()
    net, about = runs.load_run(run)
    with Console().status("running the model beside the net …"):
        pixels = export.Pixels(about.mean, about.std)
        model = export.onnx_model(net, about.image_shape, pixels=pixels, metadata=_metadata(about))
        difference = _checked(run, model, net, about)
    export.save_onnx(path, model)
    opset = model.opset_import[0].version
    console = Console()
    size = f"{path.stat().st_size / 1e6:.2f} MB, ONNX opset {opset}"
    for line in (
        f"{path}: {about.model}, {size}",
        f"  input  {_described(model.graph.input[0])}",
        f"  output {_described(model.graph.output[0])}",
        f"  checked on {IMAGES} random images: it differs from the net by at most {difference:.1e} "
        "of the largest score (both in float64)",
    ):
        show(console, line)


def _metadata(about: runs.About) -> dict[str, str]:
    return {
        "model": about.model,
        "classes": str(about.num_classes),
        "mean": str(about.mean),
        "std": str(about.std if about.std > 0 else 1.0),  # as `data.to_input` has it
        "input": "pixels, 0 to 255",
    }


def _checked(run: Path, model: onnx.ModelProto, net: Layer, about: runs.About) -> float:
    """The largest difference. Raises `InputError` where it is too large."""
    pixels = np.random.default_rng(0).integers(0, 256, (IMAGES, *about.image_shape), np.uint8)
    difference = export.largest_difference(
        model, net, pixels, pixels=export.Pixels(about.mean, about.std)
    )
    if not math.isfinite(difference):
        raise InputError(f"{run}: the net's scores are not finite: nothing was written")
    if difference > TOLERANCE:
        raise InputError(
            f"export: the model would differ from the net by {difference:.1e} of the largest "
            "score: nothing was written"
        )
    return difference


def _described(value: onnx.ValueInfoProto) -> str:
    """As in "x (N, 1, 28, 28) float32"."""
    from onnx import helper

    kind = value.type.tensor_type
    sizes = ", ".join(size.dim_param or str(size.dim_value) for size in kind.shape.dim)
    return f"{value.name} ({sizes}) {helper.tensor_dtype_to_np_dtype(kind.elem_type)}"
