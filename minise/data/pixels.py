"""Images as people store them, turned into those of a `Dataset`: (N, C, H, W), uint8.

The range decides, over training and test images together:

    0 to 1              times 255, rounded
    whole, 0 to 16      times 255 / 16, rounded (as scikit-learn's digits are)
    0 to 255            rounded; with fractions only where the largest is above 128; uint8 as it is

Any other range is refused.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from minise.arrays import Array
from minise.data.batches import Images
from minise.errors import InputError

CHANNELS = (1, 2, 3, 4)  # of grey and of colour, without and with transparency
SCALES = "expected 0 to 1, 0 to 255, or whole numbers from 0 to 16"
AT_ONCE = 2**22  # pixels, so that no large array is made beside the one given and the one returned
ROUNDING = 1e-6  # of float32: a range may be exceeded by so much


class _Range(NamedTuple):
    low: float
    high: float
    whole: bool


def fit_pixels(where: str, train: Array, test: Array) -> tuple[Images, Images, list[str]]:
    """Training and test images (N, C, H, W), uint8, and what was done to them.

    Raises `InputError` for anything but images of one size, or numbers that are not pixels.
    """
    notes: list[str] = []
    train, said = _arranged(f"{where}: training images", train)
    test, _ = _arranged(f"{where}: test images", test)
    notes += said
    if train.shape[1:] != test.shape[1:]:
        raise InputError(
            f"{where}: test images are {test.shape[1:]}, training images {train.shape[1:]}"
        )
    for what, images in (("training", train), ("test", test)):
        if images.dtype.kind not in "buif":
            raise InputError(f"{where}: {what} images are {images.dtype}, expected numbers")
    factor, said = _factor(where, _range(where, "training", train), _range(where, "test", test))
    return _scaled(train, factor), _scaled(test, factor), notes + said


def _arranged(what: str, images: Array) -> tuple[Array, list[str]]:
    """The images as (N, C, H, W), and how they were stored, if differently."""
    if images.ndim == 0 or 0 in images.shape:
        raise InputError(f"{what} are {images.dtype} {images.shape}: there are none")
    if images.ndim == 3 and 1 not in images.shape[1:]:
        return images[:, None], []  # grey images are stored without their one channel
    if images.ndim in (2, 3):
        size = math.prod(images.shape[1:])
        side = math.isqrt(size)
        if side**2 == size > 1:
            return images.reshape(-1, 1, side, side), [f"rows of {size} reshaped to {side}×{side}"]
        if size > 1:
            raise InputError(
                f"{what} are rows of {size} numbers, not a square: "
                "reshape them to (N, H, W) or (N, C, H, W)"
            )
    if images.ndim == 4:
        if images.shape[3] in CHANNELS and images.shape[1] not in CHANNELS:
            return np.moveaxis(images, 3, 1), ["the channels came last"]
        return images, []
    raise InputError(
        f"{what} are {images.dtype} {images.shape}, "
        "expected (N, H, W), (N, C, H, W), (N, H, W, C), or rows of a square's length"
    )


def _parts(images: Array) -> Iterator[tuple[slice, Array]]:
    count = max(1, AT_ONCE // math.prod(images.shape[1:]))
    for start in range(0, len(images), count):
        part = slice(start, start + count)
        yield part, images[part]


def _range(where: str, which: str, images: Array) -> _Range:
    low, high, whole = math.inf, -math.inf, True
    for _, part in _parts(images):
        lowest, highest = float(part.min()), float(part.max())
        if not (math.isfinite(lowest) and math.isfinite(highest)):
            raise InputError(f"{where}: {which} images have pixels that are NaN or infinite")
        low, high = min(low, lowest), max(high, highest)
        whole = whole and (part.dtype.kind != "f" or bool((part == np.rint(part)).all()))
    if low < -ROUNDING:
        raise InputError(
            f"{where}: pixels of the {which} images range from {low:.4g} to {high:.4g}, {SCALES}: "
            "give images that are not normalised yet, minise does that itself"
        )
    return _Range(low, high, whole)


def _factor(where: str, train: _Range, test: _Range) -> tuple[float, list[str]]:
    """The factor for the pixels, and the same in words."""
    if (train.high <= 1) != (test.high <= 1) and 0 < min(train.high, test.high):
        raise InputError(
            f"{where}: pixels of the training images go up to {train.high:.4g}, those of the test "
            f"images up to {test.high:.4g}: expected both on one scale"
        )
    high, whole = max(train.high, test.high), train.whole and test.whole
    if high <= 1 + ROUNDING:
        return 255, ["pixels 0 to 1 scaled to 0 to 255"]
    if whole and high <= 16:
        return 255 / 16, ["pixels 0 to 16 scaled to 0 to 255"]
    if high > 255 + ROUNDING or (not whole and high < 128):
        fractions = "" if whole else ", with fractions"
        raise InputError(f"{where}: pixels go up to {high:.4g}{fractions}, {SCALES}")
    return 1, [] if whole else ["pixels rounded to whole numbers"]


def _scaled(images: Array, factor: float) -> Images:
    if images.dtype == np.uint8 and factor == 1:
        return images
    scaled = np.empty(images.shape, np.uint8)
    for part, of in _parts(images):
        scaled[part] = np.rint(of * np.float64(factor))
    return scaled
