"""RegNetY: bottlenecks as wide inside as outside, in groups, SE after their 3×3 convolution.

Radosavovic et al., arXiv 2003.13678. The hidden width of SE comes from the channels of its block's
input.
"""

from __future__ import annotations

from functools import partial
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from minise import nn


class Stages(NamedTuple):
    """Channels and number of the blocks of each stage, the first of which has a stride of 2."""

    stem: int
    filters: tuple[int, ...]
    blocks: tuple[int, ...]
    group_width: int  # channels of a group


Y_400MF = Stages(32, (48, 104, 208, 440), (1, 3, 6, 6), group_width=8)


def regnet(
    stages: Stages,
    *,
    se: nn.MakeSE | None,
    num_classes: int,
    in_channels: int,
    rng: np.random.Generator,
    dtype: npt.DTypeLike,
) -> nn.Sequential:
    """For images of any size; the classifier takes the mean of each last map."""
    channels = stages.stem
    layers: dict[str, nn.Layer] = {
        "stem": nn.conv_norm_act(in_channels, channels, 3, 2, rng=rng, dtype=dtype)
    }
    for k, (filters, blocks) in enumerate(zip(stages.filters, stages.blocks, strict=True), 1):
        row = []
        for place in range(blocks):
            block = nn.Bottleneck(
                channels, filters, 2 if place == 0 else 1, width=filters,
                groups=filters // stages.group_width,
                se=None if se is None else partial(se, reduced_from=channels), placement="3x3",
                rng=rng, dtype=dtype,
            )  # fmt: skip
            row.append(block)
            channels = filters
        layers[f"stage{k}"] = nn.Sequential(*row)
    return nn.Sequential(
        **layers,
        pool=nn.GlobalAvgPool(),
        fc=nn.Linear(channels, num_classes, rng=rng, dtype=dtype),
    )
