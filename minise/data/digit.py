"""Any picture of one digit, made to look as MNIST's do.

MNIST's digits are light ink on black, scaled without distortion to fit a square of 20 pixels, and
placed in 28×28 so that their centre of mass is at pixel (14, 14) (LeCun, Cortes and Burges).
"""

from __future__ import annotations

import os
import warnings

import numpy as np
import numpy.typing as npt

from minise.data.batches import Images
from minise.errors import InputError

SIZE, BOX = 28, 20
FORMATS = ("PNG", "JPEG", "GIF", "BMP", "WEBP", "TIFF", "PPM")
LARGE, MOST_PIXELS = 1000, 12_000_000  # of a photo; more than 200 MB are never needed for one
FAINT = 0.25  # of the strongest ink; what is fainter is paper, and does not count for the frame


def read_picture(path: str | os.PathLike[str]) -> Images:
    """A picture file as grey values (H, W), uint8; what is transparent becomes white.

    Raises `InputError` for a file that is missing or no picture.
    """
    from PIL import Image, UnidentifiedImageError

    try:
        with warnings.catch_warnings():
            # of a large size, which is looked at below before there are pixels, and of damage
            warnings.simplefilter("ignore")
            with Image.open(path, formats=FORMATS) as picture:
                picture.draft("L", (LARGE, LARGE))  # a JPEG is read smaller where it is larger
                if picture.width * picture.height > MOST_PIXELS:
                    raise InputError(
                        f"{path}: the picture has {picture.width} × {picture.height} pixels, "
                        f"expected {MOST_PIXELS:,} at most"
                    )
                if not picture.has_transparency_data:
                    return np.asarray(picture.convert("L"))
                coloured = picture.convert("RGBA")
                white = Image.new("RGBA", coloured.size, "white")
                return np.asarray(Image.alpha_composite(white, coloured).convert("L"))
    except FileNotFoundError:
        raise InputError(f"{path}: there is no such file") from None
    except UnidentifiedImageError:
        raise InputError(f"{path}: no picture that can be read") from None
    except InputError:
        raise
    except Exception as error:  # from a damaged file may come whatever a decoder can raise
        raise InputError(f"{path}: the picture cannot be read: {error}") from None


def fit_digit(grey: Images) -> Images:
    """Grey values (H, W) of any size -> a digit as MNIST has it, (28, 28), uint8.

    The edge of the picture tells the paper's grey; ink is what differs most from it, be it darker
    or lighter. Raises `InputError` where there is no ink.
    """
    from PIL import Image

    ink = _ink(grey)
    if not ink.any():
        raise InputError("the picture has one grey alone: there is no digit in it")
    rows, columns = (np.flatnonzero((ink > FAINT).any(axis=axis)) for axis in (1, 0))
    ink = ink[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]

    scale = BOX / max(ink.shape)
    height, width = (max(1, round(side * scale)) for side in ink.shape)
    small = np.asarray(
        Image.fromarray((ink * 255).astype(np.uint8)).resize(
            (width, height), Image.Resampling.BOX if scale < 1 else Image.Resampling.BILINEAR
        )
    ).astype(float)
    small *= 255 / small.max()

    top, left = (_start(small.sum(axis=axis)) for axis in (1, 0))
    digit = np.zeros((SIZE, SIZE), np.uint8)
    digit[top : top + height, left : left + width] = small.round()
    return digit


def _ink(grey: Images) -> npt.NDArray[np.float64]:
    """0 for paper to 1 for the strongest ink."""
    edge = np.concatenate([grey[0], grey[-1], grey[:, 0], grey[:, -1]])
    paper = float(np.median(edge))
    difference = grey - paper
    if -difference.min() > difference.max():
        difference = -difference  # dark ink on light paper
    strongest = difference.max()
    return np.clip(difference / strongest, 0, 1) if strongest > 0 else np.zeros(grey.shape)


def _start(mass: npt.NDArray[np.float64]) -> int:
    """Where a stretch with this mass begins, for its centre of mass to be pixel 14 of 28."""
    centre = (mass * np.arange(mass.size)).sum() / mass.sum()
    return int(np.clip(round(SIZE / 2 - centre), 0, SIZE - mass.size))
