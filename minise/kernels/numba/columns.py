"""Convolution of a batch too small for lanes of images: every window becomes a column.

    columns[(c, i, j), pixel] = the number of channel c that tap (i, j) meets, or 0 outside

Then each pixel of y is a product of the weights with its column: a 1×1 convolution of "images" of
one pixel, with as many of them as y has pixels. So lanes are pixels here. The columns hold KH·KW
times as many numbers as x, which pays for few images only.
"""

from __future__ import annotations

from numba import prange

from minise.backend import Array
from minise.kernels.numba.compile import compiled_parallel
from minise.kernels.numba.memory import zeros
from minise.shapes import Pair, Window


def gather(x: Array, window: Window, output: Pair, at_least: int) -> Array:
    """(C, H, W, N) -> columns (C·KH·KW, OH·OW·N), filled up with zeros to `at_least` pixels."""
    C, N, (KH, KW) = x.shape[0], x.shape[3], window.size
    columns = zeros((C * KH * KW, max(output[0] * output[1] * N, at_least)), x.dtype)
    _move(x, columns, *window, output, True)
    return columns


def scatter(columns: Array, window: Window, output: Pair, shape: tuple[int, ...]) -> Array:
    """The reverse: each column is added to its window, in zeros of the shape (C, H, W, N)."""
    x = zeros(shape, columns.dtype)
    _move(x, columns, *window, output, False)
    return x


@compiled_parallel
def _move(
    x: Array,
    columns: Array,
    size: Pair,
    stride: Pair,
    padding: Pair,
    dilation: Pair,
    output: Pair,
    to_columns: bool,
) -> None:
    C, H, W, N = x.shape
    KH, KW = size
    for c in prange(C):
        for tap in range(KH * KW):
            i, j = tap // KW, tap % KW
            column = columns[c * KH * KW + tap]
            left = j * dilation[1] - padding[1]  # where output column 0 looks
            low = max(0, -(left // stride[1]))  # rounded up
            high = min(output[1], (W - 1 - left) // stride[1] + 1)
            if high <= low:
                continue
            # neighbours on both sides make one long piece
            pieces, length = (1, (high - low) * N) if stride[1] == 1 else (high - low, N)
            for oh in range(output[0]):
                h = oh * stride[0] - padding[0] + i * dilation[0]
                if h < 0 or h >= H:
                    continue
                row = x[c, h].reshape(-1)
                for piece in range(pieces):
                    begin = (left + (low + piece) * stride[1]) * N
                    to = (oh * output[1] + low + piece) * N
                    there, here = row[begin : begin + length], column[to : to + length]
                    if to_columns:
                        for k in range(length):
                            here[k] = there[k]
                    else:
                        for k in range(length):
                            there[k] += here[k]
