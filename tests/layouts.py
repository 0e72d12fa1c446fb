"""Data sets as files, in the layouts that people have them in."""

import gzip
import io
import struct

import numpy as np

RNG = np.random.default_rng(0)
IMAGES = RNG.integers(0, 256, (9, 6, 6), np.uint8)
LABELS = np.array([0, 1, 2, 0, 1, 2, 2, 1, 0], np.uint8)  # six to learn from, three to test


def idx(array):
    kind = {"|u1": 0x08, ">i4": 0x0C}[array.dtype.str]
    return (
        struct.pack(f">BBBB{array.ndim}I", 0, 0, kind, array.ndim, *array.shape) + array.tobytes()
    )


def npz(array):
    file = io.BytesIO()
    np.savez_compressed(file, array)  # as arr_0
    return file.getvalue()


def four(pattern, *, images=IMAGES, labels=LABELS, test="t10k", pack=idx):
    """The content of four files by their names, as in `{part}-{what}-idx{ndim}-ubyte`."""
    return {
        pattern.format(part=part, what=what, ndim=array.ndim): pack(array[rows])
        for part, rows in (("train", slice(0, 6)), (test, slice(6, 9)))
        for what, array in (("images", images), ("labels", labels))
    }


def write(folder, files):
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    return folder


PLAIN = four("{part}-{what}-idx{ndim}-ubyte")
GZIP = four("{part}-{what}-idx{ndim}-ubyte.gz", pack=lambda array: gzip.compress(idx(array)))
DOTTED = four("{part}-{what}.idx{ndim}-ubyte")
FOLDERS = four("{part}-{what}-idx{ndim}-ubyte/{part}-{what}-idx{ndim}-ubyte")
KUZUSHIJI = {
    name.replace("images", "imgs"): content
    for name, content in four("kmnist-{part}-{what}.npz", test="test", pack=npz).items()
}
OTHER = four("other-{part}-{what}-idx{ndim}-ubyte", images=255 - IMAGES)
EMNIST = {
    **four("emnist-digits-{part}-{what}-idx{ndim}-ubyte", test="test",
           images=IMAGES.transpose(0, 2, 1)),
    **four("emnist-letters-{part}-{what}-idx{ndim}-ubyte", test="test",
           images=255 - IMAGES.transpose(0, 2, 1), labels=LABELS + 1),
}  # fmt: skip
QMNIST = {
    name.replace("labels-idx2-ubyte", "labels-idx2-int"): content
    for name, content in four(
        "qmnist-{part}-{what}-idx{ndim}-ubyte",
        test="test",
        labels=np.array([[k, 4, 3007, 2, 48, 9, 0, 0] for k in LABELS], ">i4"),
    ).items()
}


def within(folder, files):
    return {f"{folder}/{name}": content for name, content in files.items()}
