"""Arithmetic on shapes: how windows slide over images."""

from __future__ import annotations

import functools
from typing import NamedTuple

from minise.arrays import Array

Pair = tuple[int, int]
Sizes = tuple[int, ...]


class Window(NamedTuple):
    """How a window of KH × KW taps slides over an image; each field is (vertical, horizontal)."""

    size: Pair
    stride: Pair
    padding: Pair
    dilation: Pair = (1, 1)


POINT = Window((1, 1), (1, 1), (0, 0))  # of a 1×1 convolution


@functools.lru_cache(maxsize=1024)
def output_size(size: int, window: Window, axis: int, ceil_mode: bool = False) -> int:
    """The number of places of a window along one axis, axis 0 vertical, 1 horizontal.

    floor((size + 2·padding − dilation·(kernel − 1) − 1) / stride) + 1, or with the ceiling, where
    a last window must still begin inside the image or its left padding (as in PyTorch).
    """
    kernel, stride, padding, dilation = (field[axis] for field in window)
    room = size + 2 * padding - dilation * (kernel - 1) - 1
    if room < 0:
        return 0
    if not ceil_mode:
        return room // stride + 1
    count = -(-room // stride) + 1
    return count - 1 if (count - 1) * stride >= size + padding else count


def output_sizes(x: Array, window: Window, *, ceil_mode: bool = False) -> Pair:
    """(OH, OW), for images x (N, C, H, W)."""
    H, W = x.shape[2:]
    return (
        output_size(H, window, 0, ceil_mode),
        output_size(W, window, 1, ceil_mode),
    )


def tap(i: int, j: int, window: Window, output: Pair) -> tuple[slice, slice]:
    """Where tap (i, j) of the window lies in a padded image, for every output pixel at once."""
    rows, columns = (
        slice(start := k * dilation, start + (count - 1) * stride + 1, stride)
        for k, count, stride, dilation in zip(
            (i, j), output, window.stride, window.dilation, strict=True
        )
    )
    return rows, columns


def padding_for(x: Array, window: Window, output: Pair) -> list[Pair]:
    """What `numpy.pad` has to add to (N, C, H, W) so that every tap of every window is inside.

    With `ceil_mode` the last window can reach beyond the padding: then there is more at the end.
    """
    widths = [(0, 0), (0, 0)]
    for axis, size in enumerate(x.shape[2:]):
        kernel, stride, padding, dilation = (field[axis] for field in window)
        reach = (output[axis] - 1) * stride + dilation * (kernel - 1) + 1
        widths.append((padding, max(padding, reach - padding - size)))
    return widths


def window_counts(size: int, window: Window, axis: int, count: int, include_pad: bool) -> list[int]:
    """How many pixels each of `count` windows averages over, along one axis.

    With `include_pad` the padding counts as pixels; what lies beyond it never does.
    """
    kernel, stride, padding, _ = (field[axis] for field in window)
    low, high = (-padding, size + padding) if include_pad else (0, size)
    starts = [o * stride - padding for o in range(count)]
    return [min(start + kernel, high) - max(start, low) for start in starts]
