"""Where labelled images come from: the sample within minise, MNIST, or the user's own files."""

from __future__ import annotations

import difflib
import logging
import os
import tempfile
from importlib import resources
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from minise.backend import Array
from minise.data.idx import read_idx
from minise.data.npz import read_npz
from minise.errors import InputError
from minise.files import put_in_place

_log = logging.getLogger(__name__)

# The four files of MNIST, and the SHA-256 of each when decompressed.
MNIST = {
    "train-images-idx3-ubyte": "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
    "train-labels-idx1-ubyte": "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
    "t10k-images-idx3-ubyte": "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
    "t10k-labels-idx1-ubyte": "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
}
MIRRORS = (
    "https://ossci-datasets.s3.amazonaws.com/mnist/",
    "https://storage.googleapis.com/cvdf-datasets/mnist/",
)
# How the four files of a folder may be called; Fashion-MNIST, KMNIST and EMNIST keep to it.
PATTERNS = (
    ("*train-images*",),
    ("*train-labels*",),
    ("*t10k-images*", "*test-images*"),
    ("*t10k-labels*", "*test-labels*"),
)
NPZ_NAMES = ("x_train", "y_train", "x_test", "y_test")


class Split(NamedTuple):
    """Images (N, C, H, W), uint8, and their labels (N,), int64."""

    images: npt.NDArray[np.uint8]
    labels: npt.NDArray[np.int64]


class Dataset(NamedTuple):
    """Images to learn from and images to judge by."""

    name: str
    train: Split
    test: Split

    @property
    def num_classes(self) -> int:
        """One more than the largest label."""
        return int(self.train.labels.max()) + 1

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """(C, H, W) of every image."""
        C, H, W = self.train.images.shape[1:]
        return C, H, W


def hold_out(dataset: Dataset, count: int, rng: np.random.Generator) -> Dataset:
    """The data with `count` of its training images, drawn from `rng`, in place of the test images.

    To tune by: what was chosen by looking at the test images is no longer tested by them. Raises
    `InputError` where that leaves nothing to learn from.
    """
    images, labels = dataset.train
    if not 0 < count < len(labels):
        raise InputError(
            f"{dataset.name}: {count} images held out, expected 1 to {len(labels) - 1}"
        )
    order = rng.permutation(len(labels))
    held, rest = order[:count], np.sort(order[count:])
    if lost := sorted(set(labels[held].tolist()) - set(labels[rest].tolist())):
        raise InputError(f"{dataset.name}: of class {lost[0]} all images would be held out")
    return Dataset(
        f"{dataset.name}, {count:,} held out",
        Split(images[rest], labels[rest]),
        Split(images[held], labels[held]),
    )


def load(source: str | os.PathLike[str] = "sample") -> Dataset:
    """Labelled images.

    "sample" is a part of MNIST that comes with minise: its first 10,000 training and 2,000 test
    images. "mnist" is all of it: from the folder `MINISE_DATA`, else from the user's cache, else
    downloaded into that cache. Anything else is a path: a folder of IDX files named as MNIST's
    are, plain or gzip, or an `.npz` with x_train, y_train, x_test, y_test.

    Raises `InputError` for what is not there, cannot be had, or does not fit together.
    """
    if source == "sample":
        with resources.as_file(resources.files("minise.data") / "sample") as folder:
            return _from_folder("sample", folder)
    if source == "mnist":
        return _dataset("mnist", [read_idx(path, sha256=MNIST[n]) for n, path in _mnist().items()])
    path = Path(source)  # asked by `os.path`, as its own methods raise for a name that is too long
    if os.path.isdir(path):
        return _from_folder(path.name, path)
    if os.path.isfile(path) and path.suffix == ".npz":
        return _dataset(path.stem, read_npz(path, NPZ_NAMES))
    if os.path.exists(path):
        raise InputError(f"data: {path} is neither a folder of IDX files nor an .npz")
    near = difflib.get_close_matches(str(source), ["sample", "mnist"], n=1)
    hint = f"did you mean {near[0]!r}? " if near else ""
    raise InputError(
        f"data: there is no {str(source)!r}: {hint}expected 'sample', 'mnist', "
        "a folder of IDX files or an .npz"
    )


def _from_folder(name: str, folder: Path) -> Dataset:
    return _dataset(name, [read_idx(_find(folder, patterns)) for patterns in PATTERNS])


def _find(folder: Path, patterns: tuple[str, ...]) -> Path:
    found = sorted(path for pattern in patterns for path in folder.glob(pattern))
    if not found:
        raise InputError(f"data: {folder} has no file named {' or '.join(patterns)}")
    return found[0]


def _dataset(name: str, arrays: list[Array]) -> Dataset:
    """Hold the four arrays against each other."""
    data = Dataset(
        name,
        _split(f"{name}, training", arrays[0], arrays[1]),
        _split(f"{name}, test", arrays[2], arrays[3]),
    )
    if data.test.images.shape[1:] != data.image_shape:
        raise InputError(
            f"data: {name}: test images are {data.test.images.shape[1:]}, "
            f"training images {data.image_shape}"
        )
    if data.test.labels.max() >= data.num_classes:
        raise InputError(
            f"data: {name}: test label {data.test.labels.max()} is outside the "
            f"{data.num_classes} classes of the training labels"
        )
    return data


def _split(what: str, images: Array, labels: Array) -> Split:
    if images.ndim == 3:
        images = images[:, None]  # grey images come without their one channel
    if images.dtype != np.uint8 or images.ndim != 4 or 0 in images.shape:
        raise InputError(
            f"data: {what}: images are {images.dtype} {images.shape}, "
            "expected uint8 (N, H, W) or (N, C, H, W), none of them 0"
        )
    if labels.shape != images.shape[:1] or not np.issubdtype(labels.dtype, np.integer):
        raise InputError(
            f"data: {what}: labels are {labels.dtype} {labels.shape}, "
            f"expected integers for {images.shape[0]} images"
        )
    if labels.min() < 0:
        raise InputError(f"data: {what}: label {labels.min()} is below 0")
    return Split(images, labels.astype(np.int64))


def _mnist() -> dict[str, Path]:
    """The path of each of MNIST's four files, downloaded if it has to be."""
    if folder := os.environ.get("MINISE_DATA"):
        found = {name: path for name in MNIST if (path := _plain_or_gzip(Path(folder), name))}
        if len(found) == len(MNIST):
            return found
        if found:
            missing = ", ".join(name for name in MNIST if name not in found)
            raise InputError(f"data: MINISE_DATA, {folder}, has no {missing}")
    import pooch

    cache = Path(pooch.os_cache("minise")) / "mnist"
    return {name: _cached(cache, name) for name in MNIST}


def _plain_or_gzip(folder: Path, name: str) -> Path | None:
    candidates = (folder / name, folder / f"{name}.gz")
    return next((path for path in candidates if path.is_file()), None)


def _cached(cache: Path, name: str) -> Path:
    """The file in the cache. It is verified before it gets there, and a broken one is replaced."""
    if path := _plain_or_gzip(cache, name):
        try:
            read_idx(path, sha256=MNIST[name])
        except InputError as error:
            _log.info("%s; it is downloaded again", error)
        else:
            return path
    import pooch

    try:
        cache.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=cache) as folder:
            fresh = Path(folder) / f"{name}.gz"
            problems = []
            for mirror in MIRRORS:
                url = f"{mirror}{name}.gz"
                _log.info("downloading %s", url)
                try:
                    pooch.HTTPDownloader(timeout=30)(url, str(fresh), None)
                    read_idx(fresh, sha256=MNIST[name])
                except (
                    OSError,
                    ValueError,
                ) as error:  # of requests: OSError; InputError: ValueError
                    problems.append(f"{url}: {error}")
                else:
                    if path:
                        path.unlink(missing_ok=True)  # as another process may have done
                    return put_in_place(fresh, cache / f"{name}.gz")
    except OSError as error:
        raise InputError(f"data: the cache {cache} cannot be used: {error.strerror}") from None
    raise InputError(
        f"data: {name} could not be downloaded ({'; '.join(problems)}). "
        "Put MNIST's four files into a folder and set MINISE_DATA to it"
    )
