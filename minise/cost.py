"""What a net costs for one image: parameters and multiply-adds, and the share of SE."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from minise.arrays import Array
from minise.backend import asarray
from minise.errors import InputError
from minise.nn import Backward, Conv2d, Layer, Linear, Parameter, Sequential, observed

CONVENTION = """\
A multiply-add is a multiplication with its addition, in convolutions
and linear maps without their biases. Many papers call it a FLOP.
Squeeze and scale are counted apart: one for each number they read."""


class Part(NamedTuple):
    """A layer without layers inside, or the multiplication in a block that has some."""

    name: str  # of the layer in the net, as in "layer1.0.se.fc1"
    layer: Layer
    is_scale: bool
    within_se: bool
    shape: tuple[int, ...]  # of its output for one image
    parameters: list[Parameter]
    multiply_adds: int
    squeeze_and_scale: int

    @property
    def outputs(self) -> int:
        """How many numbers it outputs."""
        return int(np.prod(self.shape))


class Cost(NamedTuple):
    """For one image. `squeeze_and_scale` counts an addition for each number that SE blocks average
    or compare, and a multiplication for each that they scale; these are not multiply-adds.
    """

    parameters: int
    multiply_adds: int
    squeeze_and_scale: int


def cost(net: Layer, input_shape: tuple[int, ...] | None = None, *, of_se: bool = False) -> Cost:
    """The cost of an image of `input_shape`, (C, H, W), or the part of it that is in SE blocks.

    Without a shape it is that of the images that the net was made for. Raises `InputError` where
    such an image does not fit the net, and where it says no shape itself.
    """
    parts = parts_of(net, own_shape(net, input_shape))
    return total([part for part in parts if part.within_se] if of_se else parts)


def own_shape(net: Layer, given: tuple[int, ...] | None) -> tuple[int, ...]:
    """The shape given for one image, or that of the images that the net was made for.

    Raises `InputError` where there is neither.
    """
    shape = net.image_shape if given is None else given
    if shape is None:
        raise InputError(
            f"{type(net).__name__} does not say which images it was made for: "
            "add the shape (C, H, W) of one, such as (1, 28, 28)"
        )
    return shape


def total(parts: Sequence[Part]) -> Cost:
    """The sum over the parts; a parameter that two of them share counts once."""
    sizes = {id(p): p.value.size for part in parts for p in part.parameters}
    return Cost(
        sum(sizes.values()),
        sum(part.multiply_adds for part in parts),
        sum(part.squeeze_and_scale for part in parts),
    )


def parts_of(net: Layer, input_shape: tuple[int, ...]) -> list[Part]:
    """The parts that an image of `input_shape` goes through, in order.

    Raises `InputError` where it does not fit.
    """
    se = {name for name, layer in net.named_layers() if layer.is_se}
    parts: list[Part] = []

    def record(name: str, layer: Layer, x: Array, training: bool) -> tuple[Array, Backward]:
        y, backward = layer.forward(x, training)
        within = any(block in ("", name) or name.startswith(f"{block}.") for block in se)
        shape = tuple(y.shape[1:])
        if layer.scales:
            parts.append(Part(name, layer, True, True, shape, [], 0, y.size))
        if not layer.scales and not any(layer.children()) and not isinstance(layer, Sequential):
            squeezed = x.size if within and layer.squeezes else 0
            parameters, products = layer.parameters(), multiply_adds(layer, y)
            parts.append(Part(name, layer, False, within, shape, parameters, products, squeezed))
        elif own := [value for value in vars(layer).values() if isinstance(value, Parameter)]:
            parts.append(Part(name, layer, False, within, shape, own, 0, 0))  # beside layers in it
        return y, backward

    try:
        observed(net, record)(one_image(net, input_shape))
    except (ValueError, TypeError) as error:
        raise InputError(f"an input of {input_shape} does not fit: {error}") from None
    return parts


def multiply_adds(layer: Layer, y: Array) -> int:
    """Those of a layer whose output for one image is y."""
    if isinstance(layer, Conv2d | Linear):
        return int(y.size * layer.weight.value[0].size)
    return 0


def one_image(net: Layer, input_shape: tuple[int, ...]) -> Array:
    """Zeros (1, C, H, W) of the dtype of the net."""
    dtype = next((p.value.dtype for p in net.parameters()), np.dtype(np.float32))
    return asarray(np.zeros((1, *input_shape), dtype))
