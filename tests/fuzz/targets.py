"""What reads files that anybody may have written: each is given bytes, and may only refuse them."""

import contextlib
import gzip
import io
import json
import struct
import tempfile
from functools import cache
from pathlib import Path

import numpy as np
from PIL import Image
from safetensors.numpy import save

from minise import InputError, data, models, runs
from minise.data.npz import read_npz
from minise.files import read_tensors
from minise.runs import checkpoint
from minise.runs.config import read_config

FOLDER = Path(tempfile.mkdtemp(prefix="minise-fuzz-"))
RNG = np.random.default_rng(0)
IMAGES = RNG.integers(0, 256, (6, 28, 28), np.uint8)
LABELS = np.arange(6) % 2


def refused(reader, content, name):
    """Whether the reader refuses a file with this content, by a message that names it."""
    path = FOLDER / name
    path.write_bytes(content)
    try:
        reader(path)
    except InputError as refusal:
        if path.name not in str(refusal):
            raise AssertionError(f"does not name the file: {refusal}") from None
        return True
    return False


def idx(content):
    return refused(data.read_idx, content, "images-idx3-ubyte")


def npz(content):
    return refused(lambda path: data.load(path), content, "arrays.npz")


def npz_member(content):
    return refused(lambda path: read_npz(path, ("x_train",)), content, "arrays.npz")


def weights(content):
    return refused(runs.load_weights, content, "model.safetensors")


def tensors(content):
    return refused(read_tensors, content, "any.safetensors")


def picture(content):
    def read(path):
        grey = data.read_picture(path)
        with contextlib.suppress(InputError):  # there may be no digit in it
            data.fit_digit(grey)

    return refused(read, content, "digit.png")


def class_picture(content):
    """Beside others that are whole."""
    pets = FOLDER / "pets"
    if not pets.exists():
        for name in ("cat/1.png", "dog/0.png", "dog/1.png", "cat/2.png"):
            (pets / name).parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(IMAGES[0]).save(pets / name)
    return refused(lambda path: data.load(pets), content, "pets/cat/0.png")


def resumed(content):
    """A checkpoint's file, to go on from."""

    def read(path):
        state = read_tensors(path)
        read_config(state.metadata.get("config", ""))
        checkpoint.restore(_training(), state)

    path = FOLDER / "checkpoint.safetensors"
    path.write_bytes(content)
    try:
        read(path)
    except InputError:
        return True
    return False


@cache
def _training():
    dataset = data.Dataset(
        "few", data.Split(IMAGES[:, None], LABELS), data.Split(IMAGES[:, None], LABELS)
    )
    return runs.training_of(runs.Config(epochs=1, batch_size=3), dataset)


def seeds():
    """For each target a few files that it takes, to be damaged."""
    header = struct.pack(">BBBB3I", 0, 0, 8, 3, *IMAGES.shape)
    plain = header + IMAGES.tobytes()
    archive = io.BytesIO()
    arrays = {"x_train": IMAGES, "y_train": LABELS, "x_test": IMAGES, "y_test": LABELS}
    np.savez_compressed(archive, **arrays)
    other = io.BytesIO()
    names = np.array(["cat", "dog"])[LABELS]
    np.savez(other, x_train=IMAGES / 255, y_train=names, x_test=IMAGES / 255, y_test=names)
    about = runs.About("se-cnn3", 2, (1, 28, 28), 0.5, 0.3, "sample", 0)
    net = models.create("se-cnn3", num_classes=2)
    state = checkpoint.state_of(_training())
    text = state.metadata | {"config": json.dumps(runs.Config()._asdict())}
    small = {"a": np.arange(6, dtype=np.float32), "b": np.ones((2, 3))}
    pictures = []
    for kind in ("PNG", "GIF", "JPEG", "BMP", "TIFF"):
        buffer = io.BytesIO()
        Image.fromarray(IMAGES[0]).save(buffer, kind)
        pictures.append(buffer.getvalue())
    return {
        "idx": (idx, [plain, gzip.compress(plain)]),
        "npz": (npz, [archive.getvalue(), other.getvalue()]),
        "npz_member": (npz_member, [archive.getvalue()]),
        "weights": (weights, [save(net.state_dict(), runs.metadata_of(about))]),
        "tensors": (tensors, [save(small, {"of": "a test"})]),
        "picture": (picture, pictures),
        "class_picture": (class_picture, pictures),
        "resumed": (resumed, [save(state.arrays, text)]),
    }
