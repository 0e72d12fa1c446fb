"""A linear map of many rows: a 1×1 convolution of images of one pixel; and of one row."""

from __future__ import annotations

import numpy as np

from minise.arrays import Array
from minise.kernels.numba.conv import conv2d, conv2d_backward
from minise.kernels.numba.lanes import LANES, fill, load, sum_of
from minise.kernels.numba.layout import batch_first, batch_last
from minise.kernels.numba.memory import empty
from minise.kernels.numba.tasks import invite, tasks
from minise.kernels.numba.team import compiled_parallel
from minise.kernels.numba.watch import by_numpy
from minise.shapes import POINT

# Multiply-adds, and weights, up to which NumPy's BLAS uses one thread. It is quick there; beyond,
# its threads would compete with those of the kernels for the processor's cores: the next kernel
# then took 4 ms instead of 0.07. So a product is done in pieces, up to so many.
FEW_PRODUCTS, FEW_WEIGHTS = 2**17, 2**13
PIECES = 8
MANY = 2**14  # weights, a task of one row


def linear(x: Array, w: Array, b: Array | None) -> Array:
    """y (N, out) = x wᵀ + b; see `ops.linear`."""
    if len(x) == 1:
        b = empty((0,), w.dtype) if b is None else batch_last(b)
        w, y = np.require(w, requirements=["C", "W"]), empty((len(w), 1), x.dtype)
        _one_row(batch_last(x)[:, 0], w, b, y, _shares(w))
        return batch_first(y)
    if _few(x, w):
        return by_numpy(_rows, x, w, b)
    return conv2d(_pixels(x), _pixels(w), b, POINT, 1)[:, :, 0, 0]


def linear_backward(
    dy: Array, x: Array, w: Array, has_bias: bool
) -> tuple[Array, Array, Array | None]:
    """(dx, dw, db); see `ops.linear_backward`."""
    db = by_numpy(np.add.reduce, dy) if has_bias else None
    if _few(x, w):
        return *by_numpy(_rows_backward, dy, x, w), db
    dx, dw, _ = conv2d_backward(_pixels(dy), _pixels(x), _pixels(w), False, POINT, 1)
    return dx[:, :, 0, 0], dw[:, :, 0, 0], db


def _shares(w: Array) -> int:
    """Into how many parts the outputs of one row are divided."""
    return 1 + w.size // MANY


def _rows(x: Array, w: Array, b: Array | None) -> Array:
    y = _product(w, x.T).T
    return y if b is None else y + b


def _rows_backward(dy: Array, x: Array, w: Array) -> tuple[Array, Array]:
    return _product(w.T, dy.T).T, _product(dy.T, x)


def _product(a: Array, b: Array) -> Array:
    """a @ b, by rows of a or columns of b, whichever are more."""
    (M, K), N = a.shape, b.shape[1]
    product = np.empty((M, N), a.dtype)
    pieces = max(1, -(-M * N * K // FEW_PRODUCTS))
    for piece in range(pieces):
        if M >= N:
            rows = slice(piece * M // pieces, (piece + 1) * M // pieces)
            np.matmul(a[rows], b, out=product[rows])
        else:
            columns = slice(piece * N // pieces, (piece + 1) * N // pieces)
            np.matmul(a, b[:, columns], out=product[:, columns])
    return product


def _few(x: Array, w: Array) -> bool:
    return len(x) * w.size <= PIECES * FEW_PRODUCTS and w.size <= FEW_WEIGHTS


def _pixels(x: Array) -> Array:
    """(N, C) -> (N, C, 1, 1)."""
    return x[:, :, np.newaxis, np.newaxis]


@compiled_parallel
def _one_row(team: int, x: Array, w: Array, b: Array, y: Array, parts: int) -> None:
    """y (out, 1) for x (in,): the products of each output, LANES at a time, and what is left."""
    outputs, inputs = w.shape
    whole = inputs // LANES * LANES
    for part in tasks(invite(team), parts):
        for o in range(part * outputs // parts, (part + 1) * outputs // parts):
            row, s = w[o], fill(x.dtype.type(0))
            for i in range(0, whole, LANES):
                s = s + load(row, i) * load(x, i)
            total = sum_of(s) + (b[o] if b.size else x.dtype.type(0))
            for i in range(whole, inputs):
                total += row[i] * x[i]
            y[o, 0] = total
