"""`cnn` and `cnn3`, with and without SE: two or three convolutions, and a linear classifier."""

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


def cnn3(
    *,
    se: nn.MakeSE | None,
    num_classes: int,
    in_channels: int,
    rng: np.random.Generator,
    dtype: npt.DTypeLike,
) -> nn.Sequential:
    """For images of 20×20 to 37×37 pixels. With SE, one channel and ten classes: 10,662 parameters.

    SE is where a residual block has it, between batch norm and relu: there a squeezed map can have
    either sign. After a relu none is negative, and a hidden unit of a block is then above 0 for
    nearly all images or, as often, for none: dead before the first step. The first maps have no
    SE: its gates would be almost the same for all digits, and take a twelfth of a step's time.
    """

    def conv(channels: int, filters: int) -> nn.Conv2d:
        return nn.Conv2d(channels, filters, 3, padding=1, bias=False, rng=rng, dtype=dtype)

    def stage(k: int, channels: int, filters: int) -> dict[str, nn.Layer]:
        layers: dict[str, nn.Layer] = {
            f"conv{k}": conv(channels, filters),
            f"pool{k}": nn.MaxPool2d(3, padding=1),  # first: all that follows has fewer pixels
            f"bn{k}": nn.BatchNorm2d(filters, dtype=dtype),
        }
        if se is not None:
            layers[f"se{k}"] = se(filters)
        return layers | {f"relu{k}": nn.ReLU()}

    return nn.Sequential(
        conv1=conv(in_channels, 8),
        pool1=nn.MaxPool2d(2),  # (N, 8, 14, 14)
        bn1=nn.BatchNormReLU2d(8, dtype=dtype),
        **stage(2, 8, 16),  # (N, 16, 5, 5)
        **stage(3, 16, 40),  # (N, 40, 2, 2)
        flatten=nn.Flatten(),
        fc=nn.Linear(40 * 2 * 2, num_classes, rng=rng, dtype=dtype),
    )
