"""Ink on paper, whatever light falls on it.

A photo is light × paper × ink. Over a stretch wider than a stroke the brightest grey is paper; the
closing (the highest, then the lowest of it) follows slow shade and hard edges of shadows alike, so
    ink = 1 − grey / closing(grey).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

Floats: TypeAlias = npt.NDArray[np.float64]

SLANTS = np.linspace(-0.16, 0.16, 65)  # of ruled lines, pixels down for one across: ± 9°


def find_ink(grey: Floats, window: int) -> tuple[Floats, Floats]:
    """Grey values (H, W) -> ink of 0 to 1, and how much of it grain may be, (H, W).

    Ink may be darker than the paper or lighter. `window` is in pixels, odd: wider than any stroke
    and narrower than any shadow.
    """
    paper = closing(grey, window)
    board = -closing(-grey, window)
    usual = _usual(grey)
    dark = np.maximum(np.minimum(paper, usual) - grey, 0)
    light = np.maximum(grey - np.maximum(board, usual), 0)
    if (light**2).sum() > (dark**2).sum():
        grey, paper = 255 - grey, 255 - board
    # the highest of many grains lies above the paper, by as much as most of the paper is below
    missing = paper - grey
    above = np.median(missing)
    grain = 1.4826 * np.median(np.abs(missing - above))
    paper = np.maximum(paper - above, 1)
    through = np.clip(grey / paper, 0, 1)
    through = without_lines(through)
    through = without_lines(through.T).T
    return 1 - through, grain / paper


def _usual(grey: Floats) -> Floats:
    """The median of a quarter of the picture around each pixel, (H, W)."""
    from PIL import Image, ImageFilter

    small = Image.fromarray(grey.astype(np.uint8))
    size = small.size
    small.thumbnail((48, 48), Image.Resampling.BOX)
    small = small.filter(ImageFilter.MedianFilter(min(25, max(small.size) // 2 | 1)))
    return np.asarray(small.resize(size, Image.Resampling.BILINEAR)).astype(float)


def closing(grey: Floats, window: int) -> Floats:
    """The lowest of the highest values in a square of `window` (odd) pixels, (H, W)."""
    beyond = np.pad(grey, window - 1, mode="edge")  # what the edge shows goes on behind it
    return running(running(beyond, window, np.maximum), window, np.minimum)


def running(values: Floats, window: int, function: Callable[..., Any]) -> Floats:
    """np.maximum or np.minimum over squares of `window` pixels, (H + 1 − window, W + 1 − window)."""
    for axis in (0, 1):
        values = np.swapaxes(values, 0, axis)
        done = 1
        while done < window:
            step = min(done, window - done)
            values = function(values[step:], values[:-step])
            done += step
        values = np.swapaxes(values, 0, axis)
    return values


def without_lines(through: Floats) -> Floats:
    """What ink lets through, with ruled lines across the page divided out.

    A line is what is dark in most places of a straight run from left to right, and thin.
    """
    height, width = through.shape
    if min(height, width) < 100:
        return through
    columns = np.arange(0, width, 5)
    middle = columns - width / 2
    best = np.full(height, 1.0)
    slant = np.zeros(height)
    for m in SLANTS:
        rows = np.arange(height)[:, None] + np.round(m * middle).astype(int)  # (H, columns)
        inside = (rows >= 0) & (rows < height)
        along = through[np.clip(rows, 0, height - 1), columns]
        along = np.where(inside, along, 1)
        level = np.partition(along, len(columns) * 6 // 10, axis=1)[:, len(columns) * 6 // 10]
        better = level < best
        best[better], slant[better] = level[better], m
    thin = max(3, height // 80) | 1
    for y in np.flatnonzero(best < 0.97):
        near = best[max(0, y - thin) : y + thin + 1]
        if best[y] > near.min():
            continue
        through = _divide_out(through, y, slant[y], thin)
    return through


def _divide_out(through: Floats, y: int, m: float, thin: int) -> Floats:
    height, width = through.shape
    across = np.arange(width)
    centre = np.round(y + m * (across - width / 2)).astype(int)
    rows = centre + np.arange(-thin, thin + 1)[:, None]  # (2 thin + 1, W)
    inside = (rows >= 0) & (rows < height)
    rows = np.clip(rows, 0, height - 1)
    level = np.median(np.where(inside, through[rows, across], 1), axis=1)
    if level[0] < 0.5 * (1 + level.min()) or level[-1] < 0.5 * (1 + level.min()):
        return through  # not thin
    through = through.copy()
    through[rows, across] = np.where(
        inside, np.minimum(1, through[rows, across] / level[:, None]), through[rows, across]
    )
    return through
