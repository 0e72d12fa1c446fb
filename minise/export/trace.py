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
        _check_shape(graph.along(last), y)
        if not _alike(graph.along(last), y):
            _check_in_float64(graph, net, x, last, image)
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


def _check_shape(nodes: Array, net: Array) -> None:
    if nodes.shape != net.shape:
        raise InputError(
            f"export: the net gives {net.shape[1:]} for an image, its nodes {nodes.shape[1:]}"
        )


def _check_in_float64(graph: Graph, net: Layer, x: str, y: str, image: Array) -> None:
    """The nodes from x to y. In a deep net, rounding to float32 can make anything of the scores."""
    values = graph.run(image if image.dtype.kind == "u" else image.astype(np.float64), np.float64)
    if not _alike(values[y], in_float64(net)(values[x])):
        raise InputError(
            "export: the net and its nodes give different scores for an image: a function that "
            "export.register has, or a layer of a class of yours, computes something else"
        )


def _alike(nodes: Array, net: Array) -> bool:
    finite = np.isfinite(net)
    largest = float(np.abs(net[finite]).max(initial=0))
    return np.allclose(nodes[finite], net[finite], rtol=0, atol=ALIKE * largest)


def in_float64(net: Layer) -> Layer:
    """A copy of the net that computes in float64, on the backend in use."""
    twin = moved(net)
    for _, entry in twin.named_state():
        entry.value = entry.value.astype(np.float64)
    return twin


def _normalised(graph: Graph, pixels: Pixels, dtype: np.dtype[Any]) -> str:
    x = graph.input
    if graph.dtype(x) != dtype:
        x = graph.node("Cast", "as_float", x, to=dtype.name)
    scale, shift = pixels.affine()
    x = graph.node("Mul", "by_scale", x, graph.constant("pixel_scale", scale, x))
    return graph.node("Add", "normalised", x, graph.constant("pixel_shift", shift, x))
