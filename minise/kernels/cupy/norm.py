"""Batch norm: sums over slabs of each channel, then over the slabs, then one pass that writes."""

from __future__ import annotations

from typing import Any, NamedTuple

import cupy

from minise.arrays import Array
from minise.kernels.cupy.launch import Maps, contiguous, each_pack, maps_of, start, threads_for

SLAB = 8192  # numbers that a block sums at least, if there are enough: they fit the nearest cache

Statistics = tuple[Array, Array]


def batch_norm(
    x: Array, w: Array, b: Array, statistics: Statistics | None, eps: float
) -> tuple[Array, Array, Array]:
    """(y, mean, var): those given, or the batch's."""
    return _forward(x, w, b, statistics, eps, relu=0)


def batch_norm_relu(
    x: Array, w: Array, b: Array, statistics: Statistics | None, eps: float
) -> tuple[Array, Array, Array]:
    """The same followed by relu."""
    return _forward(x, w, b, statistics, eps, relu=1)


def batch_norm_backward(
    dy: Array, x: Array, w: Array, mean: Array, var: Array, eps: float, from_batch: bool
) -> tuple[Array, Array, Array]:
    """(dx, dw, db)."""
    return _backward(dy, x, w, w, mean, var, eps, from_batch, relu=0)  # no b is needed


def batch_norm_relu_backward(
    dy: Array, b: Array, x: Array, w: Array, mean: Array, var: Array, eps: float, from_batch: bool
) -> tuple[Array, Array, Array]:
    """(dx, dw, db), with dy passed back through relu first."""
    return _backward(dy, x, w, b, mean, var, eps, from_batch, relu=1)


def _forward(
    x: Array, w: Array, b: Array, statistics: Statistics | None, eps: float, relu: int
) -> tuple[Array, Array, Array]:
    x, w, b = contiguous(x, w, b)
    y = cupy.empty(x.shape, x.dtype)
    mean, var = _moments(x) if statistics is None else contiguous(*statistics)
    arguments = (x, w, b, mean, var, y, eps, x.shape[1])
    each_pack("norm.cu", "normalise", maps_of(x, y), *arguments, RELU=relu, FROM_BATCH=0)
    return y, mean, var


def _moments(x: Array) -> tuple[Array, Array]:
    """Mean and variance of each channel, (C,) both."""
    mean, var = cupy.empty(x.shape[1], x.dtype), cupy.empty(x.shape[1], x.dtype)
    slabs = _Slabs.of(x)
    means, squares = slabs.start("slab_moments", x)
    N, packs = x.shape[0], slabs.maps.packs
    slabs.finish("channel_moments", means, squares, mean, var, N, packs, slabs.images)
    return mean, var


def _backward(
    dy: Array,
    x: Array,
    w: Array,
    b: Array,
    mean: Array,
    var: Array,
    eps: float,
    from_batch: bool,
    relu: int,
) -> tuple[Array, Array, Array]:
    dy, x, w, b, mean, var = contiguous(dy, x, w, b, mean, var)
    N, C, H, W = x.shape
    dx, dw, db = (cupy.empty(shape, x.dtype) for shape in (x.shape, C, C))
    slabs, given = _Slabs.of(dy, x), (dy, x, w, b, mean, var)
    of_slabs = slabs.start("slab_gradients", *given, eps, RELU=relu)
    slabs.finish("channel_gradients", *of_slabs, dw, db)
    arguments = (*given, dw, db, dx, eps, float(N * H * W), C)
    options = {"RELU": relu, "FROM_BATCH": int(from_batch)}
    each_pack("norm.cu", "batch_norm_dx", maps_of(dy, x, dx), *arguments, **options)
    return dx, dw, db


class _Slabs(NamedTuple):
    """How the images of each channel are divided among blocks: `images` to each slab."""

    N: int
    C: int
    maps: Maps
    images: int
    number: int  # of slabs

    @classmethod
    def of(cls, *arrays: Array) -> _Slabs:
        maps, (N, C, H, W) = maps_of(*arrays), arrays[0].shape
        images = min(max(1, SLAB // (H * W)), max(1, N))
        return cls(N, C, maps, images, -(-N // images))

    def start(self, kernel: str, *arguments: Any, RELU: int = 0) -> tuple[Array, Array]:
        """Two numbers of each slab, (C, slabs) both."""
        first, second = (cupy.empty((self.C, self.number), self.maps.dtype) for _ in range(2))
        packs = self.maps.packs
        start(
            "norm.cu", kernel, (self.C, self.number), threads_for(packs * self.images),
            *arguments, first, second, self.N, self.C, packs, self.images,
            dtype=self.maps.dtype, WIDTH=self.maps.width, RELU=RELU, FROM_BATCH=0,
        )  # fmt: skip
        return first, second

    def finish(self, kernel: str, *arguments: Any) -> None:
        """The results from them, with a block for each channel."""
        start(
            "norm.cu", kernel, (self.C,), threads_for(self.number), *arguments, self.number,
            dtype=self.maps.dtype, WIDTH=self.maps.width, RELU=0, FROM_BATCH=0,
        )  # fmt: skip
