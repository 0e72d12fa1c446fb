"""MobileNet v1: convolutions of each channel by itself, then 1×1 ones across the channels.

Howard et al., arXiv 1704.04861, table 1. SE weighs the output of each such pair.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from minise import nn


class Widths(NamedTuple):
    """Channels after the first convolution; then the channels and stride of each pair."""

    stem: int
    stem_stride: int
    pairs: tuple[tuple[int, int], ...]


TINY = Widths(16, 1, ((32, 1), (64, 2), (64, 1), (128, 2)))
IMAGENET = Widths(
    32,
    2,
    (
        (64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2),
        *5 * ((512, 1),),
        (1024, 2), (1024, 1),
    ),
)  # fmt: skip


def mobilenet(
    widths: Widths,
    *,
    se: nn.MakeSE | None,
    num_classes: int,
    in_channels: int,
    rng: np.random.Generator,
    dtype: npt.DTypeLike,
) -> nn.Sequential:
    """For images of any size; the classifier takes the mean of each last map."""

    def separable(channels: int, filters: int, stride: int) -> nn.Sequential:
        layers: dict[str, nn.Layer] = {
            "depthwise": nn.conv_norm_act(
                channels, channels, 3, stride, groups=channels, rng=rng, dtype=dtype
            ),
            "pointwise": nn.conv_norm_act(channels, filters, 1, rng=rng, dtype=dtype),
        }
        return nn.Sequential(**layers, **({} if se is None else {"se": se(filters)}))

    channels = widths.stem
    layers: dict[str, nn.Layer] = {
        "stem": nn.conv_norm_act(in_channels, channels, 3, widths.stem_stride, rng=rng, dtype=dtype)
    }
    for k, (filters, stride) in enumerate(widths.pairs, start=1):
        layers[f"block{k}"] = separable(channels, filters, stride)
        channels = filters
    return nn.Sequential(
        **layers,
        pool=nn.GlobalAvgPool(),
        fc=nn.Linear(channels, num_classes, rng=rng, dtype=dtype),
    )
