"""Digits as strokes of a pen, each a list of points (x, y) from 0 to 1, as a page sends them."""

import numpy as np


def arc(x, y, across, down, start, end, points=24):
    """Part of an ellipse about (x, y), from one angle to another, in turns; 0 is to the right."""
    angles = 2 * np.pi * np.linspace(start, end, points)
    return [
        (float(x + across * np.cos(a)), float(y + down * np.sin(a))) for a in angles
    ]  # with y downwards it goes as a clock does


DIGITS = {
    0: [arc(0.5, 0.5, 0.19, 0.3, 0, 1)],
    1: [[(0.5, 0.18), (0.5, 0.82)]],
    2: [[*arc(0.5, 0.35, 0.18, 0.16, -0.5, 0.1), (0.33, 0.8), (0.7, 0.8)]],
    3: [arc(0.46, 0.34, 0.18, 0.16, -0.42, 0.25) + arc(0.46, 0.65, 0.2, 0.16, -0.25, 0.4)],
    4: [[(0.42, 0.18), (0.3, 0.55), (0.72, 0.55)], [(0.6, 0.2), (0.58, 0.85)]],
    5: [[(0.68, 0.2), (0.38, 0.2), (0.36, 0.46), *arc(0.47, 0.62, 0.19, 0.18, -0.28, 0.4)]],
    6: [[(0.58, 0.16), (0.4, 0.4), *arc(0.5, 0.64, 0.16, 0.17, -0.5, 0.5)]],
    7: [[(0.3, 0.2), (0.7, 0.2), (0.45, 0.82)]],
    8: [arc(0.5, 0.34, 0.14, 0.15, 0.25, 1.25) + arc(0.5, 0.66, 0.17, 0.17, -0.25, 0.75)],
    9: [[*arc(0.5, 0.36, 0.16, 0.17, 0, 1), (0.63, 0.6), (0.58, 0.84)]],
}


def moved(strokes, rng):
    """The same digit as another hand draws it: smaller, elsewhere, slanted, and not so straight."""
    size, slant = rng.uniform(0.55, 1.1), rng.uniform(-0.2, 0.2)
    dx, dy = rng.uniform(-0.05, 0.05, 2)

    def place(x, y):
        y = (y - 0.5) * size
        x = (x - 0.5) * size - slant * y
        wobble = rng.normal(0, 0.004, 2)
        return float(x + 0.5 + dx + wobble[0]), float(y + 0.5 + dy + wobble[1])

    return [[place(*point) for point in stroke] for stroke in strokes]
