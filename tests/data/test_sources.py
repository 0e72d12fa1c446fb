import io
import os
import shutil
import zipfile
from importlib import resources
from pathlib import Path

import numpy as np
import pytest

from minise import InputError, data

SAMPLE = Path(str(resources.files("minise.data") / "sample"))

needs_mnist = pytest.mark.skipif(
    "MINISE_DATA" not in os.environ, reason="MINISE_DATA names no folder with MNIST"
)


@pytest.fixture
def arrays():
    return {
        "x_train": np.full((6, 8, 9), 200, np.uint8),
        "y_train": np.array([0, 1, 2, 0, 1, 2]),
        "x_test": np.full((3, 8, 9), 200, np.uint8),
        "y_test": np.array([0, 1, 2], np.uint8),
    }


def test_the_sample_is_the_first_part_of_mnist():
    sample = data.load()
    assert sample.train.images.shape == (10_000, 1, 28, 28)
    assert sample.test.images.shape == (2_000, 1, 28, 28)
    assert sample.train.images.dtype == np.uint8
    assert sample.num_classes == 10
    assert sample.train.labels[:5].tolist() == [5, 0, 4, 1, 9]  # as everybody knows MNIST to begin
    assert sum(path.stat().st_size for path in SAMPLE.iterdir()) < 2.5e6


@needs_mnist
def test_the_sample_is_equal_to_mnist_where_they_overlap():
    sample, mnist = data.load("sample"), data.load("mnist")
    assert mnist.train.images.shape == (60_000, 1, 28, 28)
    for part, whole in zip(sample[1:3], mnist[1:3], strict=True):
        np.testing.assert_array_equal(part.images, whole.images[: len(part.images)])
        np.testing.assert_array_equal(part.labels, whole.labels[: len(part.labels)])


def test_a_folder_of_idx_files_is_read(tmp_path):
    shutil.copytree(SAMPLE, tmp_path / "digits")
    assert data.load(tmp_path / "digits").name == "digits"


def test_a_folder_without_a_file_says_which(tmp_path):
    shutil.copytree(SAMPLE, tmp_path / "digits")
    (tmp_path / "digits" / "t10k-labels-idx1-ubyte.gz").unlink()
    with pytest.raises(InputError, match=r"no file named \*t10k-labels"):
        data.load(tmp_path / "digits")


IMAGES = np.random.default_rng(0).integers(0, 256, (9, 8, 9), np.uint8)
LABELS = np.array([0, 1, 2, 0, 1, 2, 2, 1, 0])  # six to learn from, three to test
MEDICAL = {"train_images": IMAGES[:6], "train_labels": LABELS[:6, None].astype(np.uint8),
           "val_images": IMAGES[:2], "val_labels": LABELS[:2, None].astype(np.uint8),
           "test_images": IMAGES[6:], "test_labels": LABELS[6:, None].astype(np.uint8)}  # fmt: skip


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_an_npz_is_read(tmp_path, arrays, save):
    save(tmp_path / "mine.npz", **arrays)
    mine = data.load(tmp_path / "mine.npz")
    assert mine.name == "mine"
    assert mine.image_shape == (1, 8, 9)
    assert mine.num_classes == 3
    assert mine.test.labels.dtype == np.int64
    assert mine.summary == "6 training and 3 test images of 8×9, 3 classes: 0 to 2"


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({}, ""),
        ({"extra": np.array([{}], object)}, ""),  # which is not looked at
        (
            {"x_train": IMAGES[:6] / 255, "x_test": IMAGES[6:] / 255},
            "pixels 0 to 1 scaled to 0 to 255",
        ),
        (
            {"x_train": IMAGES[:6, ..., None], "x_test": IMAGES[6:, ..., None]},
            "the channels came l",
        ),
        ({"y_train": np.eye(3)[LABELS[:6]], "y_test": np.eye(3)[LABELS[6:]]}, "labels are one-hot"),
        ({"y_train": LABELS[:6] + 1, "y_test": LABELS[6:] + 1}, "labels 1 to 3 renumbered 0 to 2"),
        ({"y_train": LABELS[:6].astype(str), "y_test": LABELS[6:].astype(str)}, ""),
        ({"x_train": np.asfortranarray(IMAGES[:6]), "x_test": np.asfortranarray(IMAGES[6:])}, ""),
        ({"x_train": IMAGES[:6].astype(">u2"), "x_test": IMAGES[6:].astype(">i4")}, ""),
        ({"y_train": LABELS[:6].astype(">i2"), "y_test": LABELS[6:].astype(">f8")}, ""),
    ],
)
@pytest.mark.parametrize("name", ["mine.npz", "MINE.NPZ"])
def test_what_an_npz_holds_is_recognised_and_said(tmp_path, arrays, changes, said, name):
    arrays = {"x_train": IMAGES[:6], "y_train": LABELS[:6], "x_test": IMAGES[6:],
              "y_test": LABELS[6:], **changes}  # fmt: skip
    with (tmp_path / name).open("wb") as file:
        np.savez(file, **arrays)
    is_mine(data.load(tmp_path / name), said)
    is_mine(data.load(tmp_path), said)  # the only one in its folder


def is_mine(mine, said):
    assert mine.name.lower() == "mine"
    for split, part in ((mine.train, slice(0, 6)), (mine.test, slice(6, 9))):
        np.testing.assert_array_equal(split.images, IMAGES[part, None])
        np.testing.assert_array_equal(split.labels, LABELS[part])
    assert "; ".join(mine.notes).startswith(said)
    assert bool(mine.notes) == bool(said)


def test_names_of_arrays_are_known_in_any_case(tmp_path):
    np.savez(tmp_path / "mine.npz", X_train=IMAGES[:6], Y_train=LABELS[:6], X_test=IMAGES[6:],
             Y_test=LABELS[6:])  # fmt: skip
    is_mine(data.load(tmp_path / "mine.npz"), "")


def test_the_names_of_medmnist_are_known_and_what_it_has_for_validation_is_left_out(tmp_path):
    np.savez(tmp_path / "mine.npz", **MEDICAL)
    is_mine(data.load(tmp_path / "mine.npz"), "val_images left out")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"y_test": np.array([0, 1, 3])}, "test label 3 is outside the 3 classes"),
        ({"y_train": np.array([0, 1, 2, 0, 1, -2])}, "label -2 is below 0"),
        ({"y_train": np.array([0, 1, 2, 0, 1, 9e8])}, "label 900,000,000 needs 900,000,001 cla"),
        ({"y_train": np.zeros(5, int)}, "training labels: got 5 for 6 images"),
        ({"y_train": np.zeros(6)}, "all training labels are 0, expected at least two classes"),
        ({"y_train": np.full(6, 0.5)}, "training labels have 0.5, expected whole numbers"),
        (
            {"x_train": np.full((6, 8, 9), -1.0)},
            "training images range from -1 to -1, expected 0 to 1",
        ),
        ({"x_test": np.zeros((3, 8, 8), np.uint8)}, r"test images are \(1, 8, 8\)"),
        (
            {"x_test": np.zeros((0, 8, 9), np.uint8)},
            r"test images are uint8 \(0, 8, 9\): there are",
        ),
        ({"y_test": np.array([None, 1, 2])}, "Python objects"),
        (
            {"x_train": np.arange(6), "y_train": np.zeros((6, 8, 9), np.uint8)},
            "are they swapped?",
        ),
    ],
)
def test_arrays_that_do_not_fit_together_are_one_clear_error(tmp_path, arrays, changes, message):
    np.savez(tmp_path / "mine.npz", **{**arrays, **changes})
    with pytest.raises(InputError, match=message) as error:
        data.load(tmp_path / "mine.npz")
    assert "mine.npz" in str(error.value)


@pytest.mark.parametrize(
    ("present", "message"),
    [
        (("x_train", "y_train", "x_test"),
         "has the arrays x_train, y_train, x_test, and no y_test; expected x_train, y_train,"),
        (("images", "labels"), "has the arrays images, labels, and no x_train, y_train, x_test,"),
        (("train_images", "train_labels", "val_images"), "and no test_images, test_labels; expec"),
        (("arr_0",), "has the arrays arr_0, and no x_train"),
        ((), "mine.npz is not a folder of IDX files or of pictures, nor an .npz with arrays"),
    ],
)  # fmt: skip
def test_an_npz_with_other_arrays_lists_them(tmp_path, present, message):
    np.savez(tmp_path / "mine.npz", **{name: np.zeros(3) for name in present})
    with pytest.raises(InputError, match=message):
        data.load(tmp_path / "mine.npz")


def test_a_file_of_two_arrays_is_no_part_of_a_set_whatever_its_name(tmp_path):
    path = tmp_path / "kmnist-train-imgs.npz"
    np.savez(path, arr_0=np.zeros(3))
    with pytest.raises(InputError, match="has no file named"):
        data.load(path)
    np.savez(path, arr_0=np.zeros(3), arr_1=np.zeros(3))
    with pytest.raises(InputError, match="has the arrays arr_0, arr_1, and no"):
        data.load(path)


def test_an_npz_header_that_claims_too_much_is_not_believed(tmp_path):
    claim = io.BytesIO()
    header = {"descr": "|u1", "fortran_order": False, "shape": (10**9, 10**9)}
    np.lib.format.write_array_header_1_0(claim, header)
    with zipfile.ZipFile(tmp_path / "huge.npz", "w") as archive:
        for name in ("x_train", "y_train", "x_test", "y_test"):
            archive.writestr(f"{name}.npy", claim.getvalue() + bytes(100))
    with pytest.raises(InputError, match=r"claims shape \(1000000000, 1000000000\) in"):
        data.load(tmp_path / "huge.npz")


def test_a_file_that_is_no_npz_is_one_clear_error(tmp_path):
    (tmp_path / "mine.npz").write_bytes(b"PK\3\4 no zip at all")
    with pytest.raises(InputError, match=r"not a usable \.npz file"):
        data.load(tmp_path / "mine.npz")
    (tmp_path / "mine.txt").write_text("text")
    with pytest.raises(InputError, match="not a folder of IDX files"):
        data.load(tmp_path / "mine.txt")


def test_an_unknown_name_is_answered_with_the_nearest_one():
    with pytest.raises(InputError, match="did you mean 'mnist'"):
        data.load("minst")
    with pytest.raises(InputError, match=r"did you mean 'fashion-mnist'.*emnist-letters, a"):
        data.load("fashon-mnist")


def test_a_name_that_no_file_can_have_is_told_as_any_other():
    with pytest.raises(InputError, match="data: there is no 'xxx"):
        data.load("x" * 5000)
