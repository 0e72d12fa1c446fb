"""MobileNetV3: inverted residuals, some with SE, and hard swish where images are small.

Howard et al., arXiv 1905.02244, tables 1 and 2; as torchvision builds them.
"""

from __future__ import annotations

from functools import partial
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from minise import nn


class Block(NamedTuple):
    """One `nn.InvertedResidual`: its kernel, channels inside and out, and stride."""

    kernel_size: int
    width: int
    filters: int
    has_se: bool
    activation: str
    stride: int


class Widths(NamedTuple):
    """Channels of the first convolution, and of the last one and the linear map behind it."""

    stem: int
    stem_stride: int
    blocks: tuple[Block, ...]
    head: int
    hidden: int
    dropout: float


LARGE = Widths(
    16,
    2,
    (
        Block(3, 16, 16, False, "relu", 1),
        Block(3, 64, 24, False, "relu", 2),
        Block(3, 72, 24, False, "relu", 1),
        Block(5, 72, 40, True, "relu", 2),
        Block(5, 120, 40, True, "relu", 1),
        Block(5, 120, 40, True, "relu", 1),
        Block(3, 240, 80, False, "hard_swish", 2),
        Block(3, 200, 80, False, "hard_swish", 1),
        Block(3, 184, 80, False, "hard_swish", 1),
        Block(3, 184, 80, False, "hard_swish", 1),
        Block(3, 480, 112, True, "hard_swish", 1),
        Block(3, 672, 112, True, "hard_swish", 1),
        Block(5, 672, 160, True, "hard_swish", 2),
        Block(5, 960, 160, True, "hard_swish", 1),
        Block(5, 960, 160, True, "hard_swish", 1),
    ),
    head=960,
    hidden=1280,
    dropout=0.2,
)
SMALL = Widths(
    16,
    2,
    (
        Block(3, 16, 16, True, "relu", 2),
        Block(3, 72, 24, False, "relu", 2),
        Block(3, 88, 24, False, "relu", 1),
        Block(5, 96, 40, True, "hard_swish", 2),
        Block(5, 240, 40, True, "hard_swish", 1),
        Block(5, 240, 40, True, "hard_swish", 1),
        Block(5, 120, 48, True, "hard_swish", 1),
        Block(5, 144, 48, True, "hard_swish", 1),
        Block(5, 288, 96, True, "hard_swish", 2),
        Block(5, 576, 96, True, "hard_swish", 1),
        Block(5, 576, 96, True, "hard_swish", 1),
    ),
    head=576,
    hidden=1024,
    dropout=0.2,
)
TINY = Widths(
    16,
    2,
    (
        Block(3, 16, 16, True, "relu", 1),
        Block(3, 64, 24, False, "relu", 1),
        Block(5, 72, 32, True, "hard_swish", 2),
        Block(5, 96, 32, True, "hard_swish", 1),
    ),
    head=96,
    hidden=128,
    dropout=0,
)


def mobilenetv3(
    widths: Widths,
    *,
    se: nn.MakeSE | None,
    num_classes: int,
    in_channels: int,
    rng: np.random.Generator,
    dtype: npt.DTypeLike,
    norm_eps: float = 0.001,
    norm_momentum: float = 0.01,
) -> nn.Sequential:
    """For images of any size. `norm_eps` and `norm_momentum` are those of all batch norms."""
    unit = partial(
        nn.conv_norm_act, activation="hard_swish", eps=norm_eps, momentum=norm_momentum,
        rng=rng, dtype=dtype,
    )  # fmt: skip
    channels = widths.stem
    layers: dict[str, nn.Layer] = {"stem": unit(in_channels, channels, 3, widths.stem_stride)}
    for k, block in enumerate(widths.blocks, start=1):
        layers[f"block{k}"] = nn.InvertedResidual(
            channels, block.filters, block.stride, width=block.width,
            kernel_size=block.kernel_size, activation=block.activation,
            se=se if block.has_se else None, eps=norm_eps, momentum=norm_momentum,
            rng=rng, dtype=dtype,
        )  # fmt: skip
        channels = block.filters
    layers["head"] = unit(channels, widths.head, 1)
    layers["pool"] = nn.GlobalAvgPool()
    layers["fc1"] = nn.Linear(widths.head, widths.hidden, rng=rng, dtype=dtype)
    layers["act"] = nn.HardSwish()
    if widths.dropout:
        layers["dropout"] = nn.Dropout(widths.dropout, rng=rng)
    layers["fc2"] = nn.Linear(widths.hidden, num_classes, rng=rng, dtype=dtype)
    return nn.Sequential(**layers)
