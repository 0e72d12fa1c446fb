"""Where labelled images come from: the sample within minise, a set by name, or the user's files."""

from __future__ import annotations

import difflib
import logging
import os
from collections.abc import Sequence
from importlib import resources
from pathlib import Path

from minise.arrays import Array
from minise.data.class_folders import load_pictures, pictures_in
from minise.data.dataset import Dataset, Split
from minise.data.folders import (
    FileSet,
    as_typed,
    is_of_a_set,
    listed,
    missing,
    read_set,
    set_with,
    sets_below,
    sets_in,
    visible,
)
from minise.data.labels import fit_labels
from minise.data.named import NAMED, read_mnist, read_named
from minise.data.npz import names_in_npz, read_npz
from minise.data.pixels import fit_pixels
from minise.errors import InputError

_log = logging.getLogger(__name__)

NAMES = ("sample", "mnist", *NAMED)
EXPECTED = f"{', '.join(NAMES)}, a folder of IDX files or of pictures, or an .npz"

# The arrays of an .npz as Keras and as MedMNIST call them.
NPZ_NAMES = (
    ("x_train", "y_train", "x_test", "y_test"),
    ("train_images", "train_labels", "test_images", "test_labels"),
)


def load(source: str | os.PathLike[str] = "sample", *, seed: int = 0) -> Dataset:
    """Load labelled images; `Dataset.summary` says what was read.

    "sample" is a part of MNIST that comes with minise: its first 10,000 training and 2,000 test
    images. "mnist" is all of it: from the folder `MINISE_DATA`, else from the user's cache, else
    downloaded into that cache; likewise "fashion-mnist", "kmnist", "qmnist", "emnist-digits" and
    "emnist-letters". Anything else is a path:

    - a folder of IDX files named like MNIST's, plain or gzip, or torchvision's root. If it has
      several sets, `folder/emnist-letters` or one of the files names one of them
    - a folder with a folder of pictures for each class, or train/ and test/ with such folders.
      Without test/ some pictures, drawn with `seed`, are held out
    - an `.npz` with x_train, y_train, x_test, y_test, or train_images, train_labels, test_images,
      test_labels

    Images become (N, C, H, W), uint8, and labels (N,), int64, from 0.

    Raises `InputError` for data that are missing, cannot be downloaded, or do not fit together.
    """
    if source in NAMES and os.path.exists(source):
        _log.info(
            "data: %s is the name of a set; for the one in this folder type .%s%s",
            source,
            os.sep,
            source,
        )
    if source == "sample":
        with resources.as_file(resources.files("minise.data") / "sample") as folder:
            return _from_set(sets_in(folder)[0])
    if source == "mnist":
        return _dataset("mnist", "mnist", read_mnist())
    if source in NAMED:
        name = str(source)
        arrays, notes = read_named(name)
        return _dataset(name, name, arrays, notes, NAMED[name].class_names)
    path = Path(source)  # checked by `os.path`: its own methods raise for a name that is too long
    if os.path.isdir(path):
        return _from_folder(path, seed)
    if os.path.isfile(path):
        return _from_file(path)
    if chosen := _chosen(path):
        return _from_set(chosen)
    near = difflib.get_close_matches(str(source), NAMES, n=1)
    hint = f"did you mean {near[0]!r}? " if near else ""
    raise InputError(f"data: there is no {str(source)!r}: {hint}expected {EXPECTED}")


def located(source: str) -> str:
    """A name for the same data from any folder: an existing path becomes absolute."""
    if source not in NAMES and (os.path.exists(source) or _chosen(Path(source))):
        return str(Path(source).resolve())
    return source


def _chosen(path: Path) -> FileSet | None:
    """The set of this name among those in a folder."""
    if not os.path.isdir(path.parent):
        return None
    return next((found for found in sets_in(path.parent) if found.name == path.name.lower()), None)


def _from_folder(folder: Path, seed: int) -> Dataset:
    try:
        os.listdir(folder)
    except OSError as error:
        raise InputError(f"data: {folder} cannot be read: {error.strerror or error}") from None
    sets = sets_in(folder) or sets_below(folder)
    archives = [
        path
        for path in visible(folder)
        if _is_npz(path.name) and not is_of_a_set(path.name) and os.path.isfile(path)
    ]
    choices = [found.choice for found in sets] or archives
    if len(choices) > 1:
        given = listed([as_typed(path) for path in choices])
        raise InputError(f"data: {folder} has several sets, name one of them: {given}")
    if sets:
        below = os.path.relpath(sets[0].folder, folder)
        return _from_set(sets[0], [] if below == "." else [f"found in {below}"])
    if archives:
        return _from_file(archives[0])
    if pictures := load_pictures(_called(folder), folder, seed):
        return pictures
    if lacking := missing(folder):
        raise InputError(f"data: {folder} has no file named {lacking}")
    if loose := pictures_in(folder):
        raise InputError(
            f"data: {folder} has pictures such as {loose[0].name} in it, "
            "expected a folder for each class with its pictures, such as cat/1.png and dog/1.png"
        )
    has = listed([path.name for path in visible(folder)]) or "nothing"
    raise InputError(
        f"data: {folder} has {has}, expected IDX files named as MNIST's are, an .npz, "
        "or a folder of pictures for each class"
    )


def _called(folder: Path) -> str:
    """The name of a folder; torchvision keeps a set in the folder `raw` of one with its name."""
    parent, name = os.path.split(os.path.abspath(folder))
    return (os.path.basename(parent) or name) if name == "raw" else name


def _from_set(found: FileSet, notes: Sequence[str] = ()) -> Dataset:
    arrays, said = read_set(found)
    name = found.name or _called(found.folder)
    named = NAMED.get(found.name)
    class_names = () if named is None else named.class_names
    return _dataset(name, str(found.folder), arrays, [*notes, *said], class_names)


def _from_file(path: Path) -> Dataset:
    names = names_in_npz(path) if _is_npz(path.name) else []
    by_lower = {name.lower(): name for name in names}
    for wanted in NPZ_NAMES:
        if all(name in by_lower for name in wanted):
            left_out = [n for n in names if n.lower() in ("x_val", "val_images", "x_valid")]
            notes = [f"{left_out[0]} left out"] if left_out else []
            arrays = read_npz(path, tuple(by_lower[name] for name in wanted))
            return _dataset(path.stem, str(path), arrays, notes)
    if is_of_a_set(path.name) and len(names) <= 1:
        if found := set_with(path):
            return _from_set(found)
        raise InputError(f"data: {path.parent} has no file named {missing(path.parent)}")
    if names:
        nearest = max(NPZ_NAMES, key=lambda wanted: sum(name in by_lower for name in wanted))
        lacking = ", ".join(name for name in nearest if name not in by_lower)
        raise InputError(
            f"{path}: has the arrays {listed(names)}, and no {lacking}; "
            f"expected {' or '.join(', '.join(wanted) for wanted in NPZ_NAMES)}"
        )
    raise InputError(
        f"data: {path} is not a folder of IDX files or of pictures, nor an .npz with arrays"
    )


def _is_npz(name: str) -> bool:
    return name.lower().endswith(".npz")


def _dataset(
    name: str,
    where: str,
    arrays: Sequence[Array],
    notes: Sequence[str] = (),
    class_names: tuple[str, ...] = (),
) -> Dataset:
    """The four arrays as a net learns from them, checked against each other."""
    x_train, y_train, x_test, y_test = arrays
    where = f"data: {where}"
    if x_train.ndim == 1 and y_train.ndim > 2:
        raise InputError(
            f"{where}: images are {x_train.shape} and labels {y_train.shape}: are they swapped?"
        )
    train, test, of_pixels = fit_pixels(where, x_train, x_test)
    labels = fit_labels(where, y_train, y_test, (len(train), len(test)))
    data = Dataset(
        name,
        Split(train, labels.train),
        Split(test, labels.test),
        labels.class_names,
        (*notes, *of_pixels, *labels.notes),
    )
    if len(class_names) == data.num_classes:
        data = data._replace(class_names=class_names)
    return data
