"""Data sets by name: MNIST and its relatives, kept in the user's cache and downloaded once.

Addresses and MD5 of the relatives are those that torchvision 0.29.1 publishes in datasets/mnist.py.
"""

from __future__ import annotations

import logging
import os
import shutil
import tempfile
import zipfile
from pathlib import Path
from typing import NamedTuple

from minise.arrays import Array
from minise.data.folders import FileSet, read_set, sets_in, visible
from minise.data.idx import most_unpacked, read_idx
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


class Named(NamedTuple):
    """Files on the web, each an address below `root` and its MD5."""

    root: str
    files: dict[str, str]
    class_names: tuple[str, ...] = ()
    folder: str = ""  # of the cache, for sets that share a download


_EMNIST = Named(
    "https://biometrics.nist.gov/cs_links/EMNIST/",
    {"gzip.zip": "58c8d27c78d21e728a6bc7b3cc06412e"},
    folder="emnist",
)
NAMED = {
    "fashion-mnist": Named(
        "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
        {
            "train-images-idx3-ubyte.gz": "8d4fb7e6c68d591d4c3dfef9ec88bf0d",
            "train-labels-idx1-ubyte.gz": "25c81989df183df01b3e8a0aad5dffbe",
            "t10k-images-idx3-ubyte.gz": "bef4ecab320f06d8554ea6380940ec79",
            "t10k-labels-idx1-ubyte.gz": "bb300cfdad3c16e7a12a480ee83cd310",
        },
        ("T-shirt/top", "Trouser", "Pullover", "Dress", "Coat",
         "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"),
    ),
    "kmnist": Named(
        "http://codh.rois.ac.jp/kmnist/dataset/kmnist/",
        {
            "train-images-idx3-ubyte.gz": "bdb82020997e1d708af4cf47b453dcf7",
            "train-labels-idx1-ubyte.gz": "e144d726b3acfaa3e44228e80efcd344",
            "t10k-images-idx3-ubyte.gz": "5c965bf0a639b31b8f53240b1b52f4d7",
            "t10k-labels-idx1-ubyte.gz": "7320c461ea6c1c855c0b718fb2a4b134",
        },
        ("o", "ki", "su", "tsu", "na", "ha", "ma", "ya", "re", "wo"),
    ),
    "qmnist": Named(
        "https://raw.githubusercontent.com/facebookresearch/qmnist/master/",
        {
            "qmnist-train-images-idx3-ubyte.gz": "ed72d4157d28c017586c42bc6afe6370",
            "qmnist-train-labels-idx2-int.gz": "0058f8dd561b90ffdd0f734c6a30e5e4",
            "qmnist-test-images-idx3-ubyte.gz": "1394631089c404de565df7b7aeaf9412",
            "qmnist-test-labels-idx2-int.gz": "5b5b05890a5e13444e108efe57b788aa",
        },
    ),
    "emnist-digits": _EMNIST,
    "emnist-letters": _EMNIST._replace(class_names=tuple("ABCDEFGHIJKLMNOPQRSTUVWXYZ")),
}  # fmt: skip


def read_mnist() -> list[Array]:
    """MNIST's four arrays, verified; downloaded if necessary."""
    return [read_idx(path, sha256=MNIST[name]) for name, path in _mnist_files().items()]


def read_named(name: str) -> tuple[list[Array], list[str]]:
    """The four arrays of a set in `NAMED`, and what was done to them.

    From its folder in `MINISE_DATA`, else from the user's cache, else downloaded into the cache;
    broken files there are downloaded again. Raises `InputError` where they cannot be obtained.
    """
    if (given := _given_folder(name)) and (found := _set_of(name, given)):
        return read_set(found)
    cache = _cache() / (NAMED[name].folder or name)
    if cache.is_dir() and (found := _set_of(name, cache)):
        try:
            return read_set(found)
        except InputError as error:
            _log.info("%s; downloading it again", error)
    try:
        cache.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=cache) as folder:
            _download(name, Path(folder))
            for path in sorted(Path(folder).iterdir()):
                put_in_place(path, cache / path.name)
    except OSError as error:
        raise InputError(f"data: the cache {cache} cannot be used: {error.strerror}") from None
    if found := _set_of(name, cache):
        return read_set(found)
    raise InputError(f"data: {cache}: {name} was downloaded, but its four files are not there")


def _cache() -> Path:
    import pooch

    return Path(pooch.os_cache("minise"))


def _given_folder(name: str) -> Path | None:
    """The folder in `MINISE_DATA`, under minise's name for the set or torchvision's."""
    folder = os.environ.get("MINISE_DATA")
    if not folder or not os.path.isdir(folder):
        return None
    wanted = (NAMED[name].folder if name in NAMED else "") or name
    for path in visible(Path(folder)):
        if path.name.lower().replace("-", "") == wanted.replace("-", "") and path.is_dir():
            return path / "raw" if (path / "raw").is_dir() else path
    return None


def _set_of(name: str, folder: Path) -> FileSet | None:
    return next((found for found in sets_in(folder) if found.name in ("", name)), None)


def _download(name: str, folder: Path) -> None:
    """All files of the set, verified, in the folder."""
    import pooch

    from minise.data.download import download

    root, files, *_ = NAMED[name]
    for file, md5 in files.items():
        path = folder / file
        try:
            download(f"{root}{file}", path)
            if (is_there := pooch.file_hash(str(path), alg="md5")) != md5:
                raise ValueError(f"its MD5 is {is_there[:12]}…, expected {md5[:12]}…")
        except (OSError, ValueError) as error:  # of requests: OSError
            raise InputError(
                f"data: {name} could not be downloaded ({root}{file}: {error}). "
                "Give the path of a folder with its files instead"
            ) from None
        if path.suffix == ".zip":
            _unpack(path, tuple(n for n in NAMED if NAMED[n].folder == NAMED[name].folder))
            path.unlink()


def _unpack(path: Path, names: tuple[str, ...]) -> None:
    """Unpack the files of a zip that belong to sets of these names, beside it."""
    with zipfile.ZipFile(path) as archive:
        for info in archive.infolist():
            file = info.filename.rpartition("/")[2]
            if not file.startswith(names) or not file.endswith(".gz"):
                continue
            if info.file_size > most_unpacked(info.compress_size):
                raise InputError(f"data: {path.name}: {file} claims {info.file_size:,} bytes")
            with archive.open(info) as packed, (path.parent / file).open("wb") as unpacked:
                shutil.copyfileobj(packed, unpacked)


def _mnist_files() -> dict[str, Path]:
    if given := os.environ.get("MINISE_DATA"):
        folder = _given_folder("mnist") or Path(given)
        found = {name: path for name in MNIST if (path := _plain_or_gzip(folder, name))}
        if len(found) == len(MNIST):
            return found
        if found:
            missing = ", ".join(name for name in MNIST if name not in found)
            raise InputError(f"data: MINISE_DATA, {folder}, has no {missing}")
    return {name: _cached(_cache() / "mnist", name) for name in MNIST}


def _plain_or_gzip(folder: Path, name: str) -> Path | None:
    candidates = (folder / name, folder / f"{name}.gz")
    return next((path for path in candidates if path.is_file()), None)


def _cached(cache: Path, name: str) -> Path:
    """The file in the cache. It is verified before it gets there, and a broken one is replaced."""
    if path := _plain_or_gzip(cache, name):
        try:
            read_idx(path, sha256=MNIST[name])
        except InputError as error:
            _log.info("%s; downloading it again", error)
        else:
            return path
    from minise.data.download import download

    try:
        cache.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=cache) as folder:
            fresh = Path(folder) / f"{name}.gz"
            problems = []
            for mirror in MIRRORS:
                url = f"{mirror}{name}.gz"
                try:
                    download(url, fresh)
                    read_idx(fresh, sha256=MNIST[name])
                except (
                    OSError,
                    ValueError,
                ) as error:  # of requests: OSError; InputError: ValueError
                    problems.append(f"{url}: {error}")
                else:
                    if path:
                        path.unlink(missing_ok=True)  # another process may have done so
                    kept = cache / f"{name}.gz"
                    put_in_place(fresh, kept)
                    return kept
    except OSError as error:
        raise InputError(f"data: the cache {cache} cannot be used: {error.strerror}") from None
    raise InputError(
        f"data: {name} could not be downloaded ({'; '.join(problems)}). "
        "Put MNIST's four files into a folder and set MINISE_DATA to it"
    )
