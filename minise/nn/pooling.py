"""Pooling layers: over windows, and over whole maps, the squeeze of squeeze-and-excitation."""

from __future__ import annotations

from typing import Protocol

from minise import door, ops
from minise.arrays import Array
from minise.nn.layer import Backward, Layer
from minise.shapes import Pair

__all__ = [
    "AddingBackward",
    "AvgPool2d",
    "GlobalAvgMaxPool",
    "GlobalAvgPool",
    "GlobalMaxPool",
    "MaxPool2d",
]


class MaxPool2d(Layer):
    """The largest pixel of each window; see `ops.max_pool2d`."""

    def __init__(
        self,
        kernel_size: int | Pair,
        stride: int | Pair | None = None,
        padding: int | Pair = 0,
        *,
        ceil_mode: bool = False,
    ) -> None:
        self.window = door.pooling_window("MaxPool2d", kernel_size, stride, padding)
        self.ceil_mode = ceil_mode

    def forward(self, x: Array, training: bool = True) -> tuple[Array, Backward]:
        """(N, C, H, W) -> (N, C, OH, OW)."""
        size, stride, padding, _ = self.window
        y, saved = ops.max_pool2d(x, size, stride, padding, ceil_mode=self.ceil_mode)
        return y, lambda dy: ops.max_pool2d_backward(dy, saved)


class AvgPool2d(Layer):
    """The average of each window; see `ops.avg_pool2d`."""

    recordable = False  # each forward copies the windows' numbers of pixels to the GPU

    def __init__(
        self,
        kernel_size: int | Pair,
        stride: int | Pair | None = None,
        padding: int | Pair = 0,
        *,
        ceil_mode: bool = False,
        count_include_pad: bool = True,
    ) -> None:
        self.window = door.pooling_window("AvgPool2d", kernel_size, stride, padding)
        self.ceil_mode, self.count_include_pad = ceil_mode, count_include_pad

    def forward(self, x: Array, training: bool = True) -> tuple[Array, Backward]:
        """(N, C, H, W) -> (N, C, OH, OW)."""
        y, saved = ops.avg_pool2d(
            x,
            self.window.size,
            self.window.stride,
            self.window.padding,
            ceil_mode=self.ceil_mode,
            count_include_pad=self.count_include_pad,
        )
        return y, lambda dy: ops.avg_pool2d_backward(dy, saved)


class AddingBackward(Protocol):
    """A backward that adds its dx to `add_to`, the gradient of x along another path.

    `add_to` may be overwritten: use what is returned. With gates (N, C) in `scaled_by` it is added
    to their product with `add_to`, which stays as it is.
    """

    def __call__(
        self, dy: Array, /, *, add_to: Array | None = None, scaled_by: Array | None = None
    ) -> Array: ...


def adding(backward: Backward) -> AddingBackward:
    """The same backward, with a pass over memory to add its dx to `add_to`."""

    def adding_backward(
        dy: Array, /, *, add_to: Array | None = None, scaled_by: Array | None = None
    ) -> Array:
        dx = backward(dy)
        if add_to is None:
            return dx
        other = add_to if scaled_by is None else ops.channel_scale(add_to, scaled_by)[0]
        return ops.add(other, dx)[0]

    return adding_backward


class GlobalAvgPool(Layer):
    """The mean of each map, whatever its size."""

    squeezes, table_name = True, "AvgPool2d"

    def forward(
        self, x: Array, training: bool = True, mask: Array | None = None
    ) -> tuple[Array, AddingBackward]:
        """(N, C, H, W) -> (N, C); with a mask (N, H, W) of bools, over the pixels where it is true.

        Raises as `ops.masked_avg_pool` does.
        """
        if mask is not None:
            z, of_mask = ops.masked_avg_pool(x, mask)
            return z, lambda dz, /, **path: ops.masked_avg_pool_backward(dz, of_mask, **path)
        z, saved = ops.global_avg_pool(x)
        return z, lambda dz, /, **path: ops.global_avg_pool_backward(dz, saved, **path)


class GlobalMaxPool(Layer):
    """The largest pixel of each map, whatever its size."""

    squeezes, table_name = True, "MaxPool2d"

    def forward(self, x: Array, training: bool = True) -> tuple[Array, AddingBackward]:
        """(N, C, H, W) -> (N, C)."""
        z, saved = ops.global_max_pool(x)
        return z, lambda dz, /, **path: ops.global_max_pool_backward(dz, saved, **path)


class GlobalAvgMaxPool(Layer):
    """The mean of each map's mean and its largest pixel."""

    squeezes = True

    def forward(self, x: Array, training: bool = True) -> tuple[Array, AddingBackward]:
        """(N, C, H, W) -> (N, C)."""
        average, average_saved = ops.global_avg_pool(x)
        largest, largest_saved = ops.global_max_pool(x)

        def backward(dz: Array, /, **path: Array | None) -> Array:
            half = dz / 2
            dx = ops.global_max_pool_backward(half, largest_saved, **path)
            return ops.global_avg_pool_backward(half, average_saved, dx)

        return (average + largest) / 2, backward
