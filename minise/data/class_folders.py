"""Pictures in a folder for each class: `cat/1.png`, `dog/7.jpg`, …, or both under train/ and test/.

All must have the same size. They are grey if no picture has colours, else they have three
channels, red, green and blue.
"""

from __future__ import annotations

import os
import warnings
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from minise.data.dataset import Dataset, Split, printable
from minise.data.folders import visible
from minise.errors import InputError

SUFFIXES = (".png", ".jpg", ".jpeg", ".gif", ".bmp", ".webp", ".tif", ".tiff", ".ppm", ".pgm")
TRAIN = ("train", "training")
TEST = ("test", "testing", "val", "valid", "validation")  # the first that exists
FORMATS = ("PNG", "JPEG", "GIF", "BMP", "WEBP", "TIFF", "PPM")
HELD_OUT = 5  # one of so many pictures of a class, where there are none to test with
MOST_BYTES = 2**31  # of all pictures together
MOST_PIXELS = 12_000_000  # of one: some 200 MB while it is read
_DEEP = ("I", "I;16", "I;16B", "I;16L", "F")  # Pillow's modes for grey of more than 8 bits

Pictures = dict[str, list[Path]]  # of each class, by its name


class _Parts(NamedTuple):
    train: Pictures
    test: Pictures | None
    notes: list[str]


def load_pictures(name: str, folder: Path, seed: int) -> Dataset | None:
    """The pictures in the folder, or None where it has none.

    Where there are none to test with, `seed` decides which are held out. Raises `InputError` for
    pictures that cannot be read or differ in size, and for classes that do not match.
    """
    parts = _parts(folder)
    if parts is None:
        return None
    train, test, notes = parts
    names = sorted(train, key=lambda name: (int(name), name) if _is_number(name) else (0, name))
    if not all(map(_is_number, names)):
        names = sorted(train)
    if len(names) < 2:
        raise InputError(
            f"data: {folder}: all pictures are of class {names[0]!r}, "
            "expected a folder for each of at least two classes"
        )
    if test is None:
        train, test = _held_out(folder, train, names, np.random.default_rng(seed))
        notes.append(
            f"one in {HELD_OUT} pictures of each class held out for testing, with seed {seed}"
        )
    elif unknown := sorted(set(test) - set(train)):
        raise InputError(f"data: {folder}: class {unknown[0]!r} has only test pictures")
    paths = [(path, k) for part in (train, test) for k, c in enumerate(names) for path in part[c]]
    images = _stacked([path for path, _ in paths])
    labels = np.array([k for _, k in paths], np.int64)
    count = sum(map(len, train.values()))
    return Dataset(
        name,
        Split(images[:count], labels[:count]),
        Split(images[count:], labels[count:]),
        () if names == [str(k) for k in range(len(names))] else tuple(map(printable, names)),
        tuple(notes),
    )


def _is_number(name: str) -> bool:
    return name.isascii() and name.isdigit()


def _parts(folder: Path) -> _Parts | None:
    """The pictures to learn from and to test with."""
    inner = {path.name.lower(): by_class(path) for path in visible(folder) if os.path.isdir(path)}
    trains = [inner[name] for name in TRAIN if inner.get(name)]
    tests = [name for name in TEST if inner.get(name)]
    if trains and tests:
        empty: Pictures = {name: [] for name in trains[0]}
        test = empty | inner[tests[0]]
        notes = [f"tested with {tests[0]}/"] if tests[0] not in TEST[:2] else []
        return _Parts(trains[0], test, notes + [f"{name}/ left out" for name in tests[1:]])
    train = trains[0] if trains else by_class(folder)
    return _Parts(train, None, []) if train else None


def by_class(folder: Path) -> Pictures:
    """The pictures in each subfolder that has any."""
    found = {path.name: pictures_in(path) for path in visible(folder) if os.path.isdir(path)}
    return {name: pictures for name, pictures in found.items() if pictures}


def pictures_in(folder: Path) -> list[Path]:
    """The files in the folder itself whose names are those of pictures."""
    return [
        path
        for path in visible(folder)
        if path.name.lower().endswith(SUFFIXES) and os.path.isfile(path)
    ]


def _held_out(
    folder: Path, pictures: Pictures, names: list[str], rng: np.random.Generator
) -> tuple[Pictures, Pictures]:
    """Some of each class in the second, the rest in the first."""
    train, test = {}, {}
    for name in names:
        paths = pictures[name]
        held = set(rng.permutation(len(paths))[: round(len(paths) / HELD_OUT)].tolist())
        train[name] = [path for k, path in enumerate(paths) if k not in held]
        test[name] = [path for k, path in enumerate(paths) if k in held]
    if not any(test.values()):
        raise InputError(
            f"data: {folder}: no class has more than {HELD_OUT // 2} pictures, "
            "too few to hold some out for testing"
        )
    return train, test


def _stacked(paths: list[Path]) -> npt.NDArray[np.uint8]:
    """All pictures, (N, 1 or 3, H, W)."""
    pictures: list[npt.NDArray[np.uint8]] = []
    channels = 1
    for path in paths:
        pictures.append(_read(path))  # (1 or 3, H, W)
        channels = max(channels, len(pictures[-1]))
        H, W = pictures[-1].shape[1:]
        first = pictures[0].shape[1:]
        if (H, W) != first:
            raise InputError(
                f"{path}: the picture is {H}×{W}, and {paths[0]} is {first[0]}×{first[1]}: "
                "expected all to have the same size"
            )
        if len(paths) * channels * H * W > MOST_BYTES:
            raise InputError(
                f"{path}: {len(paths):,} pictures of {H}×{W} take more than "
                f"{MOST_BYTES // 2**30} GiB: make them smaller"
            )
    images = np.empty((len(paths), channels, *first), np.uint8)
    for image, picture in zip(images, pictures, strict=True):
        image[:] = picture  # a grey one is repeated for red, green and blue
    return images


def _read(path: Path) -> npt.NDArray[np.uint8]:
    """A picture (1, H, W), or (3, H, W) if it has colours; what is transparent becomes white."""
    from PIL import Image, ImageOps

    from minise.data import read_picture

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with Image.open(path, formats=FORMATS) as picture:
                if picture.width * picture.height > MOST_PIXELS:
                    raise InputError(
                        f"{path}: the picture is {picture.height}×{picture.width}, "
                        f"expected at most {MOST_PIXELS:,} pixels: make it smaller"
                    )
                if picture.mode in _DEEP:
                    return read_picture(path)[None]
                coloured = ImageOps.exif_transpose(picture)
                if coloured.has_transparency_data:
                    coloured = coloured.convert("RGBA")
                    white = Image.new("RGBA", coloured.size, "white")
                    coloured = Image.alpha_composite(white, coloured)
                rgb = np.asarray(coloured.convert("RGB"))
    except InputError:
        raise
    except Exception as error:  # a damaged file may make a decoder raise anything
        raise InputError(f"{path}: the picture cannot be read: {error}") from None
    planes: npt.NDArray[np.uint8] = np.moveaxis(rgb, 2, 0)  # (3, H, W)
    return planes[:1] if (planes == planes[0]).all() else planes
