"""From a net to the graph of what it computes in evaluation."""

from __future__ import annotations

from typing import Any

import numpy as np

from minise import backend
from minise.arrays import Array, asnumpy
from minise.errors import InputError
from minise.export.fold import fold_norms
from minise.export.graph import Graph
from minise.export.layers import add_layer
from minise.export.pixels import Pixels
from minise.export.trim import trim_kernels
from minise.nn import Layer, moved

OUTPUT = "scores"
ALIKE = 1e-2  # of the largest score


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
    _check_finite(net)
    dtype = next((p.value.dtype for p in net.parameters()), np.dtype(np.float32))
    with backend.using("numpy"):  # once only: compiling would take longer
        net = moved(net)
        image, fed = _drawn(input_shape, pixels, dtype)
        try:
            y = net(fed)
        except (ValueError, TypeError) as error:
            raise InputError(f"export: an input of {input_shape} does not fit: {error}") from None
        graph = Graph(
            "x" if pixels is None else "pixels",
            image,
            [OUTPUT, *(name for name, _ in net.named_state())],
            keep_names=keep_names,
        )
        x = graph.input if pixels is None else _normalised(graph, pixels, dtype)
        last = add_layer(graph, net, "", x)
        if y.ndim == 2 and len(graph.shape(last)) == 3:
            last = graph.node("Flatten", "flatten", last, axis=1)
        _check_alike(graph.along(last), y)
        graph.output = last if graph.nodes else graph.node("Identity", "identity", last)
        if not keep_names:
            fold_norms(graph)
            trim_kernels(graph)
    return graph


def _check_finite(net: Layer) -> None:
    for name, value in net.state_dict().items():
        if not np.isfinite(asnumpy(value)).all():
            layer, _, kind = name.rpartition(".")
            what = "weights" if kind == "weight" else kind
            raise InputError(
                f"export: the {what} of {layer or 'the net'} are not finite: nothing was written"
            )


def _drawn(
    input_shape: tuple[int, ...], pixels: Pixels | None, dtype: np.dtype[Any]
) -> tuple[Array, Array]:
    """An image as the graph takes it, and as the net does, (1, C, H, W)."""
    try:
        channels, *_ = input_shape
        image = np.zeros((1, *input_shape), dtype)
    except (ValueError, TypeError) as error:
        raise InputError(f"export: an input of {input_shape} does not fit: {error}") from None
    image[...] = np.random.default_rng(0).integers(0, 256, image.shape)
    if pixels is None:
        fed = image / 128 - 1  # any range will do
        return fed, fed
    pixels.check(channels)
    return image.astype(pixels.dtype), pixels.normalised(image, dtype)


def _check_alike(nodes: Array, net: Array) -> None:
    """But for rounding, which in a deep net can come to 1e-4 of the largest."""
    if nodes.shape != net.shape:
        raise InputError(
            f"export: the net gives {net.shape[1:]} for an image, its nodes {nodes.shape[1:]}"
        )
    finite = np.isfinite(net)
    largest = float(np.abs(net[finite]).max(initial=0))
    if not np.allclose(nodes[finite], net[finite], rtol=0, atol=ALIKE * largest):
        raise InputError(
            "export: the net and its nodes give different scores for an image: a function that "
            "export.register has, or a layer of a class of yours, computes something else"
        )


def _normalised(graph: Graph, pixels: Pixels, dtype: np.dtype[Any]) -> str:
    x = graph.input
    if graph.dtype(x) != dtype:
        x = graph.node("Cast", "as_float", x, to=dtype.name)
    scale, shift = pixels.affine()
    x = graph.node("Mul", "by_scale", x, graph.constant("pixel_scale", scale, x))
    return graph.node("Add", "normalised", x, graph.constant("pixel_shift", shift, x))
