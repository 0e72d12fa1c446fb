"""From a net to the graph of what it computes in evaluation."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from minise import backend
from minise.arrays import Array
from minise.errors import InputError
from minise.export.fold import fold_norms
from minise.export.graph import Graph
from minise.export.layers import add_layer
from minise.nn import Layer, moved

OUTPUT = "scores"


class Pixels(NamedTuple):
    """What an exported net does to the pixels of a picture first: (pixel / 255 − mean) / std.

    `mean` and `std` are of pixels from 0 to 1, each a number, or one for each channel; they are
    those that the net was trained with. `dtype` is that of the pixels: float32, or uint8.
    """

    mean: npt.ArrayLike
    std: npt.ArrayLike
    dtype: npt.DTypeLike = np.float32

    def normalised(self, pixels: Array, dtype: npt.DTypeLike = np.float32) -> Array:
        """The net's input for pixels (N, C, H, W), 0 to 255."""
        scale, shift = self.affine()
        return (pixels * _of_channels(scale) + _of_channels(shift)).astype(dtype)

    def affine(self) -> tuple[Array, Array]:
        """(scale, shift), float64: the net's input is scale · pixel + shift."""
        std = np.where(np.asarray(self.std, np.float64) > 0, self.std, 1.0)  # of one grey
        return 1 / (255 * std), -np.asarray(self.mean, np.float64) / std

    def check(self, channels: int) -> None:
        """Raises `InputError` for what no picture of so many channels can have."""
        for name, values in (("mean", self.mean), ("std", self.std)):
            sizes, finite = np.shape(values), np.isfinite(values).all()
            if sizes not in ((), (1,), (channels,)) or not finite:
                raise InputError(
                    f"export: {name} of the pixels is {values}, expected a number"
                    + (f", or one for each of {channels} channels" if channels > 1 else "")
                )
        if np.dtype(self.dtype) not in (np.uint8, np.float32):
            raise InputError(f"export: pixels of {np.dtype(self.dtype)}, expected float32 or uint8")


def _of_channels(values: Array) -> Array:
    return values.reshape(-1, 1, 1)


def trace(
    net: Layer, input_shape: tuple[int, ...], *, pixels: Pixels | None, keep_names: bool = False
) -> Graph:
    """What `net(x)` computes of one image (C, H, W) or of many, as a graph.

    With `pixels` the graph's input is the pixels of a picture, 0 to 255, without it what the net
    takes. Batch norm is folded into the map before it; with `keep_names` it stays, and all arrays
    of the net's state have their names and shapes.

    Raises `InputError` where such an image does not fit, for pixels that cannot be, and for a layer
    that has no translation.
    """
    dtype = next((p.value.dtype for p in net.parameters()), np.dtype(np.float32))
    with backend.using("numpy"):  # once only: compiling would take longer
        net = moved(net)
        try:
            image = np.zeros((1, *input_shape), dtype)
            y = net(image)
        except (ValueError, TypeError) as error:
            raise InputError(f"export: an input of {input_shape} does not fit: {error}") from None
        if pixels is not None:
            pixels.check(input_shape[0])
        graph = Graph(
            "x" if pixels is None else "pixels",
            image if pixels is None else image.astype(pixels.dtype),
            [OUTPUT, *(name for name, _ in net.named_state())],
            keep_names=keep_names,
        )
        x = graph.input if pixels is None else _normalised(graph, pixels, dtype)
        last = add_layer(graph, net, "", x)
        if y.ndim == 2 and len(graph.shape(last)) == 3:
            last = graph.node("Flatten", "flatten", last, axis=1)
        if graph.shape(last) != y.shape[1:]:
            raise InputError(
                f"export: the net gives {y.shape[1:]} for an image, its nodes {graph.shape(last)}"
            )
        graph.output = last if graph.nodes else graph.node("Identity", "identity", last)
        if not keep_names:
            fold_norms(graph)
    return graph


def _normalised(graph: Graph, pixels: Pixels, dtype: np.dtype[Any]) -> str:
    x = graph.input
    if graph.dtype(x) != dtype:
        x = graph.node("Cast", "as_float", x, to=dtype.name)
    scale, shift = pixels.affine()
    x = graph.node("Mul", "by_scale", x, graph.constant("pixel_scale", scale, x))
    return graph.node("Add", "normalised", x, graph.constant("pixel_shift", shift, x))
