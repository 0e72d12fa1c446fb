"""What a sweep must know of images before it starts: which they are, how many, of which shape."""

from __future__ import annotations

import functools
from typing import NamedTuple

import numpy as np

from minise import data
from minise.errors import InputError
from minise.runs.config import Config, dataset_of, fingerprint


class Images(NamedTuple):
    """Of one source of data."""

    fingerprint: str  # changes with any image or label
    summary: str
    shape: tuple[int, int, int]  # (C, H, W)
    num_classes: int
    train: int
    test: int
    labels: data.Dataset  # of the training images, which have no pixels here

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

    def check_drawn(self, config: Config) -> None:
        """Raises `InputError` where the images that a training draws lack one of the classes."""
        try:
            dataset_of(config, lambda source: self.labels)
        except InputError as error:
            raise InputError(f"seed {config.seed}: {error}") from None


@functools.lru_cache(maxsize=2)  # to read and to hash them takes a second
def loaded(source: str) -> tuple[data.Dataset, Images]:
    """The images of `data.load(source)`, and what is known of them."""
    dataset = data.load(source)
    images, labels = dataset.train
    bare = data.Split(np.empty((len(images), 0, 0, 0), np.uint8), labels)
    test = dataset._replace(train=dataset.test)
    return dataset, Images(
        f"{fingerprint(dataset)}{fingerprint(test)}",
        dataset.summary,
        dataset.image_shape,
        dataset.num_classes,
        len(dataset.train.labels),
        len(dataset.test.labels),
        data.Dataset(dataset.name, train=bare, test=bare),
    )


@functools.lru_cache(maxsize=64)  # small, where images are large
def images_of(source: str) -> Images:
    """What is known of the images of `data.load(source)`. Raises `InputError` without any."""
    return loaded(source)[1]
