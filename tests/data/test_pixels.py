"""A table of what people have: each row is the right pixels, or the right sentence."""

import re

import numpy as np
import pytest

from minise import InputError
from minise.data.pixels import fit_pixels

RNG = np.random.default_rng(0)
BYTES = RNG.integers(0, 256, (12, 5, 5), np.uint8)
BYTES[0, 0, :2] = 0, 255  # so that the range is that of bytes
SIXTEEN = RNG.integers(0, 17, (12, 8, 8))
SIXTEEN[0, 0, :2] = 0, 16
COLOURS = RNG.integers(0, 256, (12, 3, 5, 5), np.uint8)
COLOURS[0, 0, 0, :2] = 0, 255
BITS = RNG.integers(0, 2, (12, 5, 5))


def fitted(images):
    train, test, notes = fit_pixels("mine", images[:8], images[8:])
    assert train.dtype == test.dtype == np.uint8
    return np.concatenate([train, test]), "; ".join(notes)


@pytest.mark.parametrize(
    ("images", "expected", "said"),
    [
        (BYTES, BYTES[:, None], ""),
        (BYTES[:, None], BYTES[:, None], ""),
        (BYTES[..., None], BYTES[:, None], "the channels came last"),
        (COLOURS, COLOURS, ""),
        (COLOURS.transpose(0, 2, 3, 1), COLOURS, "the channels came last"),
        (COLOURS[..., :3], COLOURS[..., :3], ""),  # (N, 3, 5, 3): the channels may be first or last
        (COLOURS[:, :2, :, :4].transpose(0, 2, 3, 1), COLOURS[:, :2, :, :4],
         "the channels came last"),
        (BYTES[:, :4], BYTES[:, None, :4], ""),  # wider than high
        (np.asfortranarray(BYTES[:, :, :4]), BYTES[:, None, :, :4], ""),
        (np.asfortranarray(BYTES.reshape(12, 25)), BYTES[:, None], "rows of 25 reshaped to 5×5"),
        (BYTES.repeat(5, 0)[:60].reshape(12, 5, 5, 5), BYTES.repeat(5, 0).reshape(12, 5, 5, 5), ""),
        (BYTES.reshape(12, 25), BYTES[:, None], "rows of 25 reshaped to 5×5"),
        (BYTES.reshape(12, 25, 1), BYTES[:, None], "rows of 25 reshaped to 5×5"),
        (BYTES / 255, BYTES[:, None], "pixels 0 to 1 scaled to 0 to 255"),
        ((BYTES / 255).astype(np.float32), BYTES[:, None], "pixels 0 to 1 scaled to 0 to 255"),
        ((BYTES / 255).astype(np.float16), BYTES[:, None], "pixels 0 to 1 scaled to 0 to 255"),
        (BYTES / 255 * 1.0000001, BYTES[:, None], "pixels 0 to 1 scaled to 0 to 255"),
        (BYTES / 255 - 1e-9, BYTES[:, None], "pixels 0 to 1 scaled to 0 to 255"),
        (BYTES.astype(np.float64), BYTES[:, None], ""),
        (BYTES.astype(np.int64), BYTES[:, None], ""),
        (BYTES.astype(np.uint16), BYTES[:, None], ""),
        (BYTES.astype(">i4"), BYTES[:, None], ""),
        (np.minimum(BYTES + 0.25, 255), BYTES[:, None], "pixels rounded to whole numbers"),
        (BITS == 1, 255 * BITS[:, None], "pixels 0 to 1 scaled to 0 to 255"),
        (BITS, 255 * BITS[:, None], "pixels 0 to 1 scaled to 0 to 255"),
        (BITS.astype(np.uint8), 255 * BITS[:, None], "pixels 0 to 1 scaled to 0 to 255"),
        (SIXTEEN.astype(float), np.rint(SIXTEEN[:, None] * 255 / 16),
         "pixels 0 to 16 scaled to 0 to 255"),
        (SIXTEEN.reshape(12, 64), np.rint(SIXTEEN[:, None] * 255 / 16),
         "rows of 64 reshaped to 8×8; pixels 0 to 16 scaled to 0 to 255"),
        (np.minimum(BYTES + 0.25, 128), np.minimum(BYTES, 128)[:, None],
         "pixels rounded to whole numbers"),
        (np.zeros((12, 5, 5)), np.zeros((12, 1, 5, 5)), "pixels 0 to 1 scaled to 0 to 255"),
    ],
)  # fmt: skip
def test_the_right_pixels(images, expected, said):
    before = images.copy()
    pixels, notes = fitted(images)
    np.testing.assert_array_equal(pixels, expected)
    assert notes == said
    np.testing.assert_array_equal(images, before)


WITH_NAN, WITH_INF = BYTES / 255, BYTES / 255
WITH_NAN[9, 2, 2] = np.nan
WITH_INF[3, 2, 2] = np.inf


@pytest.mark.parametrize(
    ("images", "sentence"),
    [
        (WITH_NAN, "mine: test images have pixels that are NaN or infinite"),
        (WITH_INF, "mine: training images have pixels that are NaN or infinite"),
        (
            (BYTES / 255 - 0.5) * 2,
            "pixels of the training images range from -1 to 1, expected 0 to 1",
        ),
        (
            BYTES.astype(np.int64) - 128,
            "pixels of the training images range from -128 to 127, expected",
        ),
        (BYTES.astype(np.uint16) * 257, "pixels go up to 6.554e+04, expected 0 to 1, 0 to 255"),
        (BYTES.astype(int) + 1, "pixels go up to 256, expected 0 to 1, 0 to 255"),
        (BYTES / 2, "pixels go up to 127.5, with fractions, expected 0 to 1"),
        (BYTES / 100, "pixels go up to 2.55, with fractions, expected 0 to 1"),
        (BYTES.astype(complex), "training images are complex128, expected numbers"),
        (BYTES.astype(str), "training images are <U3, expected numbers"),
        (BYTES[:, 0], "training images are rows of 5 numbers, not a square"),
        (np.zeros((12, 3072), np.uint8), "rows of 3072 numbers, not a square: reshape them"),
        (np.zeros((12, 1), int), "training images are int64 (8, 1), expected (N, H, W)"),
        (np.zeros(12, int), "training images are int64 (8,), expected (N, H, W)"),
        (np.zeros((12, 1, 1, 5, 5)), "training images are float64 (8, 1, 1, 5, 5), expected (N, H"),
        (BYTES[:8], "test images are uint8 (0, 5, 5): there are none"),
        (BYTES[:, :, :0], "training images are uint8 (8, 5, 0): there are none"),
    ],
)
def test_the_right_sentence(images, sentence):
    with pytest.raises(InputError, match=re.escape(sentence)) as error:
        fitted(images)
    assert "\n" not in str(error.value)


def test_one_scale_is_found_over_training_and_test_images_together():
    dark = BYTES // 32  # 0 to 7, which would be taken for 0 to 16 if these images were alone
    train, test, _ = fit_pixels("mine", BYTES.astype(int), dark.astype(int))
    np.testing.assert_array_equal(test[:, 0], dark)
    train, test, _ = fit_pixels("mine", dark.astype(int), BYTES.astype(int))
    np.testing.assert_array_equal(train[:, 0], dark)
    train, test, _ = fit_pixels("mine", BYTES, BYTES.astype(float))
    np.testing.assert_array_equal(train, test)
    train, test, notes = fit_pixels("mine", BYTES.astype(float), np.minimum(BYTES + 0.25, 255))
    np.testing.assert_array_equal(train, test)
    assert notes == ["pixels rounded to whole numbers"]


@pytest.mark.parametrize(
    ("train", "test"),
    [(BYTES / 255, BYTES.astype(float)), (BYTES.astype(int), BYTES / 255), (BYTES, BYTES / 255)],
)
def test_images_that_were_scaled_in_one_half_only_are_refused(train, test):
    with pytest.raises(InputError, match=r"pixels of the training images go up to .*on one scale"):
        fit_pixels("mine", train, test)


def test_training_and_test_images_are_of_one_size():
    with pytest.raises(InputError, match=r"test images are \(1, 4, 5\), training images \(1, 5, 5"):
        fit_pixels("mine", BYTES, BYTES[:, :4])


def test_large_images_are_looked_at_and_scaled_in_parts(monkeypatch):
    monkeypatch.setattr("minise.data.pixels.AT_ONCE", 99)  # three images of the eight, and more
    np.testing.assert_array_equal(fitted(BYTES / 255)[0], BYTES[:, None])
    bright = (BYTES // 32).astype(float)
    bright[0] = np.minimum(BYTES[0] + 0.25, 255)
    pixels, said = fitted(bright)
    np.testing.assert_array_equal(pixels[0, 0], BYTES[0])
    np.testing.assert_array_equal(pixels[1:, 0], BYTES[1:] // 32)
    assert said == "pixels rounded to whole numbers"
