"""EfficientNet: inverted residuals with swish, SE in each of them.

Tan & Le, arXiv 1905.11946, table 1. The hidden width of SE comes from the channels of its block's
input, not from the wider maps that it weighs.
"""

from __future__ import annotations

from functools import partial
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from minise import nn


class Stage(NamedTuple):
    """Blocks of one kind; the first has the stride. Inside they are `expansion` times as wide."""

    expansion: int
    kernel_size: int
    stride: int
    filters: int
    blocks: int


class Widths(NamedTuple):
    """Channels of the first convolution and of the last; `drop_path` grows to it from block 1."""

    stem: int
    stem_stride: int
    stages: tuple[Stage, ...]
    head: int
    dropout: float
    drop_path: float


B0 = Widths(
    32,
    2,
    (
        Stage(1, 3, 1, 16, 1),
        Stage(6, 3, 2, 24, 2),
        Stage(6, 5, 2, 40, 2),
        Stage(6, 3, 2, 80, 3),
        Stage(6, 5, 1, 112, 3),
        Stage(6, 5, 2, 192, 4),
        Stage(6, 3, 1, 320, 1),
    ),
    head=1280,
    dropout=0.2,
    drop_path=0.2,
)
TINY = Widths(
    16,
    2,
    (
        Stage(1, 3, 1, 16, 1),
        Stage(4, 3, 1, 24, 1),
        Stage(4, 5, 2, 32, 2),
    ),
    head=128,
    dropout=0,
    drop_path=0,
)


def efficientnet(
    widths: Widths,
    *,
    se: nn.MakeSE | None,
    num_classes: int,
    in_channels: int,
    rng: np.random.Generator,
    dtype: npt.DTypeLike,
) -> nn.Sequential:
    """For images of any size. Of n blocks, the one after k others is dropped by drop_path · k/n."""
    unit = partial(nn.conv_norm_act, activation="silu", rng=rng, dtype=dtype)
    channels = widths.stem
    layers: dict[str, nn.Layer] = {"stem": unit(in_channels, channels, 3, widths.stem_stride)}
    number, of_all = 0, sum(stage.blocks for stage in widths.stages)
    for k, stage in enumerate(widths.stages, start=1):
        blocks = []
        for place in range(stage.blocks):
            block = nn.InvertedResidual(
                channels, stage.filters, stage.stride if place == 0 else 1,
                width=stage.expansion * channels, kernel_size=stage.kernel_size,
                activation="silu", se=None if se is None else partial(se, reduced_from=channels),
                drop_path=widths.drop_path * number / of_all, rng=rng, dtype=dtype,
            )  # fmt: skip
            blocks.append(block)
            channels, number = stage.filters, number + 1
        layers[f"stage{k}"] = nn.Sequential(*blocks)
    layers["head"] = unit(channels, widths.head, 1)
    layers["pool"] = nn.GlobalAvgPool()
    if widths.dropout:
        layers["dropout"] = nn.Dropout(widths.dropout, rng=rng)
    layers["fc"] = nn.Linear(widths.head, num_classes, rng=rng, dtype=dtype)
    return nn.Sequential(**layers)
