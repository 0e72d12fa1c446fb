"""Which source rows and columns a window meets, computed once per shape, in plain Python.

Forward, output o meets tap k at source o·stride − padding + k·dilation. The gradient of the input
asks the other way round: source i of the forward was met by tap k of the output at
(i + padding − k·dilation) / stride, where that is a whole number. Both are the same kind of table,
so one kernel serves for both. What lies outside the image is in no table, so `stretches` needs no
padding.
"""

from __future__ import annotations

import functools
from typing import NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from minise.shapes import Pair, Window

Integers: TypeAlias = npt.NDArray[np.intp]

NONE = -1  # where a tap meets nothing


class Taps(NamedTuple):
    """Where each tap of the window meets the source, for each row and each run of columns.

    A run is a series of columns that meet the same taps, each a step further in the source.
    """

    source: Integers  # (rows, runs, KH·KW): the pixel h·W + w that the run's first column meets
    runs: Integers  # (runs, 4): first column, its step, the step in the source, how many columns


class Listed(NamedTuple):
    """The same for N images, batch last: the taps that meet something, one after the other."""

    at: Integers  # (rows, runs, terms): how far from the first number each one's stretch begins
    tap: Integers  # the same shape: which tap it is; KH·KW, none, from the last to the end
    terms: Integers  # (rows, runs): how many meet something
    runs: Integers  # as above


@functools.lru_cache(maxsize=1024)
def listed(
    window: Window, source: Pair, target: Pair, transposed: bool, N: int, multiple: int
) -> Listed:
    """The table of `taps` so. Lists have room for a multiple of so many terms."""
    pixel, runs = taps(window, source, target, transposed)
    nothing, none = pixel == NONE, pixel.shape[2]
    shape = (*pixel.shape[:2], -(-none // multiple) * multiple)
    at, tap = np.zeros(shape, np.intp), np.full(shape, none, np.intp)
    order = np.argsort(nothing, axis=2, kind="stable")
    at[..., :none] = np.maximum(0, np.take_along_axis(pixel, order, 2) * N)
    tap[..., :none] = np.where(np.take_along_axis(nothing, order, 2), none, order)
    return Listed(at, tap, none - nothing.sum(axis=2, dtype=np.intp), runs)


@functools.lru_cache(maxsize=1024)
def taps(window: Window, source: Pair, target: Pair, transposed: bool) -> Taps:
    """The table for images of size `source` (H, W) and a result of size `target`.

    `transposed` asks for the gradient of the input: then dy is the source and dx the target.
    """
    rows, columns = (_met(window, axis, source[axis], target[axis], transposed) for axis in (0, 1))
    runs = _runs(columns)
    down, across = rows[:, None, :, None], columns[runs[:, 0]][None, :, None, :]
    pixel = np.where((down != NONE) & (across != NONE), down * source[1] + across, NONE)
    return Taps(pixel.reshape(len(rows), len(runs), -1), runs)


def _met(window: Window, axis: int, source: int, target: int, transposed: bool) -> Integers:
    """(target, kernel): where each place meets each tap in the source, or NONE."""
    kernel, stride, padding, dilation = (field[axis] for field in window)
    place, tap = np.arange(target)[:, None], np.arange(kernel) * dilation
    if not transposed:
        at = place * stride - padding + tap
        return np.where((at >= 0) & (at < source), at, NONE)
    at, rest = np.divmod(place + padding - tap, stride)
    return np.where((rest == 0) & (at >= 0) & (at < source), at, NONE)


def _runs(columns: Integers) -> Integers:
    """Group the columns (columns, KW) greedily, as long as they are evenly spaced.

    Where they meet the source is then evenly spaced too.
    """
    open_runs: dict[tuple[int, ...], int] = {}  # by the taps, relative to the first of them
    runs: list[list[int]] = []
    for column, met in enumerate(columns):
        inside = met != NONE
        begins = int(met[inside][0]) if inside.any() else 0
        kind = tuple(np.where(inside, met - begins, NONE).tolist() + inside.tolist())
        number = open_runs.get(kind)
        if number is not None:
            first, step, _, count = runs[number]
            moved = begins - _begins(columns[first])
            if count == 1:
                runs[number] = [first, column - first, moved, 2]
                continue
            if column - first == step * count:
                runs[number][3] += 1
                continue
        open_runs[kind] = len(runs)
        runs.append([column, 1, 1, 1])
    return np.array(runs, np.intp)


def _begins(met: Integers) -> int:
    inside = met[met != NONE]
    return int(inside[0]) if inside.size else 0
