"""From a net to the graph of what it computes in evaluation."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from minise import backend
from minise.arrays import Array, asnumpy
from minise.errors import InputError
from minise.export.fold import fold_norms
from minise.export.graph import Graph
from minise.export.layers import add_layer
from minise.export.trim import trim_kernels
from minise.nn import Layer, moved

OUTPUT = "scores"
ALIKE = 1e-2  # of the largest score


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
        ndim = np.ndim(pixels) - 1
        scale, shift = (_of_channels(values, ndim) for values in self.affine())
        return (pixels * scale + shift).astype(dtype)

    def affine(self) -> tuple[Array, Array]:
        """(scale, shift), float64: the net's input is scale · pixel + shift."""
        std = np.where(np.asarray(self.std, np.float64) > 0, self.std, 1.0)  # of one grey
        return 1 / (255 * std), -np.asarray(self.mean, np.float64) / std

    def check(self, channels: int) -> None:
        """Raises `InputError` for what no picture of so many channels can have."""
        for name, values in (("mean", self.mean), ("std", self.std)):
            known = np.asarray(values).dtype.kind in "iuf" and np.isfinite(values).all()
            if np.shape(values) not in ((), (1,), (channels,)) or not known:
                raise InputError(
                    f"export: {name} of the pixels is {values}, expected a number"
                    + (f", or one for each of {channels} channels" if channels > 1 else "")
                )
        if np.any(np.asarray(self.std) < 0):
            raise InputError(f"export: std of the pixels is {self.std}, expected 0 or more")
        if np.dtype(self.dtype) not in (np.uint8, np.float32):
            raise InputError(f"export: pixels of {np.dtype(self.dtype)}, expected float32 or uint8")
        if np.min(self.mean) < 0 or np.max(self.mean) > 1:
            raise InputError(
                f"export: mean of the pixels is {self.mean}, expected that of pixels from 0 to 1"
            )


def _of_channels(values: Array, ndim: int) -> Array:
    return values.reshape(-1, *(1,) * (ndim - 1))  # (C, 1, 1), or (C,)


def trace(
    net: Layer, input_shape: tuple[int, ...], *, pixels: Pixels | None, keep_names: bool = False
) -> Graph:
    """What `net(x)` computes of one image (C, H, W) or of many, as a graph.

    With `pixels` the graph's input is the pixels of a picture, 0 to 255, without it what the net
    takes. Batch norm is folded into the map before it; with `keep_names` it stays, and all arrays
    of the net's state have their names and shapes.

    Raises `InputError` where such an image does not fit, for pixels that cannot be, for weights
    that are not finite, and for a layer that has no translation.
    """
    if not isinstance(pixels, Pixels | None):
        raise InputError(f"export: pixels is {pixels!r}, expected Pixels(mean, std), or None")
    for name, value in net.state_dict().items():
        if not np.isfinite(asnumpy(value)).all():
            layer, _, kind = name.rpartition(".")
            what = "weights" if kind == "weight" else kind
            raise InputError(
                f"export: the {what} of {layer or 'the net'} are not finite: nothing was written"
            )
    dtype = next((p.value.dtype for p in net.parameters()), np.dtype(np.float32))
    with backend.using("numpy"):  # once only: compiling would take longer
        net = moved(net)
        misfit = f"export: an input of {input_shape} does not fit: "
        try:
            channels, *_ = input_shape
            image = np.zeros((1, *input_shape), dtype)
        except (ValueError, TypeError) as error:
            raise InputError(f"{misfit}{error}") from None
        image[...] = np.random.default_rng(0).integers(0, 256, image.shape)
        fed = image / 128 - 1  # any range will do
        if pixels is not None:
            pixels.check(channels)
            fed = pixels.normalised(image, dtype)
        try:
            y = net(fed)
        except (ValueError, TypeError) as error:
            raise InputError(f"{misfit}{error}") from None
        graph = Graph(
            "x" if pixels is None else "pixels",
            fed if pixels is None else image.astype(pixels.dtype),
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
        if not _alike(graph.along(last), y):
            raise InputError(
                "export: the net and its nodes give different scores for an image: a function that "
                "export.register has, or a layer of a class of yours, computes something else"
            )
        graph.output = last if graph.nodes else graph.node("Identity", "identity", last)
        if not keep_names:
            fold_norms(graph)
            trim_kernels(graph)
    return graph


def _alike(a: Array, b: Array) -> bool:
    """But for rounding, which in a deep net can come to 1e-4 of the largest."""
    finite = np.isfinite(b)
    largest = float(np.abs(b[finite]).max(initial=0))
    return np.allclose(a[finite], b[finite], rtol=0, atol=ALIKE * largest)


def check_images(images: Array, input_shape: tuple[int, ...], *, pixels: bool) -> None:
    """Raises `InputError` for what is no images for ranges of 8 bits, (N, C, H, W)."""
    shape = np.shape(images)
    if shape[1:] != tuple(input_shape) or not shape[0]:
        expected = f"(N, {', '.join(map(str, input_shape))})"
        raise InputError(f"export: int8 with images of shape {shape}, expected {expected}")
    low, high = np.min(images), np.max(images)
    if pixels and (low < 0 or not 1 < high <= 255):
        raise InputError(
            f"export: int8 with pixels from {low:.3g} to {high:.3g}, expected 0 to 255"
        )


def _normalised(graph: Graph, pixels: Pixels, dtype: np.dtype[Any]) -> str:
    x = graph.input
    if graph.dtype(x) != dtype:
        x = graph.node("Cast", "as_float", x, to=dtype.name)
    scale, shift = pixels.affine()
    x = graph.node("Mul", "by_scale", x, graph.constant("pixel_scale", scale, x))
    return graph.node("Add", "normalised", x, graph.constant("pixel_shift", shift, x))
