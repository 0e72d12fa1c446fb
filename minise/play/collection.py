"""The images that a net is shown in, and what it makes of all of them."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from minise import data, inspect
from minise.arrays import Array, asnumpy
from minise.backend import asarray
from minise.errors import InputError
from minise.nn import Backward, Layer, observed
from minise.play.watch import is_block, used

AT_ONCE = 2**20  # numbers of images that the net is given together
MOST = 2000  # images that are looked through for gates by class and mistakes


class Collection(NamedTuple):
    """Images to pick from, with what a net said of them before anything was changed."""

    images: Array  # (N, C, H, W): uint8 pixels, or numbers as the net takes them
    labels: npt.NDArray[np.int64] | None
    mean: float
    std: float
    class_names: tuple[str, ...]
    classes: int  # K
    means: dict[str, Array]  # by block (K, C): the mean gates of each class
    answers: npt.NDArray[np.int64]  # (N,): the classes that the net took them for
    dtype: npt.DTypeLike  # of the net

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

    def as_learned(self, digit: data.Images) -> data.Images:
        """A digit, light ink on black, as the net learned digits: dark on light if those were."""
        return digit if self.mean <= 0.5 else 255 - digit

    def input(self, image: Array) -> Array:
        """What the net is given (1, C, H, W) for an image (C, H, W)."""
        return self.inputs(image[None])

    def inputs(self, images: Array) -> Array:
        """What the net is given for images (N, C, H, W)."""
        if not self.are_pixels:
            return asarray(images.astype(self.dtype))
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

    `mean` and `std` of pixels are those of `data.to_input`, by default of these images. Without
    labels (N,) an image is of the class that the net takes it for. Raises `InputError` for images
    that the net does not take, and for labels that are not theirs.
    """
    if not isinstance(net, Layer):
        raise InputError(f"play: net is {type(net).__name__}, expected one of minise's layers")
    dtype = next((p.value.dtype for p in net.parameters()), np.dtype(np.float32))
    images = _checked_images(images, dtype)
    known = None if labels is None else _checked_labels(labels, len(images))
    some = np.unique(np.linspace(0, len(images) - 1, min(len(images), MOST)).round().astype(int))
    images = images[some]
    known = None if known is None else known[some]
    mean, std = _statistics(images, mean, std)
    found = Collection(images, known, mean, std, class_names, 0, {}, np.zeros(0, np.int64), dtype)
    count = max(1, min(256, AT_ONCE // images[0].size))
    batches = [found.inputs(images[n : n + count]) for n in range(0, len(images), count)]
    try:
        scores, gates = _shown(net, batches)
    except (TypeError, ValueError) as error:
        raise InputError(f"play: the net does not take images {images.shape}: {error}") from error
    if scores.ndim != 2:
        raise InputError(f"play: the net gives {scores.shape}, expected scores (N, K)")
    if wrong := int((~np.isfinite(scores)).any(axis=1).sum()):
        raise InputError(
            f"play: the net gives NaN or infinity for {wrong} of {len(scores)} images, expected "
            "finite scores: its training failed, or its weights are damaged"
        )
    answers, K = scores.argmax(axis=1), scores.shape[1]
    of = answers if known is None else known
    if not 0 <= of.min() <= of.max() < K:
        raise InputError(f"play: labels are {of.min()} to {of.max()}, the net has {K} classes")
    means = {name: _by_class(s, of, K) for name, s in gates.items()}
    return found._replace(classes=K, means=means, answers=answers)


def _shown(net: Layer, batches: Iterable[Array]) -> tuple[Array, dict[str, Array]]:
    """The scores (N, K), and by its name, as in `watch`, the gates (N, C) of each block."""
    blocks = {n for n, layer in net.named_layers() if layer.gates_channels and is_block(layer)}
    gates: dict[str, list[Array]] = {}
    uses: dict[str, int] = {}

    def observer(name: str, layer: Layer, x: Array, training: bool) -> tuple[Array, Backward]:
        y, backward = layer.forward(x, training)
        block, _, role = name.rpartition(".")
        if block in blocks and role == "gate":
            uses[block] = uses.get(block, 0) + 1
            gates.setdefault(used(block, uses[block]), []).append(asnumpy(y))
        return y, backward

    twin, scores = observed(net, observer), []
    for x in batches:
        uses.clear()
        scores.append(asnumpy(twin(x)))
    return np.concatenate(scores), {name: np.concatenate(s) for name, s in gates.items()}


def _by_class(s: Array, of: Array, classes: int) -> Array:
    """The mean gates (K, C) of the classes, NaN for one without images."""
    means = np.full((classes, s.shape[1]), np.nan)
    found = inspect.by_class(s, of).mean
    means[: len(found)] = found
    return means


def _checked_images(images: npt.ArrayLike, dtype: np.dtype[Any]) -> Array:
    """Pixels, or numbers as a net of this dtype takes them."""
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
        raise InputError("play: images have NaN or infinity, expected finite numbers")
    return images


def _checked_labels(labels: npt.ArrayLike, count: int) -> npt.NDArray[np.int64]:
    known = asnumpy(labels)
    if known.shape != (count,) or known.dtype.kind not in "iu":
        raise InputError(
            f"play: labels are {known.dtype} {known.shape}, expected a whole number for each of "
            f"{count} images"
        )
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
