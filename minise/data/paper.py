"""Ink on paper, in any light.

A photo is light × paper × ink. Over a stretch wider than a stroke the brightest grey is paper; the
closing (the maximum, then the minimum of that) follows soft shade and hard edges of shadows alike:

    ink = 1 − grey / closing(grey)
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

Floats: TypeAlias = npt.NDArray[np.float64]

SLANTS = np.linspace(-0.16, 0.16, 41)  # of ruled lines, pixels down for one across: ± 9°


class Sheet(NamedTuple):
    """Dark ink on light paper, each (H, W)."""

    grey: Floats  # without lines
    ink: Floats  # 0 to 1
    grain: Floats  # the deviation of `ink` where there is none


def is_light(grey: Floats, window: int) -> bool:
    """Whether what is written is lighter than what it is written on, as chalk is.

    Strokes are narrower than `window`, and differ from the median of their surroundings; the paper
    inside a loop does not. Most people write dark on light: a gleam between shadows must not be
    taken for chalk.
    """
    usual = _usual(grey)
    dark = np.maximum(np.minimum(closing(grey, window), usual) - grey, 0)
    light = np.maximum(grey + np.minimum(closing(-grey, window), -usual), 0)
    return bool((light**2).sum() > 6 * (dark**2).sum())


def _usual(grey: Floats) -> Floats:
    """The median of a quarter of the picture around each pixel, (H, W)."""
    from PIL import Image, ImageFilter

    small = Image.fromarray(grey.astype(np.uint8))
    size = small.size
    small.thumbnail((48, 48), Image.Resampling.BOX)
    small = small.filter(ImageFilter.MedianFilter(min(25, max(small.size) // 2 | 1)))
    return np.asarray(small.resize(size, Image.Resampling.BILINEAR)).astype(float)


def look_at(grey: Floats, window: int) -> Sheet:
    """Dark ink on light paper, from grey values (H, W), 0 to 255.

    `window` is in pixels, odd: wider than any stroke and narrower than any shadow.
    """
    paper = closing(grey, window)
    # the brightest of many grains is above the paper, by as much as most of the paper is below
    paper = np.maximum(paper - np.median(paper - grey), 1)
    through = without_lines(grey / paper)
    through = without_lines(through.T).T
    grain = max(1.4826 * np.median(np.abs(paper * (1 - through))), 1)  # grey values are whole
    through = np.minimum(through, 1)
    return Sheet(paper * through, 1 - through, grain / paper)


def closing(grey: Floats, window: int) -> Floats:
    """The minimum of the maxima over squares of `window` (odd) pixels, (H, W)."""
    beyond = np.pad(grey, window - 1, mode="edge")  # the edge is continued beyond the picture
    return running(running(beyond, window, np.maximum), window, np.minimum)


def running(values: Floats, window: int, function: Callable[..., Any]) -> Floats:
    """np.maximum or np.minimum over squares: (H, W) -> (H + 1 − window, W + 1 − window)."""
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
    """What ink lets through (H, W), with thin lines from left to right divided out.

    A line is dark in most places of a straight run across the page; ink on top of it lets less
    through than the line alone.
    """
    height, width = through.shape
    thin = max(3, height // 80)  # half of the thickest line
    if min(height, width) < 100:
        return through
    columns = np.arange(2, width, 5)
    best, level, slant = np.full((3, height), np.inf)
    for m in SLANTS:
        rows = np.arange(height)[:, None] + np.round(m * (columns - width / 2)).astype(int)
        inside = (rows >= 0) & (rows < height)  # (H, columns)
        along = np.where(inside, through[np.clip(rows, 0, height - 1), columns], np.inf)
        dark = _quantile(along, 0.6)
        mean = dark + np.where(inside, along, 0).sum(axis=1) / np.maximum(inside.sum(axis=1), 1)
        better = (mean < best) & (inside.mean(axis=1) > 0.4)
        best[better], level[better], slant[better] = mean[better], dark[better], m
    for y in np.flatnonzero(level < 0.97):
        if best[y] == best[max(0, y - thin) : y + thin + 1].min():
            through = _without_line(through, int(y), slant[y], thin)
    return through


def _without_line(through: Floats, y: int, slant: float, thin: int) -> Floats:
    """Without the line whose middle is in row y, halfway across the page."""
    height, width = through.shape
    columns = np.arange(width)
    middle = np.round(y + slant * (columns - width / 2)).astype(int)
    rows = middle + np.arange(-thin, thin + 1)[:, None]  # (2 thin + 1, W)
    inside = (rows >= 0) & (rows < height)
    rows = np.clip(rows, 0, height - 1)
    band = through[rows, columns]
    level = _quantile(np.where(inside, band, np.inf), 0.5)
    level[np.isinf(level)] = 1  # outside the page
    if min(level[0], level[-1]) < (1 + level.min()) / 2:
        return through  # as dark at its sides: a stroke
    level = np.minimum(level, np.minimum(np.roll(level, 1), np.roll(level, -1)))  # if a row off
    through = through.copy()
    through[rows[inside], np.broadcast_to(columns, rows.shape)[inside]] = np.minimum(
        1, band / level[:, None]
    )[inside]
    return through


def _quantile(values: Floats, share: float) -> Floats:
    """Of each row, of its values that are finite; infinite where there is none."""
    ordered = np.sort(values, axis=1)
    at = (np.isfinite(values).sum(axis=1) * share).astype(int)
    quantile: Floats = np.take_along_axis(ordered, at[:, None], axis=1)[:, 0]
    return quantile
