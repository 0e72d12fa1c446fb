"""The images that a net is shown in, and what it makes of all of them."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

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
    dtype: npt.DTypeLike = np.float32  # that of the net's input

    @property
    def are_pixels(self) -> bool:
        """Whether the images are pixels, so that a drawing can be one of them."""
        return self.images.dtype == np.uint8

    @property
    def takes_drawings(self) -> bool:
        """Whether the net's images are like MNIST's."""
        return self.are_pixels and self.images.shape[1:] == (1, 28, 28)

    def class_name(self, k: int) -> str:
        """What this class is called."""
        return self.class_names[k] if k < len(self.class_names) else str(k)

    def input(self, image: Array) -> Array:
        """What the net is given (1, C, H, W) for an image (C, H, W)."""
        return self.inputs(image[None])

    def inputs(self, images: Array) -> Array:
        """What the net is given (N, C, H, W) for images (N, C, H, W)."""
        if not self.are_pixels:
            return images
        return data.to_input(images, self.mean, self.std, self.dtype)


def collect(
    net: Layer,
    images: Array,
    labels: npt.ArrayLike | None = None,
    mean: float | None = None,
    std: float | None = None,
    class_names: tuple[str, ...] = (),
) -> Collection:
    """Show the net all images, at most 2,000 of them, evenly, and keep its gates by class.

    `mean` and `std` of pixels are those of `data.to_input`, by default of these images. Raises
    `InputError` for images that the net does not take, and for labels that are not theirs.
    """
    if not isinstance(net, Layer):
        raise InputError(f"play: net is {type(net).__name__}, expected a net of minise.nn's layers")
    dtype = next((p.value.dtype for p in net.parameters()), np.dtype(np.float32))
    images = _checked_images(images, dtype)
    known = None if labels is None else _checked_labels(labels, len(images))
    some = np.unique(np.linspace(0, len(images) - 1, min(len(images), MOST)).round().astype(int))
    images = images[some]
    mean, std = _statistics(images, mean, std)
    found = Collection(images, known, mean, std, class_names, {}, np.zeros(0, np.int64), dtype)
    parts = [images[n : n + 256] for n in range(0, len(images), 256)]
    try:
        scores = np.concatenate([asnumpy(net(found.inputs(part))) for part in parts])
    except (TypeError, ValueError) as error:
        raise InputError(
            f"play: the net does not take images of shape {images.shape[1:]}: {error}"
        ) from error
    if scores.ndim != 2:
        raise InputError(f"play: the net gives {scores.shape}, expected scores (N, K)")
    if known is not None:
        known = known[some]
        if known.max() >= scores.shape[1]:
            raise InputError(
                f"play: labels go to {known.max()}, and the net has {scores.shape[1]} classes"
            )
    answers = scores.argmax(axis=1)
    means: dict[str, Array] = {}
    if any(layer.gates_channels for _, layer in net.named_layers()):
        gates = [inspect.gates(net, found.inputs(part)) for part in parts]
        of = answers if known is None else known
        for name in gates[0]:
            s = np.concatenate([batch[name] for batch in gates])
            means[name] = inspect.by_class(s, of).mean
    return found._replace(labels=known, means=means, answers=answers)


def _checked_images(images: npt.ArrayLike, dtype: np.dtype[Any]) -> Array:
    """As pixels, or as numbers of the net's dtype."""
    images = asnumpy(images)
    if images.ndim != 4 or not images.size:
        raise InputError(f"play: images have shape {images.shape}, expected (N, C, H, W)")
    if images.dtype == np.uint8:
        return images
    if images.dtype.kind != "f":
        raise InputError(
            f"play: images are {images.dtype}, expected pixels of uint8, or numbers as the net "
            f"takes them, of {dtype}"
        )
    if not np.isfinite(images).all():
        raise InputError("play: some numbers of the images are NaN or infinite")
    return images.astype(dtype, copy=False)


def _checked_labels(labels: npt.ArrayLike, count: int) -> npt.NDArray[np.int64]:
    known = asnumpy(labels)
    if known.shape != (count,):
        raise InputError(f"play: labels have shape {known.shape}, expected ({count},)")
    if known.dtype.kind not in "iu" or known.min() < 0:
        raise InputError("play: labels have to be whole numbers from 0 on")
    return known.astype(np.int64)


def _statistics(images: Array, mean: float | None, std: float | None) -> tuple[float, float]:
    """Mean and deviation of pixels; 0 and 1 of other numbers, which stay as they are."""
    if (mean is None) != (std is None):
        raise InputError("play: mean and std are given together, or neither")
    if images.dtype != np.uint8:
        if mean is not None:
            raise InputError(
                f"play: mean and std are those of pixels, and these images are {images.dtype}, "
                "which the net is given as they are"
            )
        return 0.0, 1.0
    if mean is None or std is None:
        mean, std = data.pixel_statistics(images)
    if not (math.isfinite(mean) and 0 < std < math.inf):
        raise InputError(f"play: pixels cannot be normalised by mean {mean:g} and std {std:g}")
    return mean, std
