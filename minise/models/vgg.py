"""VGG-style nets: a plain stack of 3×3 convolutions, SE after each (Hu et al., section 4)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from minise import nn

# Filters of the convolutions in each stage. For few parameters: many thin layers, few wide ones.
STAGES = {
    "vgg-tiny": ((16, 16), (32, 32), (64, 64)),
    "vgg-8k": ((8, 8, 8), (10, 10, 12), (14, 14)),
    "vgg-18k": ((6,), (12, 12, 12), (24, 24, 24)),  # most of the work is on a quarter of the pixels
    "vgg-127k": ((16, 16), (32, 32, 32), (64, 64, 64)),
}


def vgg(
    stages: Sequence[Sequence[int]],
    *,
    se: nn.MakeSE | None,
    num_classes: int,
    in_channels: int,
    rng: np.random.Generator,
    dtype: npt.DTypeLike,
) -> nn.Sequential:
    """Between two stages the image is halved. The classifier takes the mean of each last map."""
    layers: dict[str, nn.Layer] = {}
    channels = in_channels
    for stage, widths in enumerate(stages, start=1):
        if stage > 1:
            layers[f"pool{stage - 1}"] = nn.MaxPool2d(2)
        for k, filters in enumerate(widths, start=1):
            unit = nn.conv_norm_act(channels, filters, 3, rng=rng, dtype=dtype)
            layers[f"conv{stage}_{k}"] = unit
            if se is not None:
                layers[f"se{stage}_{k}"] = se(filters)
            channels = filters
    return nn.Sequential(
        **layers,
        pool=nn.GlobalAvgPool(),
        fc=nn.Linear(channels, num_classes, rng=rng, dtype=dtype),
    )
