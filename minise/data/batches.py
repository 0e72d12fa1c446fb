"""From bytes to batches: shuffled, normalised, in the memory order of the backend in use."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from minise.arrays import Array
from minise.backend import current
from minise.data.dataset import Split
from minise.errors import InputError

Images: TypeAlias = npt.NDArray[np.uint8]
Augment: TypeAlias = Callable[[Images, np.random.Generator], Images]


def pixel_statistics(images: Images) -> tuple[float, float]:
    """Mean and standard deviation of all pixels, on the scale 0 to 1."""
    counts = np.bincount(images.reshape(-1), minlength=256)
    pixel = np.arange(256) / 255
    mean = (counts * pixel).sum() / counts.sum()
    std = np.sqrt((counts * (pixel - mean) ** 2).sum() / counts.sum())
    return float(mean), float(std)


def to_input(images: Images, mean: float, std: float, dtype: npt.DTypeLike = np.float32) -> Array:
    """The input of a net: (pixel / 255 − mean) / std, (N, C, H, W).

    On the backend in use, in the memory order that its kernels read.
    """
    return current().place(images, _pixel_values(mean, std, dtype))


def _pixel_values(mean: float, std: float, dtype: npt.DTypeLike) -> Array:
    """What each of the 256 bytes becomes."""
    if std <= 0:
        std = 1.0  # all pixels are the same grey: there is nothing to scale
    return ((np.arange(256) / 255 - mean) / std).astype(dtype)


class Batches:
    """Iterate over (x, labels): x as `to_input` makes it, labels (N,), int64.

    Both are on the backend in use; on a GPU, they are made and copied while it works on the batch
    before, and x is valid until the next is requested.

    With an `rng` each pass over the images has a new order, drawn from it; without one they keep
    theirs. `augment(images, rng)` changes each batch of images. The last batch may be
    smaller. Raises `InputError` for a batch size below 1, or an `augment` without an `rng`.
    """

    def __init__(
        self,
        split: Split,
        batch_size: int,
        *,
        mean: float,
        std: float,
        rng: np.random.Generator | None = None,
        augment: Augment | None = None,
        dtype: npt.DTypeLike = np.float32,
    ) -> None:
        if batch_size < 1:
            raise InputError(f"batch size {batch_size}, expected at least 1")
        if augment is not None and rng is None:
            raise InputError("Batches: augment draws random numbers and needs an rng")
        self.split, self.batch_size = split, batch_size
        self.mean, self.std, self.dtype = mean, std, dtype
        self.rng, self.augment = rng, augment

    def __len__(self) -> int:
        """The number of batches in one pass."""
        return -(-len(self.split.labels) // self.batch_size)

    def sizes(self) -> list[int]:
        """The sizes that occur: the batch size, and that of the last batch where it is smaller."""
        full, rest = divmod(len(self.split.labels), self.batch_size)
        return [self.batch_size] * (full > 0) + [rest] * (rest > 0)

    def __iter__(self) -> Iterator[tuple[Array, Array]]:
        return self.of(self.order())

    def order(self) -> Array:
        """A new order of the images, drawn from `rng`; without one their own order."""
        count = len(self.split.labels)
        return np.arange(count) if self.rng is None else self.rng.permutation(count)

    def of(self, order: Array, start: int = 0) -> Iterator[tuple[Array, Array]]:
        """The batches of images in this order, without the first `start` of them."""
        make = partial(self._bytes_of, order, start)
        rng = None if self.augment is None else self.rng
        for images, labels in current().ahead(make, rng, self.batch_size):
            yield to_input(images, self.mean, self.std, self.dtype), labels

    def _bytes_of(
        self, order: Array, start: int, rng: np.random.Generator | None
    ) -> Iterator[tuple[Images, Array]]:
        """Images as bytes, changed by `augment`, and their labels."""
        images, labels = self.split
        for low in range(start * self.batch_size, len(labels), self.batch_size):
            chosen = order[low : low + self.batch_size]
            batch = images[chosen]
            if self.augment is not None and rng is not None:
                batch = self.augment(batch, rng)
            yield batch, labels[chosen]
