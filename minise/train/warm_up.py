"""One pass before the first: it compiles what has to be, and shows whether the images fit."""

from __future__ import annotations

import copy

import numpy as np

from minise.backend import array_module
from minise.data import to_input
from minise.errors import InputError
from minise.nn import Layer


def warm_up(net: Layer, image_shape: tuple[int, int, int], batch_size: int) -> None:
    """Run a batch of blank images forward and backward through a copy of `net`.

    Batches of another size may use other kernels. Raises `InputError` where images of this shape,
    (C, H, W), do not fit the net.
    """
    net = copy.deepcopy(net)
    dtype = net.parameters()[0].value.dtype
    images = to_input(np.zeros((batch_size, *image_shape), np.uint8), 0.0, 1.0, dtype)
    try:
        scores, backward = net.forward(images, training=True)
    except ValueError as error:
        raise InputError(f"images of {image_shape} do not fit the net: {error}") from None
    backward(array_module(scores).zeros_like(scores))
    net(images)
