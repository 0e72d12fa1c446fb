"""Picture files as grey values: as a person sees them, and no larger than is useful."""

from __future__ import annotations

import os
import warnings
from typing import IO, TYPE_CHECKING

import numpy as np

from minise.data.batches import Images
from minise.errors import InputError

if TYPE_CHECKING:
    from PIL.Image import Image

FORMATS = ("PNG", "JPEG", "GIF", "BMP", "WEBP", "TIFF", "PPM")
LARGE = 1000  # pixels of the longer side: larger pictures are reduced
MOST_BYTES = 2**28  # that Pillow may take to decode one: 4 a pixel in colour, so 67 megapixels
ORIENTATION = 0x0112  # in EXIF: how the camera was held


def read_picture(source: str | os.PathLike[str] | IO[bytes]) -> Images:
    """A picture file as grey values (H, W), uint8, at most 1000 pixels high and wide.

    `source` is its path, or the open file, or `io.BytesIO` of what is in it.

    Larger ones are reduced; one taken with the camera turned is set upright. Values of more than 8
    bits are scaled so that the highest is white. Transparent parts become white, or black where the
    visible ones are light. Only the first picture of an animation is read.

    Raises `InputError` for a file that is missing or not a picture, and for one that would need
    more than 256 MB to read.
    """
    if not isinstance(source, str | os.PathLike):
        return _read(source, "the file")
    try:
        # not by its name: Pillow maps some TIFFs into memory and scrambles turned ones
        with open(source, "rb") as file:
            return _read(file, str(source))
    except FileNotFoundError:
        raise InputError(f"{source}: there is no such file") from None
    except OSError as error:
        raise InputError(f"{source}: the picture cannot be read: {error}") from None


def _read(file: IO[bytes], path: str) -> Images:
    from PIL import UnidentifiedImageError

    try:
        with warnings.catch_warnings():
            # about size, which is checked before pixels are read, and about damage
            warnings.simplefilter("ignore")
            with _opened(file, path) as picture:
                return _grey(_small(picture, path), path)
    except UnidentifiedImageError:
        raise InputError(f"{path}: {_no_picture(file)}") from None
    except InputError:
        raise
    except Exception as error:  # a damaged file may make a decoder raise anything
        raise InputError(f"{path}: the picture cannot be read: {error}") from None


def _opened(file: IO[bytes], path: str) -> Image:
    """The picture, with nothing but its header read."""
    from PIL import Image, JpegImagePlugin

    try:
        return Image.open(file, formats=FORMATS)
    except Image.DecompressionBombError as error:
        try:  # Pillow's limit is for pixels in memory; a JPEG needs few
            file.seek(0)
            return JpegImagePlugin.JpegImageFile(file)
        except SyntaxError:
            raise InputError(f"{path}: {_too_large(str(error))}") from None


def _small(picture: Image, path: str) -> Image:
    """The picture upright and at most LARGE; its mode "L", "RGBA" or "F"."""
    from PIL import Image, ImageOps

    width, height = picture.size
    picture.draft("L", (LARGE, LARGE))  # a JPEG is decoded at 1/2, 1/4 or 1/8 of its size
    each = {"1": 1, "L": 1, "P": 1, "I;16": 2, "I;16B": 2}.get(picture.mode, 4)
    if picture.format == "WEBP":  # its decoder holds several copies
        each = 16
    needed = picture.width * picture.height * each
    if "progressive" in picture.info:  # all coefficients are held, whatever the size
        needed += width * height * 6
    if needed > MOST_BYTES:
        raise InputError(f"{path}: {_too_large(f'{width} × {height} pixels')}")

    picture.load()
    factor = -(-max(picture.size) // LARGE)
    strip = 32 * factor  # rows: the whole is never held twice
    small = None
    for top in range(0, picture.height, strip):
        part = picture.crop((0, top, picture.width, min(top + strip, picture.height)))
        if picture.mode.startswith(("I", "F")):
            part = Image.fromarray(np.asarray(part).astype(np.float32))
        elif picture.has_transparency_data:
            part = part.convert("RGBA")
        else:
            part = part.convert("RGB" if part.mode == "CMYK" else "L").convert("L")
        part = part.reduce(factor)
        if small is None:
            size = part.width, -(-picture.height // factor)
            small = Image.new(part.mode, size)
        small.paste(part, (0, top // factor))
    assert small is not None
    small.getexif()[ORIENTATION] = picture.getexif().get(ORIENTATION, 1)
    return ImageOps.exif_transpose(small)


def _grey(picture: Image, path: str) -> Images:
    """The grey values of a picture in mode "L", "RGBA" or "F"."""
    if picture.mode == "L":
        return np.asarray(picture)
    if picture.mode == "F":
        values = np.asarray(picture).astype(float)
        if not np.isfinite(values).all():
            raise InputError(f"{path}: the picture has values that are not finite")
        values -= min(values.min(), 0)
        return (values * (255 / (values.max() or 1))).round().astype(np.uint8)
    values = np.asarray(picture.convert("LA")).astype(float)
    grey, seen = values[..., 0], values[..., 1] / 255
    ground = 0 if (grey * seen).sum() > 127.5 * seen.sum() else 255
    return (grey * seen + ground * (1 - seen)).round().astype(np.uint8)


def _too_large(what: str) -> str:
    return (
        f"{what}: reading it would need more than {MOST_BYTES // 2**20} MB; "
        "save a smaller one, or a JPEG, which can be read at reduced size"
    )


def _no_picture(file: IO[bytes]) -> str:
    file.seek(0)
    head = file.read(12)
    if head[4:8] == b"ftyp":
        return "HEIC, the format of iPhone photos, cannot be read: export it as JPEG"
    return f"not a readable picture, expected {', '.join(FORMATS)}"
