"""What an exported net is fed, and what comes out of it."""

from __future__ import annotations

import json
from typing import NamedTuple

import numpy as np

from minise import data, export
from minise.arrays import Array
from minise.runs import About

CALIBRATED = 200  # training images, for ranges of 8 bits
LISTED = 50  # letters of class names that are printed
FORMULA = "(pixel / 255 - mean) / std"


class Feed(NamedTuple):
    """Pixels of a picture as float32 or as bytes, or normalised as the net takes them."""

    about: About
    kind: str  # "pixels", "uint8" or "normalised"

    @property
    def pixels(self) -> export.Pixels | None:
        """As the functions of `export` take it."""
        if self.kind == "normalised":
            return None
        dtype = np.uint8 if self.kind == "uint8" else np.float32
        return export.Pixels(self.about.mean, self.about.std, dtype)

    def of(self, images: data.Images) -> Array:
        """Images (N, C, H, W) as the exported net takes them."""
        if self.pixels is None:
            return export.Pixels(self.about.mean, self.about.std).normalised(images)
        fed: Array = images.astype(self.pixels.dtype)
        return fed

    def described(self, *, neighbours: bool = False) -> list[str]:
        """In which range and order, in lines; `neighbours` are the channels of a pixel in code."""
        C, H, W = self.about.image_shape
        maps = {1: "grey values", 3: "a map of red, of green, of blue"}.get(C, f"{C} maps")
        side_by_side = {3: "red, green, blue of each pixel"}.get(C, f"{C} numbers for each pixel")
        colours = side_by_side if neighbours and C > 1 else maps
        side = "light on dark" if self.about.mean <= 0.5 else "dark on light"  # as `as_learned`
        lines = [f"{colours}, 0 to 255; rows from the top{f'; {side}' if C == 1 else ''}"]
        if self.kind == "normalised":
            lines += [f"each then (value / 255 - {self.about.mean:.6g}) / {self._std:.6g}"]
        if (C, H, W) == (1, 28, 28):
            turned = "" if self.about.mean <= 0.5 else "255 - "
            lines += [f"from a photo: {turned}data.fit_digit(data.read_picture(path)), of minise"]
        return lines

    def metadata(self) -> dict[str, str]:
        """The same for programs, and whose scores come out."""
        about = self.about
        pixels = f"pixels, 0 to 255; the model itself makes {FORMULA} of them"
        named = {"class_names": json.dumps(about.class_names)} if about.class_names else {}
        return {
            "model": about.model,
            "classes": str(about.num_classes),
            "mean": str(about.mean),
            "std": str(self._std),
            "input": FORMULA if self.kind == "normalised" else pixels,
            **named,
        }

    @property
    def _std(self) -> float:
        return self.about.std if self.about.std > 0 else 1.0  # as `data.to_input` has it


def what_comes_out(about: About) -> str:
    """In one line."""
    named = [f"{label} {name}" for label, name in enumerate(about.class_names)]
    listed = ", ".join(named)
    if len(listed) > LISTED:
        listed = f"{named[0]} to {named[-1]}"
    return "one score for each class, the largest is the answer" + (listed and f": {listed}")


def drawn(images: data.Images) -> data.Images:
    """Some of the training images, the same ones each time."""
    count = min(CALIBRATED, len(images))
    return images[np.random.default_rng(0).choice(len(images), count, replace=False)]
