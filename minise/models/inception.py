"""Inception nets: a stem, modules of branches side by side, the mean of each map, a classifier."""

from __future__ import annotations

from functools import partial
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from minise import nn


class Module(NamedTuple):
    """The channels of the branches of an `nn.Inception`."""

    ones: int
    threes: tuple[int, int]
    fives: tuple[int, int]
    pooled: int
    pool: str = "max"
    stride: int = 1


# In GoogLeNet's style, for small images: true 5×5, and pooling between modules.
TINY = {
    "a": Module(16, (16, 24), (4, 8), 8),
    "b": Module(24, (24, 32), (8, 16), 16),
    "c": Module(32, (32, 48), (8, 16), 16),
}

# Ioffe & Szegedy, arXiv 1502.03167, figure 5; 4a to 4e as in published models.
BN_INCEPTION = {
    "3a": Module(64, (64, 64), (64, 96), 32, "avg"),
    "3b": Module(64, (64, 96), (64, 96), 64, "avg"),
    "3c": Module(0, (128, 160), (64, 96), 0, stride=2),
    "4a": Module(224, (64, 96), (96, 128), 128, "avg"),
    "4b": Module(192, (96, 128), (96, 128), 128, "avg"),
    "4c": Module(160, (128, 160), (128, 160), 128, "avg"),
    "4d": Module(96, (128, 192), (160, 192), 128, "avg"),
    "4e": Module(0, (128, 192), (192, 256), 0, stride=2),
    "5a": Module(352, (192, 320), (160, 224), 128, "avg"),
    "5b": Module(352, (192, 320), (192, 224), 128, "max"),
}


def tiny(
    *,
    se: nn.MakeSE | None,
    num_classes: int,
    in_channels: int,
    rng: np.random.Generator,
    dtype: npt.DTypeLike,
) -> nn.Sequential:
    """A convolution and three modules, for images of 28×28 pixels or others."""
    layers: dict[str, nn.Layer] = {
        "stem": nn.conv_norm_act(in_channels, 16, 3, rng=rng, dtype=dtype),
        "pool1": nn.MaxPool2d(2),
    }
    a, b, c = _modules(TINY, 16, se=se, rng=rng, dtype=dtype).items()
    layers |= dict([a, b, ("pool2", nn.MaxPool2d(2)), c])
    return _classified(layers, c[1], num_classes, rng, dtype)


def bn_inception(
    *,
    se: nn.MakeSE | None,
    num_classes: int,
    in_channels: int,
    rng: np.random.Generator,
    dtype: npt.DTypeLike,
) -> nn.Sequential:
    """BN-Inception: for images of 224×224 pixels, or others."""
    conv = partial(nn.conv_norm_act, rng=rng, dtype=dtype)
    layers: dict[str, nn.Layer] = {
        "conv1": conv(in_channels, 64, 7, 2),
        "pool1": nn.MaxPool2d(3, 2, padding=1),
        "conv2": nn.Sequential(conv(64, 64, 1), conv(64, 192, 3)),
        "pool2": nn.MaxPool2d(3, 2, padding=1),
    }
    modules = _modules(BN_INCEPTION, 192, factored=True, se=se, rng=rng, dtype=dtype)
    return _classified(layers | modules, modules["inception5b"], num_classes, rng, dtype)


def _modules(table: dict[str, Module], channels: int, **options: Any) -> dict[str, nn.Inception]:
    modules = {}
    for name, row in table.items():
        modules[f"inception{name}"] = nn.Inception(channels, **row._asdict(), **options)
        channels = modules[f"inception{name}"].out_channels
    return modules


def _classified(
    layers: dict[str, nn.Layer],
    last: nn.Inception,
    num_classes: int,
    rng: np.random.Generator,
    dtype: npt.DTypeLike,
) -> nn.Sequential:
    fc = nn.Linear(last.out_channels, num_classes, rng=rng, dtype=dtype)
    return nn.Sequential(**layers, pool=nn.GlobalAvgPool(), fc=fc)
