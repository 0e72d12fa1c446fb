"""The three forms of a convolution, and which of them is used.

- by stretches (`conv`, `conv_weights`): lanes are images of a batch. The rule
- by columns (`columns`): lanes are pixels. For batches too small to fill a register
- by fewer multiplications (`winograd`): for large 3×3 convolutions
"""

from __future__ import annotations

import math

from minise.backend import Array
from minise.kernels.numba import winograd
from minise.kernels.numba.columns import gather, scatter
from minise.kernels.numba.conv import sum_of_stretches
from minise.kernels.numba.conv_weights import dots_of_stretches
from minise.kernels.numba.lanes import LANES
from minise.kernels.numba.layout import batch_first, batch_last
from minise.kernels.numba.memory import zeros
from minise.kernels.numba.taps import taps
from minise.shapes import Pair, Window

POINT = Window((1, 1), (1, 1), (0, 0))  # of a 1×1 convolution
ONE_PIXEL = taps(POINT, (1, 1), (1, 1), False)


def conv2d(x: Array, w: Array, b: Array | None, window: Window, groups: int, output: Pair) -> Array:
    """y (N, F, OH, OW); see `ops.conv2d`."""
    F, N, size = len(w), len(x), (x.shape[2], x.shape[3])
    x, by_group = batch_last(x), w.reshape(groups, F // groups, -1)  # (G, F/G, C/G·KH·KW)
    if winograd.suits(w, window, groups, N, output):
        y = winograd.conv3x3(x, w, b, window.padding, output)
    elif N >= LANES:
        y = sum_of_stretches(x, by_group, b, taps(window, size, output, False))
    else:
        columns = gather(x, window, output, at_least=LANES)[:, None, None, :]
        y = sum_of_stretches(columns, by_group, b, ONE_PIXEL)  # (F, 1, 1, pixels)
        y = y[:, 0, 0, : math.prod(output) * N].reshape(F, *output, N)  # without what filled lanes
    return batch_first(y)


def conv2d_backward(
    dy: Array, x: Array, w: Array, window: Window, groups: int
) -> tuple[Array, Array]:
    """(dx, dw); see `ops.conv2d_backward`."""
    N, size, output = len(x), (x.shape[2], x.shape[3]), (dy.shape[2], dy.shape[3])
    dy, x = batch_last(dy), batch_last(x)
    if N < LANES:
        return _backward_by_columns(dy, x, w, window, groups)
    if winograd.suits(w, window, groups, N, output):
        # the same convolution, seen from dy: weights turned round, and what padding leaves of 2
        turned = w.swapaxes(0, 1)[:, :, ::-1, ::-1]
        padding = (2 - window.padding[0], 2 - window.padding[1])
        dx = winograd.conv3x3(dy, turned, None, padding, size)
    else:
        F, C = w.shape[:2]
        transposed = w.reshape(groups, F // groups, C, -1).swapaxes(1, 2)
        by_channel = transposed.reshape(groups, C, -1)  # (G, C/G, F/G·KH·KW)
        dx = sum_of_stretches(dy, by_channel, None, taps(window, output, size, True))
    return batch_first(dx), dots_of_stretches(dy, x, w.shape, window)


def _backward_by_columns(
    dy: Array, x: Array, w: Array, window: Window, groups: int
) -> tuple[Array, Array]:
    """(dx, dw) for dy (F, OH, OW, N) and x (C, H, W, N)."""
    F, output = len(dy), (dy.shape[1], dy.shape[2])
    columns = gather(x, window, output, at_least=LANES)[:, None, None, :]
    filled = zeros((F, columns.shape[3]), dy.dtype)
    filled[:, : dy[0].size] = dy.reshape(F, -1)
    dy = filled[:, None, None, :]
    by_tap = w.reshape(groups, F // groups, -1).swapaxes(1, 2)  # (G, C/G·KH·KW, F/G)
    dcolumns = sum_of_stretches(dy, by_tap, None, ONE_PIXEL)
    dx = scatter(dcolumns.reshape(len(columns), -1), window, output, x.shape)
    dw = dots_of_stretches(dy, columns, (F, by_tap.shape[1], 1, 1), POINT)
    return batch_first(dx), dw.reshape(w.shape)
