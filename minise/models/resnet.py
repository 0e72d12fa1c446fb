"""`resnet8` and `se-resnet8`: a convolution and three residual blocks, for images of any size."""

from __future__ import annotations

from functools import partial

import numpy as np
import numpy.typing as npt

from minise import nn


def resnet8(
    *,
    se: bool,
    num_classes: int,
    in_channels: int,
    rng: np.random.Generator,
    dtype: npt.DTypeLike,
) -> nn.Sequential:
    """With `se`, one channel and ten classes: 80,582 parameters."""

    def block(channels: int, filters: int, stride: int) -> nn.Layer:
        block = partial(nn.SEBlock, reduction=4, rng=rng, dtype=dtype) if se else None
        return nn.Residual(channels, filters, stride, se=block, rng=rng, dtype=dtype)

    return nn.Sequential(
        conv=nn.Conv2d(in_channels, 16, 3, padding=1, bias=False, rng=rng, dtype=dtype),
        bn=nn.BatchNormReLU2d(16, dtype=dtype),
        block1=block(16, 16, 1),  # (N, 16, 28, 28)
        block2=block(16, 32, 2),  # (N, 32, 14, 14)
        block3=block(32, 64, 2),  # (N, 64, 7, 7)
        pool=nn.GlobalAvgPool(),  # (N, 64)
        fc=nn.Linear(64, num_classes, rng=rng, dtype=dtype),
    )
