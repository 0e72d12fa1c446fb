"""What a sweep must know of images before it starts: which they are, how many, of which shape."""

from __future__ import annotations

import functools
from typing import NamedTuple

from minise import data
from minise.errors import InputError
from minise.runs.config import Config, fingerprint


class Images(NamedTuple):
    """Of one source of data."""

    fingerprint: str  # changes with any image or label
    summary: str
    shape: tuple[int, int, int]  # (C, H, W)
    num_classes: int
    train: int
    test: int

    def used_by(self, config: Config) -> tuple[int, int]:
        """How many images a training learns from, and on how many it is tested.

        Raises `InputError` where there are not so many.
        """
        train, test = self.train, self.test
        if config.hold_out:
            if config.hold_out >= train:
                raise InputError(f"hold_out: {config.hold_out:,} of {train:,} training images")
            train, test = train - config.hold_out, config.hold_out
        if config.train_images > train:
            raise InputError(f"train_images: {config.train_images:,}, where there are {train:,}")
        return config.train_images or train, test


@functools.lru_cache(maxsize=2)  # to read and to hash them takes a second
def loaded(source: str) -> tuple[data.Dataset, Images]:
    """The images of `data.load(source)`, and what is known of them."""
    dataset = data.load(source)
    test = dataset._replace(train=dataset.test)
    return dataset, Images(
        f"{fingerprint(dataset)}{fingerprint(test)}",
        dataset.summary,
        dataset.image_shape,
        dataset.num_classes,
        len(dataset.train.labels),
        len(dataset.test.labels),
    )


@functools.lru_cache(maxsize=64)  # small, where images are large
def images_of(source: str) -> Images:
    """What is known of the images of `data.load(source)`. Raises `InputError` without any."""
    return loaded(source)[1]
