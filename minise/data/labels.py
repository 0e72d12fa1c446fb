"""Labels as people store them, turned into those that are learned: (N,), int64, from 0."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from minise.arrays import Array
from minise.data.dataset import printable
from minise.errors import InputError

MOST_EMPTY = 1000  # classes without a training image; beyond that the labels are not classes
QMNIST = 8  # columns of its labels: the digit, then who wrote it and where


class Labels(NamedTuple):
    """Labels of training and test images, (N,), int64; and names and notes for a `Dataset`."""

    train: npt.NDArray[np.int64]
    test: npt.NDArray[np.int64]
    class_names: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def fit_labels(where: str, train: Array, test: Array, images: tuple[int, int]) -> Labels:
    """Labels for so many training and test images.

    Raises `InputError` for anything but one class for each image.
    """
    of_train, of_test = f"{where}: training labels", f"{where}: test labels"
    train, columns = _column(of_train, train, images[0])
    test, columns_of_test = _column(of_test, test, images[1])
    if columns != columns_of_test:
        raise InputError(
            f"{where}: training labels are {columns or 'one number'} for each image, "
            f"test labels {columns_of_test or 'one number'}"
        )
    for count, expected, other, of in (
        (len(train), *images, of_train),
        (len(test), *images[::-1], of_test),
    ):
        if count != expected:
            hint = ": are training and test labels swapped?" if count == other else ""
            raise InputError(f"{of}: got {count:,} for {expected:,} images{hint}")
    notes = (f"labels are {columns}",) if columns else ()
    if train.dtype.kind in "US" or test.dtype.kind in "US":
        labels = _named(where, train, test)
    else:
        labels = _numbered(where, _whole(of_train, train), _whole(of_test, test))
    return labels._replace(notes=(*notes, *labels.notes))


def _column(of: str, labels: Array, count: int) -> tuple[Array, str]:
    """One label for each image, and how they were stored, if differently."""
    if labels.dtype.kind not in "buifUS":
        raise InputError(f"{of} are {labels.dtype}, expected numbers or text")
    if labels.ndim == 1:
        return labels, ""
    if labels.size == count > 0 and count in labels.shape:
        return labels.reshape(-1), ""  # (N, 1), as MedMNIST has them
    if labels.ndim == 2 and labels.size and labels.dtype.kind in "buif":
        if ((labels == 0) | (labels == 1)).all():
            if ((labels == 1).sum(axis=1) == 1).all():
                return labels.argmax(axis=1), f"one-hot with {labels.shape[1]} columns"
            raise InputError(
                f"{of} are {labels.shape} of 0 and 1, but not every row has exactly one 1: "
                "expected one class for each image"
            )
        if labels.shape[1] == QMNIST and labels.dtype.kind in "ui":
            return labels[:, 0], "the first of eight columns, as QMNIST has them"
    raise InputError(
        f"{of} are {labels.dtype} {labels.shape}, expected (N,), (N, 1), or one-hot (N, classes)"
    )


def _whole(of: str, labels: Array) -> npt.NDArray[np.int64]:
    if labels.dtype.kind == "f":
        wrong = labels[~(np.isfinite(labels) & (labels == np.rint(labels)))]
        if wrong.size:
            raise InputError(f"{of} have {wrong[0]}, expected whole numbers")
    low, high = labels.min(), labels.max()
    if low < 0:
        raise InputError(f"{of}: label {low} is below 0")
    if high > 2**62:
        raise InputError(f"{of}: label {high} is too large for a class number")
    return labels.astype(np.int64)


def _numbered(where: str, train: npt.NDArray[np.int64], test: npt.NDArray[np.int64]) -> Labels:
    notes: list[str] = []
    class_names: tuple[str, ...] = ()
    present, high = np.unique(train), int(train.max())
    if high + 1 - len(present) > MOST_EMPTY:
        raise InputError(
            f"{where}: training label {high:,} needs {high + 1:,} classes, but only "
            f"{len(present):,} have images: expected classes numbered from 0"
        )
    if len(present) == 1:
        raise InputError(f"{where}: all training labels are {high}, expected at least two classes")
    if test.max() > high:
        raise InputError(
            f"{where}: test label {test.max()} is outside the {high + 1} classes "
            "of the training labels"
        )
    if present[0] == 1 and test.min() >= 1:
        train, test = train - 1, test - 1
        present = present - 1
        class_names = tuple(str(k) for k in range(1, high + 1))
        notes.append(f"labels 1 to {high} renumbered 0 to {high - 1}")
    empty = np.setdiff1d(np.arange(train.max()), present)
    if empty.size:
        listed = ", ".join(map(str, empty[:3])) + (", …" if empty.size > 3 else "")
        notes.append(f"no training image of class {listed}")
    return Labels(train, test, class_names, tuple(notes))


def _named(where: str, train: Array, test: Array) -> Labels:
    """Labels that are text: whole numbers if all of them are, else names in alphabetical order."""
    if train.dtype.kind != test.dtype.kind:
        raise InputError(f"{where}: training labels are {train.dtype}, test labels {test.dtype}")
    if train.dtype.kind == "S":
        train, test = (np.char.decode(labels, "utf-8", "replace") for labels in (train, test))
    names = np.unique(train)
    if unknown := sorted(set(np.unique(test).tolist()) - set(names.tolist())):
        raise InputError(f"{where}: test label {unknown[0]!r} is not among the training labels")
    if all(name.isascii() and name.isdigit() and len(name) < 10 for name in names.tolist()):
        return _numbered(where, train.astype(np.int64), test.astype(np.int64))
    if len(names) == 1:
        raise InputError(
            f"{where}: all training labels are {str(names[0])!r}, expected at least two classes"
        )
    if len(names) > MOST_EMPTY and len(names) * 2 > len(train):
        raise InputError(f"{where}: {len(names):,} class names for {len(train):,} images")
    return Labels(
        np.searchsorted(names, train).astype(np.int64),
        np.searchsorted(names, test).astype(np.int64),
        tuple(map(printable, names.tolist())),
    )
