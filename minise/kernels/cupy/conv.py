"""Convolution: three passes, each a matrix product whose factors are looked up in the images.

A 1×1 convolution is a product on views of the images, and cuBLAS makes it; but CuPy does not let
cuBLAS work while a CUDA graph is captured, and `without_cublas` it is computed like all others. The
gradient of its weights always does, since CuPy would first copy the images to transpose them.
"""

from __future__ import annotations

from typing import NamedTuple

import cupy

from minise.arrays import Array
from minise.kernels.cupy.cublas import cublas
from minise.kernels.cupy.launch import contiguous, start
from minise.shapes import POINT, Pair, Window, output_sizes

GIVEN = "{KH,KW,SH,SW,PH,PW,DH,DW}"  # the kernel's own arguments

THREADS = 128  # of a block, as in product.cuh
ENOUGH = 512  # blocks that keep a large GPU busy, about
PIXELS = 512  # the least in each part of the sum over all pixels


class Tile(NamedTuple):
    """How much of a product a block makes: TM and TN of product.cuh."""

    rows: int
    columns: int

    def blocks(self, rows: int, columns: int) -> Pair:
        """How many tiles cover (rows, columns), down and across."""
        return -(-rows // self.rows), -(-columns // self.columns)


def conv2d(x: Array, w: Array, b: Array | None, window: Window, groups: int) -> Array:
    """y (N, F, OH, OW); see `ops.conv2d`."""
    x, w = contiguous(x, w)
    (N, C, H, W), F, output = x.shape, w.shape[0], output_sizes(x, window)
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
    dy: Array, x: Array, w: Array, has_bias: bool, window: Window, groups: int
) -> tuple[Array, Array, Array | None]:
    """(dx, dw, db); see `ops.conv2d_backward`."""
    db = dy.sum(axis=(0, 2, 3)) if has_bias else None
    dy, x, w = contiguous(dy, x, w)
    (N, C, H, W), F = x.shape, w.shape[0]
    sizes = _sizes(x, w, window, groups, dy.shape[2:])
    if window == POINT and groups == 1 and cublas():
        dx = cupy.matmul(w.reshape(F, C).T, dy.reshape(N, F, H * W)).reshape(x.shape)
    else:
        dx = cupy.empty(x.shape, x.dtype)
        _product("conv2d_dx", window, C // groups, N * H * W, groups, dy, w, dx, *sizes)
    return dx, _dw(dy, x, w, window, groups, sizes), db


def _dw(
    dy: Array, x: Array, w: Array, window: Window, groups: int, sizes: tuple[int, ...]
) -> Array:
    """Computed in as many parts as keep the GPU busy, and then summed."""
    filters, taps, pixels = len(w) // groups, w[0].size, dy[:, 0].size
    tile = Tile(_rows_for(filters), 64)  # more columns would not fit into the registers
    down, across = tile.blocks(filters, taps)
    parts = max(1, min(2 * ENOUGH // (down * across * groups), pixels // PIXELS))
    each = -(-pixels // parts)
    parts = -(-pixels // each) if pixels else 1  # those that have any
    dw = cupy.empty((parts, *w.shape), x.dtype)
    layers = groups * parts
    _start("conv2d_dw", window, tile, filters, taps, layers, dy, x, dw, *sizes, each)
    return dw.sum(axis=0)


def _sizes(x: Array, w: Array, window: Window, groups: int, output: Pair) -> tuple[int, ...]:
    (N, C, H, W), F = x.shape, w.shape[0]
    of_window = (number for pair in window for number in pair)
    return N, groups, C // groups, H, W, F // groups, *output, *of_window


def _product(
    kernel: str, window: Window, rows: int, columns: int, layers: int, *arguments: object
) -> None:
    """Start `kernel` for a product of (rows, columns), `layers` times."""
    tile = _tile_for(rows, columns, layers)
    _start(kernel, window, tile, rows, columns, layers, *arguments)


def _tile_for(rows: int, columns: int, layers: int) -> Tile:
    """The largest tile, or a smaller one where that would not keep the GPU busy."""
    TM = _rows_for(rows)
    for tile in (Tile(TM, 128), Tile(TM, 64)):
        down, across = tile.blocks(rows, columns)
        if down * across * layers >= ENOUGH:
            return tile
    return Tile(max(8, TM // 2), 64)


def _rows_for(rows: int) -> int:
    """As few rows as a tile can have, so that a few are not padded to many."""
    return next((TM for TM in (8, 16, 32) if rows <= TM), 64)


def _start(
    kernel: str,
    window: Window,
    tile: Tile,
    rows: int,
    columns: int,
    layers: int,
    *arguments: object,
) -> None:
    numbers = "{" + ",".join(str(number) for pair in window for number in pair) + "}"
    down, across = tile.blocks(rows, columns)
    start(
        "conv.cu", kernel, (across, down, layers), THREADS, *arguments,
        dtype=arguments[0].dtype,  # type: ignore[attr-defined]
        TM=tile.rows, TN=tile.columns, WINDOW=numbers if _is_common(window) else GIVEN,
    )  # fmt: skip


def _is_common(window: Window) -> bool:
    """Whether nets use it: such a window gets kernels of its own."""
    (KH, KW), (SH, SW), padding, dilation = window
    same = padding == (KH // 2, KW // 2) and dilation == (1, 1)
    return same and KH == KW and KH in (1, 3, 5, 7) and SH == SW and SH in (1, 2)
