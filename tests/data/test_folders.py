"""A table of folders as people have them: each row is the right images, or the right sentence."""

import os
from pathlib import Path

import numpy as np
import pytest
from layouts import (
    DOTTED,
    EMNIST,
    FOLDERS,
    GZIP,
    IMAGES,
    KUZUSHIJI,
    LABELS,
    OTHER,
    PLAIN,
    QMNIST,
    idx,
    npz,
    within,
    write,
)  # fmt: skip

from minise import InputError, data


@pytest.mark.parametrize(
    ("files", "given", "name", "said"),
    [
        (PLAIN, "", "mine", ""),
        (GZIP, "", "mine", ""),
        ({**PLAIN, **GZIP}, "", "mine", ""),
        ({name.upper(): content for name, content in PLAIN.items()}, "", "mine", ""),
        (DOTTED, "", "mine", ""),
        (FOLDERS, "", "mine", ""),
        ({**FOLDERS, **DOTTED}, "", "mine", ""),  # as Kaggle's zip unpacks
        (FOLDERS, "train-images-idx3-ubyte/train-images-idx3-ubyte", "mine", ""),
        (PLAIN, "train-images-idx3-ubyte", "mine", ""),
        (PLAIN, "t10k-labels-idx1-ubyte", "mine", ""),
        ({**PLAIN, **{f"._{name}": b"\0\5\26\7 Mac OS X" for name in PLAIN}}, "", "mine", ""),
        ({**PLAIN, **within("__MACOSX", {f"._{n}": b"\0\5\26\7" for n in PLAIN})}, "", "mine", ""),
        ({**PLAIN, "features.npz": npz(IMAGES), "readme.txt": b"digits"}, "", "mine", ""),
        (within("MNIST/raw", GZIP), "", "MNIST", f"found in {Path('MNIST/raw')}"),
        (within("MNIST/raw", GZIP), "MNIST", "MNIST", "found in raw"),
        (within("MNIST/raw", GZIP), "MNIST/raw", "MNIST", ""),
        (within("archive", PLAIN), "", "archive", "found in archive"),
        ({**PLAIN, **within("backup", OTHER)}, "", "mine", ""),
        ({**PLAIN, **OTHER}, "train-images-idx3-ubyte", "mine", ""),
        ({**within("MNIST/raw", PLAIN), **within("KMNIST/raw", OTHER)}, "MNIST", "MNIST", "found"),
        ({**EMNIST, "emnist-digits-mapping.txt": b"0 48"}, "emnist-digits", "emnist-digits",
         "turned, since EMNIST stores its images transposed"),
        (EMNIST, "EMNIST-Digits", "emnist-digits", "turned, since EMNIST"),
        (EMNIST, "emnist-digits-test-images-idx3-ubyte", "emnist-digits", "turned, since EMNIST"),
        (within("EMNIST/raw", EMNIST), "EMNIST/raw/emnist-digits", "emnist-digits", "turned"),
        (QMNIST, "", "qmnist", "labels are the first of eight columns, as QMNIST has them"),
        (KUZUSHIJI, "", "kmnist", ""),
        (KUZUSHIJI, "kmnist-test-imgs.npz", "kmnist", ""),
        (KUZUSHIJI, "kmnist", "kmnist", ""),
    ],
)  # fmt: skip
def test_the_right_images(tmp_path, files, given, name, said):
    mine = data.load(write(tmp_path / "mine", files) / given)
    assert mine.name == name
    together = [np.concatenate(arrays) for arrays in zip(mine.train, mine.test, strict=True)]
    np.testing.assert_array_equal(together[0], IMAGES[:, None])
    np.testing.assert_array_equal(together[1], LABELS)
    assert "; ".join(mine.notes).startswith(said)
    assert bool(mine.notes) == bool(said)


def test_a_folder_named_as_emnist_holds_emnist(tmp_path):
    mine = data.load(write(tmp_path / "emnist-letters", PLAIN))
    plain = data.load(write(tmp_path / "letters", PLAIN))
    np.testing.assert_array_equal(mine.train.images, plain.train.images.swapaxes(2, 3))
    assert mine.notes == ("turned, since EMNIST stores its images transposed",)
    assert not plain.notes


def without(name, files):
    assert name in files
    return {other: content for other, content in files.items() if other != name}


@pytest.mark.parametrize(
    ("files", "given", "sentence"),
    [
        ({}, "", "mine has nothing, expected IDX files named as MNIST's are"),
        ({"train.csv": b"", "test.csv": b""}, "", "mine has test.csv, train.csv, expected IDX"),
        ({f"{k:02}.txt": b"" for k in range(20)}, "", "10.txt, 11.txt, …, expected IDX files"),
        (without("t10k-labels-idx1-ubyte", PLAIN), "",
         "mine has no file named *t10k-labels* or *test-labels*"),
        (without("train-images-idx3-ubyte", PLAIN), "train-labels-idx1-ubyte",
         "mine has no file named *train-images*"),
        (without("kmnist-test-labels.npz", KUZUSHIJI), "kmnist-test-imgs.npz",
         "mine has no file named *t10k-labels* or *test-labels*"),
        (EMNIST, "", "mine has several sets, name one of them: mine/emnist-digits, mine/emnist-l"),
        ({**PLAIN, **OTHER}, "",
         "mine has several sets, name one of them: mine/other, mine/train-images-idx3-ubyte"),
        ({**within("MNIST/raw", PLAIN), **within("EMNIST/raw", EMNIST)}, "", "name one of them: "
         "mine/EMNIST/raw/emnist-digits, mine/EMNIST/raw/emnist-letters, mine/MNIST/raw"),
        ({"a.npz": npz(IMAGES), "b.NPZ": npz(IMAGES)}, "",
         "mine has several sets, name one of them: mine/a.npz, mine/b.NPZ"),
        (EMNIST, "emnist-balanced", "there is no 'mine/emnist-balanced': expected sample, mnist"),
        ({**KUZUSHIJI, "kmnist-test-imgs.npz": npz(IMAGES[:2])}, "",
         "test labels: got 3 for 2 images"),
        ({"train.csv": b""}, "train.csv", "train.csv is not a folder of IDX files"),
    ],
)  # fmt: skip
def test_the_right_sentence(tmp_path, monkeypatch, files, given, sentence):
    write(tmp_path / "mine", files).mkdir(exist_ok=True)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError) as error:
        data.load(f"mine/{given}")
    assert sentence in str(error.value).replace(os.sep, "/")
    assert "\n" not in str(error.value)


def test_letters_from_1_to_26_are_called_by_their_names(tmp_path):
    letters = 1 + np.arange(52, dtype=np.uint8) % 26
    images = np.zeros((52, 3, 3), np.uint8)
    images[:, 0, 2] = letters
    content = {
        "emnist-letters-train-images-idx3-ubyte": idx(images[:26]),
        "emnist-letters-train-labels-idx1-ubyte": idx(letters[:26]),
        "emnist-letters-test-images-idx3-ubyte": idx(images[26:]),
        "emnist-letters-test-labels-idx1-ubyte": idx(letters[26:]),
    }
    mine = data.load(write(tmp_path, content))
    assert mine.num_classes == 26
    assert mine.class_names[mine.train.labels[4]] == "E"
    assert mine.train.images[4, 0, 2, 0] == 5
    assert mine.train.images.flags.c_contiguous
    assert mine.summary == (
        "26 training and 26 test images of 3×3, 26 classes: A to Z; turned, since EMNIST stores "
        "its images transposed; labels 1 to 26 renumbered 0 to 25"
    )


def test_a_path_that_is_there_is_found_from_any_folder(tmp_path, monkeypatch):
    write(tmp_path / "mine", EMNIST)
    monkeypatch.chdir(tmp_path)
    for name in ("mine", "mine/emnist-letters", "mine/emnist-digits-test-images-idx3-ubyte"):
        assert data.located(name) == str(tmp_path.resolve() / name)
    for name in ("sample", "mnist", "kmnist", "nowhere", "mine/nothing", "nowhere/nothing"):
        assert data.located(name) == name


def test_a_name_is_a_name_also_where_a_folder_bears_it(tmp_path, monkeypatch, caplog):
    write(tmp_path / "sample", PLAIN)
    monkeypatch.chdir(tmp_path)
    with caplog.at_level("INFO", "minise"):
        assert len(data.load("sample").train.labels) == 10_000
    assert caplog.messages == [
        f"data: sample is the name of a set; for the one in this folder type .{os.sep}sample"
    ]
    assert len(data.load(f".{os.sep}sample").train.labels) == 6


def test_a_folder_that_cannot_be_read_is_one_clear_error(tmp_path, monkeypatch):
    refused, listdir = tmp_path / "lost+found", os.listdir

    def refuse(folder):
        if Path(folder) == refused:
            raise PermissionError(13, "Permission denied")
        return listdir(folder)

    monkeypatch.setattr("os.listdir", refuse)
    refused.mkdir()
    with pytest.raises(InputError, match=r"lost\+found cannot be read: Permission denied"):
        data.load(refused)
    write(tmp_path / "MNIST", PLAIN)
    assert data.load(tmp_path).name == "MNIST"  # it is passed over where there is something else


def test_links_that_lead_nowhere_are_passed_over(tmp_path):
    write(tmp_path, PLAIN)
    try:
        (tmp_path / "round").symlink_to(tmp_path / "round")
        (tmp_path / "a-train-images-idx3-ubyte").symlink_to(tmp_path / "gone")
    except OSError:  # Windows lets only some make links
        return
    assert len(data.load(tmp_path).train.labels) == 6
