"""What an exported net is fed: pixels of a picture as they are, or numbers that are normalised."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from minise.arrays import Array
from minise.errors import InputError


class Pixels(NamedTuple):
    """What an exported net does to the pixels of a picture first: (pixel / 255 − mean) / std.

    `mean` and `std` are of pixels from 0 to 1, each a number, or one for each channel; they are
    those that the net was trained with. `dtype` is that of the pixels: float32, or uint8.
    """

    mean: npt.ArrayLike
    std: npt.ArrayLike
    dtype: npt.DTypeLike = np.float32

    def normalised(self, pixels: Array, dtype: npt.DTypeLike = np.float32) -> Array:
        """The net's input for pixels (N, C, H, W), 0 to 255."""
        ndim = np.ndim(pixels) - 1
        scale, shift = (_of_channels(values, ndim) for values in self.affine())
        return (pixels * scale + shift).astype(dtype)

    def affine(self) -> tuple[Array, Array]:
        """(scale, shift), float64: the net's input is scale · pixel + shift."""
        std = np.where(np.asarray(self.std, np.float64) > 0, self.std, 1.0)  # of one grey
        return 1 / (255 * std), -np.asarray(self.mean, np.float64) / std

    def check(self, channels: int) -> None:
        """Raises `InputError` for what no picture of so many channels can have."""
        for name, values in (("mean", self.mean), ("std", self.std)):
            known = np.asarray(values).dtype.kind in "iuf" and np.isfinite(values).all()
            if np.shape(values) not in ((), (1,), (channels,)) or not known:
                raise InputError(
                    f"export: {name} of the pixels is {values}, expected a number"
                    + (f", or one for each of {channels} channels" if channels > 1 else "")
                )
        if np.any(np.asarray(self.std) < 0):
            raise InputError(f"export: std of the pixels is {self.std}, expected 0 or more")
        if np.dtype(self.dtype) not in (np.uint8, np.float32):
            raise InputError(f"export: pixels of {np.dtype(self.dtype)}, expected float32 or uint8")
        if np.min(self.mean) < 0 or np.max(self.mean) > 1:
            raise InputError(
                f"export: mean of the pixels is {self.mean}, expected that of pixels from 0 to 1"
            )


def _of_channels(values: Array, ndim: int) -> Array:
    return values.reshape(-1, *(1,) * (ndim - 1))  # (C, 1, 1), or (C,)


def input_described(channels: int, pixels: Pixels | None) -> str:
    """What to feed, in which order and range."""
    order = "rows from the top" + {3: "; channels red, green, blue"}.get(channels, "")
    if pixels is None:
        return f"images as the net takes them, normalised; {order}"
    return f"pixels as they are, 0 to 255; {order}"


def check_images(images: Array, input_shape: tuple[int, ...], *, pixels: bool) -> None:
    """Raises `InputError` for what is no images for ranges of 8 bits, (N, C, H, W)."""
    shape = np.shape(images)
    if shape[1:] != tuple(input_shape) or not shape[0]:
        expected = f"(N, {', '.join(map(str, input_shape))})"
        raise InputError(f"export: int8 with images of shape {shape}, expected {expected}")
    low, high = np.min(images), np.max(images)
    if pixels and (low < 0 or not 1 < high <= 255):
        raise InputError(
            f"export: int8 with pixels from {low:.3g} to {high:.3g}, expected 0 to 255"
        )
