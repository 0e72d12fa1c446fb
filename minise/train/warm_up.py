"""A pass before the first step: it compiles what is needed, and checks that the images fit."""

from __future__ import annotations

import copy
import functools

import numpy as np

from minise import models
from minise.arrays import Array, array_module
from minise.data import Augment, to_input
from minise.errors import InputError
from minise.nn import Layer


def warm_up(
    net: Layer,
    image_shape: tuple[int, int, int],
    batch_size: int,
    augment: Augment | None = None,
) -> None:
    """Run a batch of blank images forward and backward through a copy of `net`.

    They go through `augment` first. Batches of another size may use other kernels. Raises
    `InputError` where images of this shape, (C, H, W), do not fit the net, or one alone does not
    train it.
    """
    net = copy.deepcopy(net)
    dtype = net.parameters()[0].value.dtype
    blank = np.zeros((batch_size, *image_shape), np.uint8)
    if augment is not None:
        blank = augment(blank, np.random.default_rng())
    images = to_input(blank, 0.0, 1.0, dtype)
    try:
        scores, backward = net.forward(images, training=True)
    except ValueError as error:
        if batch_size == 1 and _takes(net, images):
            raise InputError(
                f"a batch of one image does not train this net: {error}; "
                "choose a batch size that leaves no single image"
            ) from None
        raise InputError(
            f"images of {image_shape} do not fit the net: {error}; {nets_for(image_shape)}"
        ) from None
    backward(array_module(scores).zeros_like(scores))
    net(images)


def _takes(net: Layer, images: Array) -> bool:
    """In evaluation."""
    try:
        net(images)
    except ValueError:
        return False
    return True


@functools.cache  # many nets of a sweep may ask
def nets_for(image_shape: tuple[int, int, int]) -> str:
    """What to say after images of (C, H, W) that do not fit a net: which nets take them."""
    fitting = [name for name in models.taking(image_shape) if name.startswith("se-")]
    if not fitting:
        return "no net takes such images"
    return f"nets that take such images: {', '.join(fitting[:6])}{', …' if fitting[6:] else ''}"
