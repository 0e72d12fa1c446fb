"""Convolution: three passes, each a matrix product whose factors are looked up in the images.

A 1×1 convolution is a product on views of the images, and cuBLAS makes it; but CuPy does not let
cuBLAS work while a CUDA graph is captured, and `without_cublas` it goes the way of all others.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

import cupy

from minise.backend import Array
from minise.kernels.cupy.launch import contiguous, start
from minise.shapes import Pair, Window

POINT = Window((1, 1), (1, 1), (0, 0))  # of a 1×1 convolution

GIVEN = "{KH,KW,SH,SW,PH,PW,DH,DW}"  # the kernel's own arguments

PARTS = 1024  # blocks that the sum over all pixels is shared out to, about
PIXELS = 512  # the least that each of them sums over


def conv2d(x: Array, w: Array, b: Array | None, window: Window, groups: int, output: Pair) -> Array:
    """y (N, F, OH, OW)."""
    x, w = contiguous(x, w)
    (N, C, H, W), F = x.shape, w.shape[0]
    if window == POINT and groups == 1 and cublas():
        y = cupy.matmul(w.reshape(F, C), x.reshape(N, C, H * W)).reshape(N, F, H, W)
    else:
        y = cupy.empty((N, F, *output), x.dtype)
        sizes = _sizes(x, w, window, groups, output)
        _product("conv2d", window, F // groups, N * output[0] * output[1], groups, x, w, y, *sizes)
    if b is not None:
        y += b[:, None, None]
    return y


def conv2d_backward(
    dy: Array, x: Array, w: Array, window: Window, groups: int
) -> tuple[Array, Array]:
    """(dx, dw)."""
    dy, x, w = contiguous(dy, x, w)
    (N, C, H, W), F, (OH, OW) = x.shape, w.shape[0], dy.shape[2:]
    if window == POINT and groups == 1 and cublas():
        above, flat = dy.reshape(N, F, H * W), x.reshape(N, C, H * W)
        dx = cupy.matmul(w.reshape(F, C).T, above).reshape(x.shape)
        return dx, cupy.matmul(above, flat.swapaxes(1, 2)).sum(axis=0).reshape(w.shape)
    sizes = _sizes(x, w, window, groups, (OH, OW))
    dx = cupy.empty(x.shape, x.dtype)
    _product("conv2d_dx", window, C // groups, N * H * W, groups, dy, w, dx, *sizes)
    taps = w[0].size
    parts, pixels = _parts(N * OH * OW, F // groups, taps, groups)
    dw = cupy.empty((parts, *w.shape), x.dtype)
    blocks = groups * parts
    _product("conv2d_dw", window, F // groups, taps, blocks, dy, x, dw, *sizes, pixels)
    return dx, dw.sum(axis=0)


_cublas: ContextVar[bool] = ContextVar("minise_cublas", default=True)


def cublas() -> bool:
    """Whether matrix products are cuBLAS's."""
    return _cublas.get()


@contextmanager
def without_cublas() -> Iterator[None]:
    """Make every product with the kernels of this package."""
    token = _cublas.set(False)
    try:
        yield
    finally:
        _cublas.reset(token)


def _sizes(x: Array, w: Array, window: Window, groups: int, output: Pair) -> tuple[int, ...]:
    (N, C, H, W), F = x.shape, w.shape[0]
    of_window = (number for pair in window for number in pair)
    return N, groups, C // groups, H, W, F // groups, *output, *of_window


def _product(
    kernel: str, window: Window, rows: int, columns: int, layers: int, *arguments: object
) -> None:
    """Start `kernel` for a product of (rows, columns), `layers` times."""
    TM, TN, RM, RN = _tile(rows)
    numbers = "{" + ",".join(str(number) for pair in window for number in pair) + "}"
    start(
        "conv.cu", kernel, (-(-columns // TN), -(-rows // TM), layers), 256, *arguments,
        dtype=arguments[0].dtype,  # type: ignore[attr-defined]
        TM=TM, TN=TN, RM=RM, RN=RN, WINDOW=numbers if _is_common(window) else GIVEN,
    )  # fmt: skip


def _is_common(window: Window) -> bool:
    """One that nets have: such a window gets kernels of its own."""
    (KH, KW), (SH, SW), padding, dilation = window
    same = padding == (KH // 2, KW // 2) and dilation == (1, 1)
    return same and KH == KW and KH in (1, 3, 5, 7) and SH == SW and SH in (1, 2)


def _tile(rows: int) -> tuple[int, int, int, int]:
    """TM, TN and RM, RN of product.cuh: few rows are not to be padded to many."""
    if rows <= 16:
        return 16, 256, 4, 4
    if rows <= 32:
        return 32, 128, 4, 4
    return (64, 64, 4, 4) if rows <= 64 else (128, 128, 8, 8)


def _parts(pixels: int, rows: int, columns: int, groups: int) -> tuple[int, int]:
    """How many parts the sum over pixels is cut into, and how many pixels each has."""
    TM, TN, _, _ = _tile(rows)
    tiles = -(-rows // TM) * -(-columns // TN) * groups
    parts = max(1, min(PARTS // tiles, pixels // PIXELS))
    each = -(-pixels // parts)
    return (-(-pixels // each) if pixels else 1), each
