"""The five forms of a convolution, and which of them is used.

- by stretches (`stretches`, `conv_weights`): lanes run along a row, over columns and images. The
  usual form
- by channels (`depthwise`): stretches again, where each filter sees one channel, its own
- by planes (`planes`): lanes are pixels. For batches too small to fill a register
- by points (`pointwise`): 1×1 and stride 1, a single product of matrices. Only for y and dx
- by fewer multiplications (`winograd`): 3×3, stride 1, from 16 channels and filters on. Lanes are
  images. Only for y and dx
"""

from __future__ import annotations

from minise.arrays import Array
from minise.kernels.numba import depthwise, planes, pointwise, winograd
from minise.kernels.numba.conv_weights import dots_of_stretches, meetings, sums_of_maps
from minise.kernels.numba.lanes import LANES
from minise.kernels.numba.layout import batch_first, batch_last
from minise.kernels.numba.stretches import sum_of_stretches
from minise.kernels.numba.taps import taps
from minise.shapes import Window, output_sizes


def conv2d(x: Array, w: Array, b: Array | None, window: Window, groups: int) -> Array:
    """y (N, F, OH, OW); see `ops.conv2d`."""
    N, size, output = len(x), (x.shape[2], x.shape[3]), output_sizes(x, window)
    x = batch_last(x)
    if pointwise.suits(x, w, window, groups):
        y = pointwise.conv1x1(x, w, b)
    elif N < LANES and depthwise.suits(w, groups):
        y = planes.depthwise(x, w, b, window, output)
    elif N < LANES:
        y = planes.conv2d(x, w, b, groups, window, output)
    elif depthwise.suits(w, groups):
        y = depthwise.conv2d(x, w, b, window, output)
    elif winograd.suits(w, window, groups, output):
        y = winograd.conv3x3(x, w, b, window.padding, output)
    else:
        y = sum_of_stretches(x, w, b, groups, taps(window, size, output, False))
    return batch_first(y)


def conv2d_backward(
    dy: Array, x: Array, w: Array, has_bias: bool, window: Window, groups: int
) -> tuple[Array, Array, Array | None]:
    """(dx, dw, db); see `ops.conv2d_backward`."""
    N, size, output = len(x), (x.shape[2], x.shape[3]), (dy.shape[2], dy.shape[3])
    dy, x = batch_last(dy), batch_last(x)
    db = sums_of_maps(dy) if has_bias else None
    if N < LANES:
        dx, dw = planes.conv2d_backward(dy, x, w, groups, window)
        return batch_first(dx), dw, db
    if depthwise.suits(w, groups):
        dx, dw = depthwise.conv2d_backward(dy, x, w, window)
        return batch_first(dx), dw, db
    if pointwise.suits(dy, w, window, groups):
        dx = pointwise.conv1x1(dy, w, None, transposed=True)
    elif winograd.suits(w, window, groups, size):
        # KH − 1 zeros around dy, less the p that would be cut off dx again
        padding = (2 - window.padding[0], 2 - window.padding[1])
        dx = winograd.conv3x3(dy, w, None, padding, size, transposed=True)
    else:
        table = taps(window, output, size, True)
        dx = sum_of_stretches(dy, w, None, groups, table, transposed=True)
    dw = dots_of_stretches(dy, x, w.shape, meetings(window, size, output))
    return batch_first(dx), dw, db
