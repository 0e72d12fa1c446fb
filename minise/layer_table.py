"""The table of a net's layers, in the classic layout of torchsummary."""

from __future__ import annotations

import copy
import tracemalloc

import numpy as np

from minise import backend
from minise.backend import Array
from minise.errors import InputError
from minise.nn import (
    Backward,
    Conv2d,
    GlobalAvgPool,
    GlobalMaxPool,
    Layer,
    Linear,
    Residual,
    SEBlock,
    Sequential,
    observed,
)

MB = 1024**2

# How the table calls a pooling over the whole map, whose output it shows as a map of one pixel.
_POOLED: dict[type[Layer], str] = {GlobalMaxPool: "MaxPool2d", GlobalAvgPool: "AvgPool2d"}


class _Row:
    """A layer of the table, or the "Scale" of an SE block. Multiply-adds are for one image."""

    def __init__(self, layer: Layer, y: Array) -> None:
        self.is_scale = _scales(layer)
        self.kind = "Scale" if self.is_scale else _POOLED.get(type(layer), type(layer).__name__)
        self.shape = [-1, *y.shape[1:], *((1, 1) if type(layer) in _POOLED else ())]
        self.outputs = y.size
        self.parameters = [] if self.is_scale else layer.parameters()
        self.multiply_adds = 0
        if isinstance(layer, Conv2d):
            self.multiply_adds = y.size * layer.weight.value[0].size
        elif isinstance(layer, Linear):
            self.multiply_adds = layer.weight.value.size


def summary(layer: Layer, input_shape: tuple[int, ...], *, full: bool = False) -> None:
    """Print the layers that an image of `input_shape`, (C, H, W), goes through.

    The classic table counts layers, so the multiplication of an SE block is not in it, and its
    pass size is twice all outputs of float32 (MB are 1024² bytes). `full` adds the multiplication
    as "Scale", the multiply-adds for one image (those of convolutions and linear maps, without
    biases), and the memory that a forward and backward pass of one image really took at its peak.

    Raises `InputError` where such an image does not fit the layer.
    """
    rows = _rows(layer, input_shape, full)
    parameters = {id(p): p.value.size for row in rows for p in row.parameters}
    total = sum(parameters.values())
    heading = f"{'Layer (type)':>20}  {'Output Shape':>25} {'Param #':>15}"
    lines = ["-" * 64, heading + (f" {'Mult-Adds':>15}" if full else ""), "=" * 64]
    for number, row in enumerate(rows, start=1):
        count = sum(p.value.size for p in row.parameters)
        line = f"{f'{row.kind}-{number}':>20}  {row.shape!s:>25} {count:>15,}"
        lines.append(line + (f" {row.multiply_adds:>15,}" if full else ""))
    lines += [
        "=" * 64,
        f"Total params: {total:,}",
        f"Trainable params: {total:,}",
        "Non-trainable params: 0",
    ]
    sizes = [
        int(np.prod(input_shape)) * 4 / MB,
        2 * sum(row.outputs for row in rows if not row.is_scale) * 4 / MB,
        total * 4 / MB,
    ]
    lines += [
        "-" * 64,
        f"Input size (MB): {sizes[0]:.2f}",
        f"Forward/backward pass size (MB): {sizes[1]:.2f}",
        f"Params size (MB): {sizes[2]:.2f}",
        f"Estimated Total Size (MB): {sum(sizes):.2f}",
        "-" * 64,
    ]
    if full:
        multiply_adds = sum(row.multiply_adds for row in rows)
        lines += [
            f"Multiply-adds, convolutions and linear maps: {multiply_adds:,}",
            f"Memory at its peak, forward and backward (MB): {_peak(layer, input_shape):.2f}",
            "-" * 64,
        ]
        width = len(lines[1])
        lines = [line[0] * width if set(line) <= {"-", "="} else line for line in lines]
    print("\n".join(lines))


def _scales(layer: Layer) -> bool:
    """Whether it multiplies maps with gates itself."""
    return isinstance(layer, SEBlock) or (
        isinstance(layer, Residual) and layer.scaled_by is not None
    )


def _rows(layer: Layer, input_shape: tuple[int, ...], full: bool) -> list[_Row]:
    rows: list[_Row] = []

    def record(name: str, part: Layer, x: Array, training: bool) -> tuple[Array, Backward]:
        y, backward = part.forward(x, training)
        if _scales(part):
            rows.extend([_Row(part, y)] if full else [])
        elif not any(part.children()) and not isinstance(part, Sequential):
            rows.append(_Row(part, y))
        return y, backward

    image = np.zeros((1, *input_shape), _dtype(layer))
    try:
        observed(layer, record)(image)
    except (ValueError, TypeError) as error:
        raise InputError(f"summary: an input of {input_shape} does not fit: {error}") from None
    return rows


def _peak(layer: Layer, input_shape: tuple[int, ...]) -> float:
    """MB that one image took at most, beyond the parameters that were there before."""
    layer = copy.deepcopy(layer)  # its gradients are added to
    image = np.zeros((1, *input_shape), _dtype(layer))

    def both_ways() -> None:
        y, backward = layer.forward(image, training=False)
        backward(np.ones_like(y))

    both_ways()  # what is compiled and kept for later calls is not counted
    backend.release_memory()  # but all arrays are
    tracemalloc.start()
    try:
        both_ways()
        return tracemalloc.get_traced_memory()[1] / MB
    finally:
        tracemalloc.stop()


def _dtype(layer: Layer) -> np.dtype[np.generic]:
    return next((p.value.dtype for p in layer.parameters()), np.dtype(np.float32))
