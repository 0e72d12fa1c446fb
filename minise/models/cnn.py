"""`cnn` and `se-cnn`: two convolutions, each with its SE block, and a linear classifier."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from minise import nn


def cnn(
    *,
    se: nn.MakeSE | None,
    num_classes: int,
    in_channels: int,
    rng: np.random.Generator,
    dtype: npt.DTypeLike,
) -> nn.Sequential:
    """For images of 28×28 pixels. With SE, one channel and ten classes: 9,288 parameters."""

    def stage(k: int, channels: int, filters: int) -> dict[str, nn.Layer]:
        conv = nn.Conv2d(channels, filters, 3, padding=1, rng=rng, dtype=dtype)
        layers: dict[str, nn.Layer] = {f"conv{k}": conv, f"relu{k}": nn.ReLU()}
        if se is not None:
            layers[f"se{k}"] = se(filters)
        return layers | {f"pool{k}": nn.MaxPool2d(2)}

    return nn.Sequential(
        **stage(1, in_channels, 8),  # (N, 8, 14, 14)
        **stage(2, 8, 16),  # (N, 16, 7, 7)
        flatten=nn.Flatten(),
        fc=nn.Linear(16 * 7 * 7, num_classes, rng=rng, dtype=dtype),
    )
