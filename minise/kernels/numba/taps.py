"""Which source rows and columns a window meets, worked out once per shape, in plain Python.

Forward, output o meets tap k at source o·stride − padding + k·dilation. The gradient of the input
asks the other way round: source i of the forward was met by tap k of the output at
(i + padding − k·dilation) / stride, where that is a whole number. Both are the same kind of table,
so one kernel serves both. What lies outside the image is in no table: nothing is ever padded.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from minise.shapes import Window

Integers: TypeAlias = npt.NDArray[np.intp]
Met: TypeAlias = tuple[tuple[int, int], ...]  # the taps of one place, each with its source


class Rows(NamedTuple):
    """Row r meets taps `tap[first[r]:first[r + 1]]`, at the source rows `source[…]`."""

    first: Integers
    tap: Integers
    source: Integers


class Runs(NamedTuple):
    """Columns grouped into runs that meet the same taps, each a step further in the source.

    Column k of run r is `start[r] + k·step[r]`; there, tap `tap[t]` meets the source column
    `source[t] + k·source_step[r]`, for t from first[r] to first[r + 1].
    """

    start: Integers
    step: Integers
    source_step: Integers
    pieces: Integers
    first: Integers
    tap: Integers
    source: Integers


@functools.lru_cache(maxsize=1024)
def rows_and_runs(
    window: Window, source: tuple[int, int], target: tuple[int, int], transposed: bool
) -> tuple[Rows, Runs]:
    """The tables for images of size `source` (H, W) and a result of size `target`.

    `transposed` asks for the gradient of the input: then dy is the source and dx the target.
    """
    down, across = (
        [_met(place, window, axis, source[axis], transposed) for place in range(target[axis])]
        for axis in (0, 1)
    )
    return Rows(*_table(down)), _runs(across)


def _met(place: int, window: Window, axis: int, size: int, transposed: bool) -> Met:
    """The taps that meet the source at this place, each with where it meets it."""
    kernel, stride, padding, dilation = (field[axis] for field in window)
    met = []
    for k in range(kernel):
        if transposed:
            at, rest = divmod(place + padding - k * dilation, stride)
        else:
            at, rest = place * stride - padding + k * dilation, 0
        if rest == 0 and 0 <= at < size:
            met.append((k, at))
    return tuple(met)


def _runs(columns: Sequence[Met]) -> Runs:
    """Group the columns greedily: by their taps, as long as the steps stay the same."""
    open_runs: dict[Met, list[int]] = {}  # by the taps, and their sources relative to the first
    runs: list[list[int]] = []
    for column, met in enumerate(columns):
        kind = tuple((k, at - met[0][1]) for k, at in met)
        run = open_runs.get(kind)
        # a third column has to be as far from the second as that was from the first
        if run is None or (len(run) > 1 and not _continues(columns, run, column)):
            run = open_runs[kind] = []
            runs.append(run)
        run.append(column)
    first, tap, source = _table([columns[run[0]] for run in runs])
    return Runs(
        _integers(run[0] for run in runs),
        _integers(run[1] - run[0] if len(run) > 1 else 1 for run in runs),
        _integers(
            _source(columns, run[1]) - _source(columns, run[0]) if len(run) > 1 else 1
            for run in runs
        ),
        _integers(len(run) for run in runs),
        first,
        tap,
        source,
    )


def _continues(columns: Sequence[Met], run: list[int], column: int) -> bool:
    a, b, last = run[0], run[1], run[-1]
    same_step = column - last == b - a
    moved = _source(columns, column) - _source(columns, last)
    return same_step and moved == _source(columns, b) - _source(columns, a)


def _source(columns: Sequence[Met], column: int) -> int:
    return columns[column][0][1] if columns[column] else 0


def _table(places: Sequence[Met]) -> tuple[Integers, Integers, Integers]:
    counts = [len(met) for met in places]
    return (
        _integers(np.cumsum([0, *counts])),
        _integers(k for met in places for k, _ in met),
        _integers(at for met in places for _, at in met),
    )


def _integers(values: object) -> Integers:
    return np.fromiter(values, np.intp)  # type: ignore[call-overload, no-any-return]
