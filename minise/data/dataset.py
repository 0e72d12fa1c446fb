"""Labelled images, to train and to test with."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from minise.errors import InputError

NAMES_SHOWN = 60  # letters of class names in a summary; beyond that, only the first and last


def printable(name: str) -> str:
    """A class's name, made fit for one line of a terminal."""
    shown = "".join(c if c.isprintable() else "?" for c in name)
    return shown if len(shown) <= NAMES_SHOWN else f"{shown[: NAMES_SHOWN - 1]}…"


class Split(NamedTuple):
    """Images (N, C, H, W), uint8, and their labels (N,), int64."""

    images: npt.NDArray[np.uint8]
    labels: npt.NDArray[np.int64]


class Dataset(NamedTuple):
    """Images to train and images to test with.

    `class_names` are those of label 0, 1, …, where they differ from these numbers. `notes` say what
    was done to the contents of the files, each in a few words.
    """

    name: str
    train: Split
    test: Split
    class_names: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def num_classes(self) -> int:
        """One more than the largest label."""
        return int(self.train.labels.max()) + 1

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """(C, H, W) of every image."""
        C, H, W = self.train.images.shape[1:]
        return C, H, W

    def class_name(self, label: int) -> str:
        """The name of the class with this label."""
        return self.class_names[label] if label < len(self.class_names) else str(label)

    @property
    def summary(self) -> str:
        """What was read, in one line: number and size of the images, the classes, the notes."""
        C, H, W = self.image_shape
        names = [self.class_name(label) for label in range(self.num_classes)]
        listed = ", ".join(names)
        numbers = names[0].isdigit() and names == [
            str(int(names[0]) + k) for k in range(len(names))
        ]
        if numbers or len(listed) > NAMES_SHOWN:
            listed = f"{names[0]} to {names[-1]}"
        of = "" if C == 1 else f" in {C} channels"
        counts = f"{len(self.train.labels):,} training and {len(self.test.labels):,} test images"
        return "; ".join((f"{counts} of {H}×{W}{of}, {len(names)} classes: {listed}", *self.notes))


def hold_out(dataset: Dataset, count: int, rng: np.random.Generator) -> Dataset:
    """The data with `count` of its training images, drawn from `rng`, in place of the test images.

    For tuning: test images that guided a choice no longer test it. Raises `InputError` where that
    leaves nothing to learn from.
    """
    images, labels = dataset.train
    if not 0 < count < len(labels):
        raise InputError(
            f"{dataset.name}: cannot hold out {count} images, expected 1 to {len(labels) - 1}"
        )
    order = rng.permutation(len(labels))
    held, rest = order[:count], np.sort(order[count:])
    if lost := _lost(labels, rest):
        raise InputError(
            f"{dataset.name}: all images of class {lost[0]} would be held out; "
            "fewer of them, or another seed, may leave some"
        )
    return dataset._replace(
        name=f"{dataset.name}, {count:,} held out",
        train=Split(images[rest], labels[rest]),
        test=Split(images[held], labels[held]),
    )


def learn_from(dataset: Dataset, count: int, rng: np.random.Generator) -> Dataset:
    """The data with `count` of its training images, drawn from `rng`, and all its test images.

    For learning curves. Those kept stay in their order. Raises `InputError` where there are not so
    many, or a class has none left.
    """
    images, labels = dataset.train
    if not 0 < count <= len(labels):
        raise InputError(
            f"{dataset.name}: cannot learn from {count} images, expected 1 to {len(labels)}"
        )
    kept = np.sort(rng.permutation(len(labels))[:count])
    if lost := _lost(labels, kept):
        raise InputError(
            f"{dataset.name}: of {count} images drawn none is of class {lost[0]}; "
            "more of them, or another seed, may have some"
        )
    return dataset._replace(
        name=f"{dataset.name}, {count:,} to learn from", train=Split(images[kept], labels[kept])
    )


def _lost(labels: npt.NDArray[np.int64], kept: npt.NDArray[np.int64]) -> list[int]:
    """The classes of which none is kept. Raises `InputError` for labels that are no classes."""
    try:
        counts = np.bincount(labels)
    except (TypeError, ValueError):
        reach = f"{labels.dtype}, {labels.min()} to {labels.max()}"
        raise InputError(f"labels: got {reach}, expected whole numbers from 0") from None
    left = np.bincount(labels[kept], minlength=len(counts))
    return np.flatnonzero((counts > 0) & (left == 0)).tolist()
