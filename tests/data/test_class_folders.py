"""A table of folders with pictures: each row is the right images, or the right sentence."""

import os

import numpy as np
import pytest
from laws import assert_equally_often
from PIL import Image

from minise import InputError, data
from minise.data import class_folders

RNG = np.random.default_rng(0)
GREY = RNG.integers(0, 256, (12, 6, 5), np.uint8)
COLOUR = RNG.integers(0, 256, (12, 6, 5, 3), np.uint8)


def draw(folder, classes, images=GREY, suffix="png"):
    """One after the other in the folders of these classes, the first as 00.png, and so on."""
    for k, name in enumerate(classes):
        path = folder / name / f"{k:02}.{suffix}"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(images[k]).save(path)
    return folder


def test_pictures_are_read_from_a_folder_for_each_class(tmp_path):
    draw(tmp_path / "train", ["cat", "dog", "cat", "dog", "emu"])
    draw(tmp_path / "test", ["emu", "cat"], GREY[5:])
    mine = data.load(tmp_path)
    np.testing.assert_array_equal(mine.train.images[:, 0], GREY[[0, 2, 1, 3, 4]])
    np.testing.assert_array_equal(mine.test.images[:, 0], GREY[[6, 5]])
    assert mine.train.labels.tolist() == [0, 0, 1, 1, 2]
    assert mine.test.labels.tolist() == [0, 2]
    assert mine.name == tmp_path.name
    assert mine.summary == "5 training and 2 test images of 6×5, 3 classes: cat, dog, emu"


@pytest.mark.parametrize(
    ("folders", "said"),
    [
        (("train", "test"), ()),
        (("Train", "Test"), ()),
        (("training", "testing"), ()),
        (("train", "val"), ("tested with val/",)),
        (("train", "test", "valid"), ("valid/ left out",)),
        (("train",), ("one in 5 pictures of each class held out for testing, with seed 0",)),
        (("",), ("one in 5 pictures of each class held out for testing, with seed 0",)),
    ],
)
def test_which_pictures_are_to_test_is_said(tmp_path, folders, said):
    for k, folder in enumerate(folders):
        draw(tmp_path / folder, ["3", "8"] * 5, GREY + np.uint8(k))
    mine = data.load(tmp_path)
    assert len(mine.train.labels) == (8 if len(folders) == 1 else 10)
    if len(folders) > 1:
        np.testing.assert_array_equal(mine.test.images, mine.train.images + np.uint8(1))
    assert mine.class_names == ("3", "8")
    assert mine.notes == said


def test_pictures_held_out_are_drawn_with_a_seed(tmp_path):
    draw(tmp_path, ["cat"] * 9 + ["dog"] * 3)
    same, again, other = (data.load(tmp_path, seed=seed) for seed in (0, 0, 1))
    assert same.test.labels.tolist() == [0, 0, 1]
    assert len(same.train.labels) == 9
    np.testing.assert_array_equal(same.test.images, again.test.images)
    assert not np.array_equal(same.test.images, other.test.images)
    assert other.notes == ("one in 5 pictures of each class held out for testing, with seed 1",)
    everything = np.concatenate([same.train.images, same.test.images]).reshape(12, -1)
    assert sorted(map(bytes, everything)) == sorted(map(bytes, GREY.reshape(12, -1)))


def test_any_picture_of_a_class_is_as_likely_to_be_held_out_as_any_other(tmp_path):
    draw(tmp_path, ["cat"] * 3 + ["dog"] * 3)  # of each three one is held out
    counts, numbers = np.zeros((3, 3)), {image.tobytes(): k % 3 for k, image in enumerate(GREY[:6])}
    for seed in range(90):
        cat, dog = data.load(tmp_path, seed=seed).test.images
        counts[numbers[cat.tobytes()], numbers[dog.tobytes()]] += 1
    assert_equally_often(counts.reshape(-1))


def test_classes_that_are_numbers_are_in_the_order_of_numbers(tmp_path):
    draw(tmp_path / "train", [str(k) for k in range(12)])
    draw(tmp_path / "test", ["10"])
    mine = data.load(tmp_path)
    assert mine.test.labels.tolist() == [10]
    assert mine.class_names == ()
    assert mine.summary == "12 training and 1 test images of 6×5, 12 classes: 0 to 11"


@pytest.mark.parametrize("suffix", ["png", "PNG", "bmp", "tif", "webp"])
def test_colours_are_kept(tmp_path, suffix):
    draw(tmp_path / "train", ["a", "b"], COLOUR, suffix)
    draw(tmp_path / "test", ["a"], GREY, suffix)  # and a grey one beside them has three channels
    mine = data.load(tmp_path)
    assert mine.summary == "2 training and 1 test images of 6×5 in 3 channels, 2 classes: a, b"
    if suffix != "webp":  # which loses a little
        np.testing.assert_array_equal(mine.train.images, COLOUR[:2].transpose(0, 3, 1, 2))
        np.testing.assert_array_equal(mine.test.images, GREY[:1, None].repeat(3, axis=1))


@pytest.mark.parametrize("own", [0, 1, 2])
def test_pictures_have_colours_where_one_channel_alone_differs(tmp_path, own):
    tinted = np.repeat(GREY[:3, ..., None], 3, axis=3)
    tinted[2, 0, 0, own] ^= 1
    draw(tmp_path / "train", ["a", "b"], tinted[1:])
    draw(tmp_path / "test", ["a"], tinted)
    mine = data.load(tmp_path)
    np.testing.assert_array_equal(mine.train.images, tinted[1:].transpose(0, 3, 1, 2))
    np.testing.assert_array_equal(mine.test.images, tinted[:1].transpose(0, 3, 1, 2))


GREY_AS = {
    "colours": lambda grey: np.stack([grey] * 3, axis=-1),
    "transparency": lambda grey: np.stack([*[grey * 0] * 3, 255 - grey], axis=-1),
    "palette": lambda grey: Image.fromarray(grey).convert("P"),
}


@pytest.mark.parametrize("way", list(GREY_AS))
def test_grey_pictures_stay_grey_however_they_are_stored(tmp_path, way):
    draw(tmp_path / "train", ["a", "b"])
    draw(tmp_path / "test", ["a"], GREY[2:])
    stored = GREY_AS[way](GREY[0])
    picture = stored if isinstance(stored, Image.Image) else Image.fromarray(stored)
    picture.save(tmp_path / "train" / "a" / "00.png")
    np.testing.assert_array_equal(data.load(tmp_path).train.images, GREY[:2, None])


@pytest.mark.parametrize("size", [(3, 9), (9, 3)])
def test_pictures_may_be_wider_than_high_or_higher_than_wide(tmp_path, size):
    images = np.random.default_rng(1).integers(0, 256, (4, *size, 3), np.uint8)
    draw(tmp_path / "train", ["a", "b"], images)
    draw(tmp_path / "test", ["a", "b"], images[2:])
    mine = data.load(tmp_path)
    np.testing.assert_array_equal(mine.train.images, images[:2].transpose(0, 3, 1, 2))
    np.testing.assert_array_equal(mine.test.images, images[2:].transpose(0, 3, 1, 2))
    assert mine.summary.startswith(f"2 training and 2 test images of {size[0]}×{size[1]} in 3 ch")


def test_a_picture_is_turned_as_its_camera_says(tmp_path):
    draw(tmp_path / "train", ["a", "b"], COLOUR)
    draw(tmp_path / "test", ["a"], COLOUR)
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by a quarter, clockwise
    stored = Image.fromarray(np.ascontiguousarray(np.rot90(COLOUR[1])))
    stored.save(tmp_path / "train" / "b" / "01.png", exif=exif)
    np.testing.assert_array_equal(data.load(tmp_path).train.images[1], COLOUR[1].transpose(2, 0, 1))


def test_what_is_no_picture_is_passed_over(tmp_path):
    draw(tmp_path, ["cat", "dog"] * 3)
    for name in ("cat/._00.png", "cat/Thumbs.db", "dog/labels.txt", ".DS_Store", "notes.txt"):
        (tmp_path / name).write_bytes(b"no picture")
    (tmp_path / "empty").mkdir()
    assert data.load(tmp_path).class_names == ("cat", "dog")


def broken(folder):
    (folder / "dog" / "01.png").write_bytes(b"no picture")


@pytest.mark.parametrize(
    ("classes", "also", "sentence"),
    [
        (["cat"] * 6, None, "all pictures are of class 'cat', expected a folder for each"),
        (["cat", "dog"], None, "no class has more than 2 pictures, too few to hold some out"),
        ([""] * 3, None, "has pictures such as 00.png in it, expected a folder for each class"),
        (["cat", "dog"] * 4, broken, "dog/01.png: the picture cannot be read: cannot identify"),
        (["cat", "dog"] * 4, lambda folder: draw(folder, ["emu"], GREY[:, :, :4]),
         "emu/00.png: the picture is 6×4, and "),
        (["cat", "dog"] * 4, lambda folder: draw(folder, ["emu"], GREY[:, :4]),
         "emu/00.png: the picture is 4×5, and "),
        (["train/cat", "train/dog", "test/emu"], None, "class 'emu' has only test"),
    ],
)  # fmt: skip
def test_the_right_sentence(tmp_path, classes, also, sentence):
    draw(tmp_path, classes)
    if also:
        also(tmp_path)
    with pytest.raises(InputError) as error:
        data.load(tmp_path)
    assert sentence in str(error.value).replace(os.sep, "/")
    assert "\n" not in str(error.value)


def test_a_picture_of_more_pixels_than_are_read_is_refused(tmp_path, monkeypatch):
    draw(tmp_path, ["cat", "dog"] * 5)
    monkeypatch.setattr(class_folders, "MOST_PIXELS", 6 * 5)
    assert data.load(tmp_path).image_shape == (1, 6, 5)
    monkeypatch.setattr(class_folders, "MOST_PIXELS", 6 * 5 - 1)
    with pytest.raises(
        InputError, match=r"00\.png: the picture is 6×5, expected at most 29 pixels"
    ):
        data.load(tmp_path)


def test_more_pictures_than_fit_into_memory_are_refused(tmp_path, monkeypatch):
    draw(tmp_path, ["cat", "dog"] * 5)
    monkeypatch.setattr(class_folders, "MOST_BYTES", 10 * 6 * 5 - 1)
    with pytest.raises(InputError, match="10 pictures of 6×5 take more than"):
        data.load(tmp_path)
