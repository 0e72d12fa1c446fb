"""A convolution followed by batch norm and relu, the unit that most nets are built of."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from minise.nn.layer import Sequential
from minise.nn.layers import BatchNormReLU2d, Conv2d

__all__ = ["conv_norm_relu"]


def conv_norm_relu(
    in_channels: int,
    out_channels: int,
    kernel_size: int,
    stride: int = 1,
    *,
    groups: int = 1,
    rng: np.random.Generator | None = None,
    dtype: npt.DTypeLike = np.float32,
) -> Sequential:
    """relu(norm(w ⋆ x)), its layers `conv` and `bn`: (N, in, H, W) -> (N, out, ⌈H/stride⌉, …).

    The kernel size is odd, and half of it is padded. There is no bias: batch norm would subtract
    it again.
    """
    conv = Conv2d(
        in_channels, out_channels, kernel_size, stride, padding=kernel_size // 2, groups=groups,
        bias=False, rng=rng, dtype=dtype,
    )  # fmt: skip
    return Sequential(conv=conv, bn=BatchNormReLU2d(out_channels, dtype=dtype))
