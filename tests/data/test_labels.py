"""A table of what people have: each row is the right labels, or the right sentence."""

import re

import numpy as np
import pytest

from minise import InputError
from minise.data.labels import fit_labels

RIGHT = np.array([0, 1, 2, 2, 1, 0, 0, 2])  # five to learn from, three to test


def fitted(labels, count=8):
    done = fit_labels("mine", labels[:5], labels[5:], (5, count - 5))
    assert done.train.dtype == done.test.dtype == np.int64
    together = np.concatenate([done.train, done.test])
    return together.tolist(), ", ".join(done.class_names), "; ".join(done.notes)


# The digit, the series of NIST's forms, writer, place, ASCII in hexadecimal, place, and two of 0.
QMNIST = np.array([[k, 4, 3000 + 7 * k, 11, 30 + k, 90_000 + k, 0, 0] for k in RIGHT], np.int32)


@pytest.mark.parametrize(
    ("labels", "expected", "names", "said"),
    [
        (RIGHT, RIGHT, "", ""),
        (RIGHT.astype(np.uint8), RIGHT, "", ""),
        (RIGHT.astype(">i4"), RIGHT, "", ""),
        (RIGHT.astype(np.uint64), RIGHT, "", ""),
        (RIGHT.astype(np.float32), RIGHT, "", ""),
        (RIGHT == 1, RIGHT == 1, "", ""),
        (RIGHT[:, None], RIGHT, "", ""),
        (RIGHT[:, None].astype(float), RIGHT, "", ""),
        (np.eye(3)[RIGHT], RIGHT, "", "labels are one-hot with 3 columns"),
        (np.eye(3, dtype=bool)[RIGHT], RIGHT, "", "labels are one-hot with 3 columns"),
        (QMNIST, RIGHT, "", "labels are the first of eight columns, as QMNIST has them"),
        (RIGHT + 1, RIGHT, "1, 2, 3", "labels 1 to 3 renumbered 0 to 2"),
        ((RIGHT + 1)[:, None], RIGHT, "1, 2, 3", "labels 1 to 3 renumbered 0 to 2"),
        (RIGHT.astype(str), RIGHT, "", ""),
        (np.array(["cat", "dog", "emu"])[RIGHT], RIGHT, "cat, dog, emu", ""),
        (np.array(["a\nb", "\x1b[31m", "c" * 99])[RIGHT], [1, 0, 2, 2, 0, 1, 1, 2],
         f"?[31m, a?b, {59 * 'c'}…", ""),
        (np.array(["a" * 60, "b" * 61, "c"])[RIGHT], RIGHT, f"{60 * 'a'}, {59 * 'b'}…, c", ""),
        (np.array([b"dog", b"cat", b"emu"])[RIGHT], [1, 0, 2, 2, 0, 1, 1, 2], "cat, dog, emu", ""),
        (np.array(["2", "10", "1"])[RIGHT], [1, 9, 0, 0, 9, 1, 1, 0],
         "1, 2, 3, 4, 5, 6, 7, 8, 9, 10",
         "labels 1 to 10 renumbered 0 to 9; no training image of class 2, 3, 4, …"),
        (2 * RIGHT, 2 * RIGHT, "", "no training image of class 1, 3"),
        (RIGHT + 3, RIGHT + 3, "", "no training image of class 0, 1, 2"),
        (RIGHT + 4, RIGHT + 4, "", "no training image of class 0, 1, 2, …"),
    ],
)  # fmt: skip
def test_the_right_labels(labels, expected, names, said):
    assert fitted(labels) == (list(expected), names, said)


def test_labels_are_from_1_only_if_all_are():
    labels = np.array([1, 2, 3, 3, 2, 1, 0, 3])  # in the test images there is a 0
    assert fitted(labels) == (labels.tolist(), "", "no training image of class 0")


@pytest.mark.parametrize(
    ("labels", "sentence"),
    [
        (np.where(RIGHT == 1, 900_000_000, RIGHT),
         "mine: training label 900,000,000 needs 900,000,001 classes, but only"),
        (RIGHT + 2.0**70,
         "training labels: label 1.1805916207174113e+21 is too large for a class number"),
        (np.array([0, 1, 2, 2, 1, 0, 3, 1]), "test label 3 is outside the 3 classes of the"),
        (RIGHT - 1, "mine: training labels: label -1 is below 0"),
        (RIGHT + 0.5, "mine: training labels have 0.5, expected whole numbers"),
        (np.where(RIGHT == 2, np.nan, RIGHT), "training labels have nan, expected whole numbers"),
        (np.zeros(8, int), "all training labels are 0, expected at least two classes"),
        (np.full(8, "cat"), "all training labels are 'cat', expected at least two classes"),
        (np.array(["a", "b", "a", "b", "a", "b", "c", "a"]), "test label 'c' is not among the"),
        (np.eye(8, dtype=int)[RIGHT] + np.eye(8, dtype=int)[3],
         "training labels are (5, 8) of 0 and 1, but not every row has exactly one 1"),
        (np.eye(3)[RIGHT] * 0.9 + 1 / 30, "training labels are float64 (5, 3), expected (N,), (N"),
        (QMNIST[:, :5], "training labels are int32 (5, 5), expected (N,), (N, 1), or one-hot"),
        (RIGHT.astype(complex), "training labels are complex128, expected numbers or text"),
        (RIGHT.astype("M8[s]"), "training labels are datetime64[s], expected numbers or text"),
    ],
)  # fmt: skip
def test_the_right_sentence(labels, sentence):
    with pytest.raises(InputError, match=re.escape(sentence)) as error:
        fitted(labels)
    assert "\n" not in str(error.value)


def test_up_to_a_thousand_classes_may_have_no_image():
    most, more = np.array([0, 1001]), np.array([0, 1002])
    assert fit_labels("mine", most, most, (2, 2)).train.tolist() == [0, 1001]
    with pytest.raises(InputError, match="training label 1,002 needs 1,003 classes, but only 2"):
        fit_labels("mine", more, more, (2, 2))


def test_names_of_a_thousand_classes_and_more_have_two_images_each():
    names = np.array([f"n{k:04}" for k in range(1001)])
    for labels in (names[:1000], np.tile(names, 2)):
        count = len(labels)
        done = fit_labels("mine", labels, names[:2], (count, 2))
        assert done.train.tolist() == [int(name[1:]) for name in labels]
    with pytest.raises(InputError, match="mine: 1,001 class names for 2,001 images"):
        fit_labels("mine", np.tile(names, 2)[:-1], names[:2], (2001, 2))


def test_labels_are_as_many_as_images():
    with pytest.raises(InputError, match=r"test labels: got 3 for 4 images$"):
        fitted(RIGHT, count=9)
    exchanged = "training labels: got 3 for 5 images: are training and test labels swapped"
    with pytest.raises(InputError, match=exchanged):
        fit_labels("mine", RIGHT[:3], RIGHT[:5], (5, 3))
    with pytest.raises(InputError, match=r"training labels are int64 \(2, 5\), expected"):
        fit_labels("mine", np.arange(10).reshape(2, 5), RIGHT, (10, 8))


def test_training_and_test_labels_come_alike():
    with pytest.raises(
        InputError, match=r"training labels are one-hot with 3 columns .* one-hot wi"
    ):
        fit_labels("mine", np.eye(3)[RIGHT], np.eye(4)[RIGHT], (8, 8))
    with pytest.raises(InputError, match="training labels are <U21, test labels int64"):
        fit_labels("mine", RIGHT.astype(str), RIGHT, (8, 8))
