"""Convolution of a small batch, as one matrix product: every window becomes a column.

    columns[c, i, j, pixel] = the pixel of channel c that tap (i, j) meets, or 0 outside

    y = w · columns,   dw = dy · columnsᵀ,   dcolumns = wᵀ · dy

The columns hold KH·KW times as many numbers as the image, so that this pays for few images only.
"""

from __future__ import annotations

import numpy as np

from minise import shapes
from minise.backend import Array
from minise.kernels.numba.layout import batch_first, batch_last
from minise.shapes import Pair, Window


def conv2d_by_columns(
    x: Array, w: Array, b: Array | None, window: Window, groups: int, output: Pair
) -> Array:
    """y (N, F, OH, OW); see `ops.conv2d`."""
    columns = _columns(batch_last(x), window, groups, output)  # (G, C/G·KH·KW, OH·OW·N)
    F = w.shape[0]
    y = w.reshape(groups, F // groups, -1) @ columns  # (G, F/G, OH·OW·N)
    y = y.reshape(F, *output, len(x))
    if b is not None:
        y += b[:, None, None, None]
    return batch_first(y)


def conv2d_by_columns_backward(
    dy: Array, x: Array, w: Array, window: Window, groups: int
) -> tuple[Array, Array]:
    """(dx, dw); see `ops.conv2d_backward`."""
    F, (N, C, H, W), output = w.shape[0], x.shape, (dy.shape[2], dy.shape[3])
    columns = _columns(batch_last(x), window, groups, output)
    dy = batch_last(dy).reshape(groups, F // groups, -1)  # (G, F/G, OH·OW·N)
    dw = dy @ columns.swapaxes(1, 2)  # (G, F/G, C/G·KH·KW)
    dcolumns = w.reshape(groups, F // groups, -1).swapaxes(1, 2) @ dy
    dcolumns = dcolumns.reshape(C, *window.size, *output, N)
    widths = shapes.padding_for(x, window, output)
    (top, bottom), (left, right) = widths[2:]
    dx = np.zeros((C, H + top + bottom, W + left + right, N), x.dtype)
    for i in range(window.size[0]):
        for j in range(window.size[1]):
            dx[:, *shapes.tap(i, j, window, output)] += dcolumns[:, i, j]
    return batch_first(dx[:, top : top + H, left : left + W]), dw.reshape(w.shape)


def _columns(x: Array, window: Window, groups: int, output: Pair) -> Array:
    """(C, H, W, N) -> (G, C/G·KH·KW, OH·OW·N)."""
    C, _, _, N = x.shape
    if window.size == window.stride == (1, 1) and window.padding == (0, 0):
        return x.reshape(groups, C // groups, -1)
    widths = shapes.padding_for(batch_first(x), window, output)
    (top, bottom), (left, right) = widths[2:]
    H, W = x.shape[1:3]
    padded = np.zeros((C, H + top + bottom, W + left + right, N), x.dtype)
    padded[:, top : top + H, left : left + W] = x
    columns = np.empty((C, *window.size, *output, N), x.dtype)
    for i in range(window.size[0]):
        for j in range(window.size[1]):
            columns[:, i, j] = padded[:, *shapes.tap(i, j, window, output)]
    return columns.reshape(groups, C // groups * window.size[0] * window.size[1], -1)
