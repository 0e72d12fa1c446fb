"""Residual nets, with and without SE: small ones for MNIST and CIFAR, and those of ImageNet.

A net is a stem, stages of residual blocks in which images shrink and channels grow in number, the
mean of each map, and a linear classifier (He et al. 2016; Hu et al., table 1).
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from functools import partial
from itertools import pairwise
from typing import NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from minise import nn
from minise.errors import InputError

Rng: TypeAlias = np.random.Generator
Layers: TypeAlias = dict[str, nn.Layer]


class Stages(NamedTuple):
    """The parts of a net for ImageNet."""

    blocks: tuple[int, int, int, int]  # in each stage
    kind: str = "basic"  # or bottleneck, resnext or senet


IMAGENET = {
    "resnet18": Stages((2, 2, 2, 2)),
    "resnet34": Stages((3, 4, 6, 3)),
    "resnet50": Stages((3, 4, 6, 3), "bottleneck"),
    "resnet101": Stages((3, 4, 23, 3), "bottleneck"),
    "resnet152": Stages((3, 8, 36, 3), "bottleneck"),
    "resnext50-32x4d": Stages((3, 4, 6, 3), "resnext"),
    "resnext101-32x4d": Stages((3, 4, 23, 3), "resnext"),
    "senet154": Stages((3, 8, 36, 3), "senet"),
}


def small(
    blocks: int,
    *,
    se: nn.MakeSE | None,
    num_classes: int,
    in_channels: int,
    rng: Rng,
    dtype: npt.DTypeLike,
    bottleneck: bool = False,
    placement: str = "standard",
    stages: Collection[int] = (1, 2, 3),
    stem_stride: int = 1,
) -> nn.Sequential:
    """Three stages of so many blocks with 16, 32, 64 channels, for images of any size.

    A bottleneck has four times as many at its ends. `stages` are those that have SE. With a
    `stem_stride` of 2 the first convolution halves the images: about a quarter of the time.
    """
    _check_stages(stages, (1, 2, 3))
    layers: Layers = {
        "conv": nn.Conv2d(
            in_channels, 16, 3, stem_stride, padding=1, bias=False, rng=rng, dtype=dtype
        ),
        "bn": nn.BatchNormReLU2d(16, dtype=dtype),
    }
    channels, number = 16, 0
    for stage, width in enumerate((16, 32, 64), start=1):
        weigh = se if stage in stages else None
        block: Callable[..., nn.Layer] = partial(nn.Bottleneck, width=width)
        filters = 4 * width
        if not bottleneck:
            block, filters = nn.Residual, width
        for k in range(blocks):
            number += 1
            layers[f"block{number}"] = block(
                channels, filters, 2 if k == 0 and stage > 1 else 1,
                se=weigh, placement=placement, rng=rng, dtype=dtype,
            )  # fmt: skip
            channels = filters
    return nn.Sequential(
        **layers,
        pool=nn.GlobalAvgPool(),
        fc=nn.Linear(channels, num_classes, rng=rng, dtype=dtype),
    )


def imagenet(
    name: str,
    *,
    se: nn.MakeSE | None,
    num_classes: int,
    in_channels: int,
    rng: Rng,
    dtype: npt.DTypeLike,
    placement: str = "standard",
    stages: Collection[int] = (2, 3, 4, 5),
    stride_first: bool | None = None,
    ceil_pool: bool = False,
) -> nn.Sequential:
    """One of `IMAGENET`: for images of 224×224 pixels, or others. Stages count as in the paper.

    With `stride_first` the stride of a bottleneck is that of its first convolution, otherwise that
    of its 3×3 convolution; None is the original's choice, the first in a ResNet alone. With
    `ceil_pool` the stem pools as Caffe does: without padding, and a partial window counts as one.
    """
    _check_stages(stages, (2, 3, 4, 5))
    numbers, kind = IMAGENET[name]
    if stride_first is None:
        stride_first = kind == "bottleneck"
    pool = nn.MaxPool2d(3, 2, padding=0 if ceil_pool else 1, ceil_mode=ceil_pool)
    block: Callable[..., nn.Layer]
    layers, channels = _stem(kind, in_channels, rng, dtype)
    layers["maxpool"] = pool
    for stage, (blocks, planes) in enumerate(zip(numbers, (64, 128, 256, 512), strict=True), 2):
        weigh = se if stage in stages else None
        block, filters = _block(kind, planes, stride_first)
        for k in range(blocks):
            layers[f"layer{stage - 1}_{k}"] = block(
                channels, filters, 2 if k == 0 and stage > 2 else 1,
                se=weigh, placement=placement, rng=rng, dtype=dtype,
            )  # fmt: skip
            channels = filters
    if kind == "senet":
        layers["dropout"] = nn.Dropout(0.2, rng=rng)
    return nn.Sequential(
        **_by_stage(layers),
        pool=nn.GlobalAvgPool(),
        fc=nn.Linear(channels, num_classes, rng=rng, dtype=dtype),
    )


def _check_stages(stages: Collection[int], there_are: tuple[int, ...]) -> None:
    if not isinstance(stages, Collection) or not set(stages) <= set(there_are):
        raise InputError(f"stages {stages!r}, expected some of {list(there_are)}")


def _block(kind: str, planes: int, stride_first: bool) -> tuple[Callable[..., nn.Layer], int]:
    """The function that makes a block from its channels, in and out; and the channels out."""
    if kind == "basic":
        return nn.Residual, planes
    bottleneck = partial(nn.Bottleneck, stride_first=stride_first)
    if kind == "bottleneck":
        return partial(bottleneck, width=planes), 4 * planes
    if kind == "resnext":
        return partial(bottleneck, width=2 * planes, groups=32), 4 * planes
    senet = partial(
        bottleneck, width=4 * planes, first_width=2 * planes, groups=64, shortcut_kernel=3
    )
    return senet, 4 * planes


def _stem(kind: str, in_channels: int, rng: Rng, dtype: npt.DTypeLike) -> tuple[Layers, int]:
    """The convolutions before the pooling, and their channels."""
    conv = partial(nn.Conv2d, bias=False, rng=rng, dtype=dtype)
    norm = partial(nn.BatchNormReLU2d, dtype=dtype)
    layers: Layers = {}
    if kind != "senet":
        return {"conv1": conv(in_channels, 64, 7, 2, padding=3), "bn1": norm(64)}, 64
    for k, (channels, filters) in enumerate(pairwise((in_channels, 64, 64, 128)), start=1):
        layers[f"conv{k}"] = conv(channels, filters, 3, 2 if k == 1 else 1, padding=1)
        layers[f"bn{k}"] = norm(filters)
    return layers, 128


def _by_stage(layers: Layers) -> Layers:
    """layer1_0, layer1_1, … go into a Sequential of their own: names are then layer1.0.conv1."""
    grouped: Layers = {}
    for name, layer in layers.items():
        stage, _, number = name.partition("_")
        if number:
            setattr(grouped.setdefault(stage, nn.Sequential()), number, layer)
        else:
            grouped[name] = layer
    return grouped
