"""Strokes as a picture, and the 28×28 that a net is given of it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from minise import data
from minise.data import Images
from minise.errors import InputError

SIDE = 140  # pixels of the sheet that is drawn on: 7 for each of MNIST's 20
PEN = 0.07  # of the sheet: the width of a stroke
LEAST = 0.1  # of the sheet: what is smaller is a dot


def ink_of(strokes: Sequence[Sequence[tuple[float, float]]]) -> Images:
    """Strokes of points (x, y), 0 to 1, by a round pen: (140, 140), uint8, 255 where ink is."""
    from PIL import Image, ImageDraw

    fine = 2  # pixels for each, since Pillow's edges are hard
    side, radius = fine * SIDE, fine * SIDE * PEN / 2
    sheet = Image.new("L", (side, side))
    pen = ImageDraw.Draw(sheet)
    for stroke in strokes:
        points = [(x * side, y * side) for x, y in stroke]
        pen.line(points, fill=255, width=round(2 * radius))
        for x, y in points:
            pen.ellipse((x - radius, y - radius, x + radius, y + radius), fill=255)
    return np.asarray(sheet.reduce(fine))


def drawn_digit(strokes: Sequence[Sequence[tuple[float, float]]]) -> Images:
    """The strokes as a digit in the style of MNIST, (28, 28), placed as `data.fit_digit` does.

    Raises `InputError` where nothing is drawn, or a dot.
    """
    points = np.array([point for stroke in strokes for point in stroke])
    if not len(points):
        raise InputError("nothing drawn")
    if np.ptp(points, axis=0).max() < LEAST:
        raise InputError("this is too small to be a digit: draw on")
    return data.place_digit(ink_of(strokes) / 255)
