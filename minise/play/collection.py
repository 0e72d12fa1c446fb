"""The images that a net is shown in, and what it makes of all of them."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from minise import data, inspect
from minise.arrays import Array, asnumpy
from minise.errors import InputError
from minise.nn import Layer

MOST = 2000  # images that are looked through for gates by class and mistakes


class Collection(NamedTuple):
    """Images to pick from, with what a net said of them before anything was changed."""

    images: Array  # (N, C, H, W): uint8 pixels, or numbers as the net takes them
    labels: npt.NDArray[np.int64] | None
    mean: float
    std: float
    class_names: tuple[str, ...]
    means: dict[str, Array]  # by block (K, C): the mean gates of each class
    answers: npt.NDArray[np.int64]  # (N,): the classes that the net took them for

    @property
    def are_pixels(self) -> bool:
        """Whether the images are pixels, so that a drawing can be one of them."""
        return self.images.dtype == np.uint8

    @property
    def takes_drawings(self) -> bool:
        """Whether the net's images are like MNIST's."""
        return self.are_pixels and self.images.shape[1:] == (1, 28, 28)

    def input(self, image: Array) -> Array:
        """What the net is given (1, C, H, W) for an image (C, H, W)."""
        if not self.are_pixels:
            return image[None]
        return data.to_input(image[None], self.mean, self.std)


def collect(
    net: Layer,
    images: Array,
    labels: npt.ArrayLike | None = None,
    mean: float | None = None,
    std: float | None = None,
    class_names: tuple[str, ...] = (),
) -> Collection:
    """Show the net all images, at most 2,000 of them, evenly, and keep its gates by class.

    `mean` and `std` of pixels are those of `data.to_input`, by default of these images.
    """
    images = np.asarray(images)
    if images.ndim != 4 or not len(images):
        raise InputError(f"play: images have shape {images.shape}, expected (N, C, H, W)")
    some = np.unique(np.linspace(0, len(images) - 1, min(len(images), MOST)).round().astype(int))
    images = images[some]
    known = None
    if labels is not None:
        known = np.asarray(labels, np.int64)[some]
    if mean is None or std is None:
        mean, std = data.pixel_statistics(images) if images.dtype == np.uint8 else (0.0, 1.0)
    found = Collection(images, known, mean, std, class_names, {}, np.zeros(0, np.int64))
    batches = [images[n : n + 256] for n in range(0, len(images), 256)]
    inputs = [data.to_input(b, mean, std) if found.are_pixels else b for b in batches]
    answers = np.concatenate([asnumpy(net(x)).argmax(axis=1) for x in inputs])
    means: dict[str, Array] = {}
    if any(layer.gates_channels for _, layer in net.named_layers()):
        gates = [inspect.gates(net, x) for x in inputs]
        of = answers if known is None else known
        for name in gates[0]:
            s = np.concatenate([batch[name] for batch in gates])
            means[name] = inspect.by_class(s, of).mean
    return found._replace(means=means, answers=answers)
