"""Data sets as files in a folder: which files belong together, and which set is meant.

A set is four files, named as MNIST's are: NAME-train-images…, NAME-train-labels…, NAME-test-images…
(or t10k) and NAME-test-labels…, in IDX format, plain or gzip, or as Kuzushiji's `imgs` in an .npz.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from minise.arrays import Array
from minise.data.idx import read_idx
from minise.data.npz import names_in_npz, read_npz
from minise.errors import InputError

# train-images-idx3-ubyte.gz, t10k-labels.idx1-ubyte, k49-train-imgs.npz, and so on
_FILE = re.compile(
    r"(?P<set>.*?)(?P<part>train|t10k|test)[-_.](?P<what>image|img|label)s(?P<rest>.*)", re.I | re.S
)
_USUAL = re.compile(r"[-_.]?(idx\d[-_.]?(ubyte|int))?(\.gz|\.npz)?", re.I)  # its usual end
# How an error names what a folder lacks, in the order of the arrays.
PATTERNS = ("*train-images*", "*train-labels*", "*t10k-images* or *test-images*",
            "*t10k-labels* or *test-labels*")  # fmt: skip
SHOWN = 12  # of a list that may be long
_EMNIST = re.compile(r"(^|[-_. ])emnist", re.I)


class FileSet(NamedTuple):
    """Four files that belong together."""

    name: str  # of the set in its folder; empty where its files have just MNIST's names
    folder: Path
    files: tuple[Path, ...]  # training images, training labels, test images, test labels

    @property
    def choice(self) -> Path:
        """The path that names this set alone: its folder if that has no other, else one inside."""
        if len(sets_in(self.folder)) == 1:
            return self.folder
        return self.folder / self.name if self.name else self.files[0]


def visible(folder: Path) -> list[Path]:
    """The contents of a folder, by name, without what systems leave there (`._*`, `__MACOSX`).

    Empty where it cannot be read, as `lost+found` cannot.
    """
    try:
        names = os.listdir(folder)
    except OSError:
        return []
    return [folder / name for name in sorted(names) if not name.startswith((".", "__MACOSX"))]


def is_of_a_set(name: str) -> bool:
    """Whether a file of this name may be one of the four of a set."""
    return _FILE.fullmatch(name) is not None


def sets_in(folder: Path) -> list[FileSet]:
    """The sets whose four files are in the folder itself."""
    found = _found(folder)
    whole = [
        FileSet(name, folder, tuple(files[k] for k in range(4)))
        for name, files in found.items()
        if len(files) == 4
    ]
    if whole or not found:
        return whole
    return [FileSet("", folder, files)] if (files := _only_ones(found)) else []


def sets_below(folder: Path) -> list[FileSet]:
    """The sets in folders of this one, and in their `raw`, where torchvision has them."""
    return [
        found
        for inner in visible(folder)
        for path in (inner, inner / "raw")
        if os.path.isdir(path)
        for found in sets_in(path)
    ]


def set_with(path: Path) -> FileSet | None:
    """The set that a file belongs to by its name, if its other files are there."""
    match = _FILE.fullmatch(path.name)
    name = "" if match is None else _name(match)
    sets = sets_in(path.parent)
    if not sets and is_of_a_set(path.parent.name):  # a folder that stands for the file inside
        sets = sets_in(path.parent.parent)
    return next((found for found in sets if found.name == name or path in found.files), None)


def missing(folder: Path) -> str | None:
    """What is missing from the most complete set in the folder, as in "*t10k-labels*"."""
    found = max(_found(folder).values(), key=len, default=None)
    return None if found is None else next(PATTERNS[k] for k in range(4) if k not in found)


def listed(names: Sequence[object]) -> str:
    """Some of many, as text."""
    return ", ".join(map(str, names[:SHOWN])) + (", …" if len(names) > SHOWN else "")


def as_typed(path: Path) -> str:
    """The path relative to the current folder, where that is shorter."""
    try:
        return min(str(path), os.path.relpath(path), key=len)
    except ValueError:  # on another drive
        return str(path)


def read_set(files: FileSet) -> tuple[list[Array], list[str]]:
    """The four arrays, and what was done to them. Raises `InputError` for a file that is broken."""
    arrays = [_read(path) for path in files.files]
    name = files.name or files.folder.name
    if not _EMNIST.search(name) or any(images.ndim != 3 for images in arrays[::2]):
        return arrays, []
    # EMNIST stores columns as rows, since its authors used Matlab.
    for k in (0, 2):
        arrays[k] = np.ascontiguousarray(arrays[k].transpose(0, 2, 1))
    return arrays, ["turned, since EMNIST stores its images transposed"]


def _read(path: Path) -> Array:
    if path.suffix.lower() != ".npz":
        return read_idx(path)
    names = names_in_npz(path)
    if len(names) != 1:
        raise InputError(f"{path}: has the arrays {listed(names)}, expected one alone")
    return read_npz(path, (names[0],))[0]


def _found(folder: Path) -> dict[str, dict[int, Path]]:
    """For each set the files that exist, by their place among the four."""
    candidates = sorted(_candidates(folder), key=lambda found: found[:3])
    sets: dict[str, dict[int, Path]] = {}
    for _, _, _, path, match in candidates:
        name = _name(match)
        place = 2 * (match["part"].lower() != "train") + (match["what"].lower() == "label")
        sets.setdefault(name, {}).setdefault(place, path)
    return sets


def _name(match: re.Match[str]) -> str:
    return match["set"].strip("-_. ").lower()


def _candidates(folder: Path) -> Iterator[tuple[bool, bool, str, Path, re.Match[str]]]:
    """Files with the name of one of the four; the best sort first.

    A folder with such a name stands for the file inside that has one too: Kaggle unpacks them so.
    """
    for path in visible(folder):
        match = _FILE.fullmatch(path.name)
        if match is None:
            continue
        unusual = _USUAL.fullmatch(match["rest"]) is None
        if os.path.isfile(path):
            yield False, unusual, path.name, path, match
        for inner in visible(path) if os.path.isdir(path) else ():
            if is_of_a_set(inner.name) and os.path.isfile(inner):
                yield True, unusual, inner.name, inner, match


def _only_ones(found: dict[str, dict[int, Path]]) -> tuple[Path, ...]:
    """Four files, if there is exactly one for each place, whatever their sets are called."""
    for_place = [[files[k] for files in found.values() if k in files] for k in range(4)]
    return tuple(paths[0] for paths in for_place) if all(len(p) == 1 for p in for_place) else ()
