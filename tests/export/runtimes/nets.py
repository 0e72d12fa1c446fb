"""The nets that other runtimes are given: minise's own, and one for each option of SE."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np

from minise import models, nn

MEAN, STD = 0.13, 0.31


def shaken(net: nn.Layer, seed: int = 0) -> nn.Layer:
    """With biases, scales and running averages as of a trained net: an identity hides mistakes."""
    rng = np.random.default_rng(seed)
    for name, entry in net.named_state():
        value = entry.value
        if name.endswith("running_var"):
            value[...] = rng.uniform(0.5, 2, value.shape)
        elif name.endswith(("running_mean", "bias", "beta")):
            value[...] = rng.normal(0, 0.2, value.shape)
        elif value.ndim == 1:
            value[...] = rng.uniform(0.5, 1.5, value.shape)
    return net


def cnn_with(se: nn.MakeSE) -> nn.Layer:
    """`se-cnn` with another block for its two SE blocks."""
    net = models.create("se-cnn", seed=1)
    rng = np.random.default_rng(2)
    net.se1, net.se2 = se(8, rng=rng), se(16, rng=rng)
    return net


def activated(activation: Callable[[], nn.Layer]) -> nn.Layer:
    """`se-cnn` with another activation for its relus."""
    net = models.create("se-cnn", seed=1)
    net.relu1, net.relu2 = activation(), activation()
    return net


def resnext_like() -> nn.Layer:
    """Two bottlenecks of four groups each."""
    rng = np.random.default_rng(3)
    block = partial(nn.Bottleneck, groups=4, se=partial(nn.SEBlock, reduction=4), rng=rng)
    return nn.Sequential(
        conv=nn.Conv2d(1, 8, 3, 2, padding=1, rng=rng),
        block1=block(8, 16, 1, width=8),
        block2=block(16, 32, 2, width=16),
        pool=nn.GlobalAvgPool(),
        fc=nn.Linear(32, 10, rng=rng),
    )


def pooled(pool: nn.Layer) -> nn.Layer:
    """A convolution, this pooling of 24×24 pixels, an SE block, and the pooling once more."""
    rng = np.random.default_rng(4)
    layers = {
        "conv": nn.Conv2d(1, 8, 5, rng=rng),
        "pool1": pool,
        "se": nn.SEBlock(8, 4, rng=rng),
        "pool2": pool,
        "flatten": nn.Flatten(),
    }
    features = nn.Sequential(**layers)(np.zeros((1, 1, 28, 28), np.float32)).shape[1]
    return nn.Sequential(**layers, fc=nn.Linear(features, 10, rng=rng))


def in_residual_blocks() -> nn.Layer:
    """Relatives of SE where a residual block may have them."""
    rng = np.random.default_rng(5)
    return nn.Sequential(
        conv=nn.Conv2d(1, 8, 3, 2, padding=1, rng=rng),
        block1=nn.Residual(8, 8, se=nn.SpatialSE, placement="pre", rng=rng),
        block2=nn.Residual(8, 16, 2, se=nn.ConcurrentSE, placement="post", rng=rng),
        block3=nn.Residual(16, 16, se=nn.ECA, placement="identity", rng=rng),
        pool=nn.GlobalAvgMaxPool(),
        fc=nn.Linear(16, 10, rng=rng),
    )


def named(name: str, **options: object) -> Callable[[], nn.Layer]:
    return partial(models.create, name, seed=1, **options)


NETS: dict[str, Callable[[], nn.Layer]] = {
    "se-cnn": named("se-cnn"),
    "se-cnn3": named("se-cnn3"),
    "se-resnet8": named("se-resnet8"),
    "se-inception-tiny": named("se-inception-tiny"),
    "se-mobilenet-tiny": named("se-mobilenet-tiny"),
    "se-mobilenetv3-tiny": named("se-mobilenetv3-tiny"),
    "se-efficientnet-tiny": named("se-efficientnet-tiny"),
    "se-vgg-tiny": named("se-vgg-tiny"),
    "bottlenecks of 4 groups": resnext_like,
    "se-resnet50": named("se-resnet50", num_classes=10),
    'squeeze="max"': named("se-cnn", squeeze="max"),
    'squeeze="avg+max"': named("se-cnn", squeeze="avg+max"),
    'gate="tanh"': named("se-cnn", gate="tanh"),
    'gate="relu"': named("se-cnn", gate="relu"),
    'gate="hard_sigmoid"': named("se-cnn", gate="hard_sigmoid"),
    'gate="hard_sigmoid_0.2"': named("se-cnn", gate="hard_sigmoid_0.2"),
    'gate="clip"': named("se-cnn", gate="clip"),
    'activation="silu"': named("se-cnn", activation="silu"),
    'norm="before"': named("se-cnn", norm="before", bias=False),
    'norm="after"': named("se-cnn", norm="after"),
    "bias=False": named("se-cnn", bias=False),
    "residual=True": named("se-cnn", residual=True),
    "NoSqueeze": partial(cnn_with, partial(nn.NoSqueeze, reduction=4)),
    "SpatialSE": partial(cnn_with, nn.SpatialSE),
    'ConcurrentSE, "max"': partial(cnn_with, partial(nn.ConcurrentSE, reduction=4, merge="max")),
    'ConcurrentSE, "add"': partial(cnn_with, partial(nn.ConcurrentSE, reduction=4, merge="add")),
    "EffectiveSE": partial(cnn_with, nn.EffectiveSE),
    "ECA": partial(cnn_with, nn.ECA),
    "GatherExcite": partial(cnn_with, lambda channels, rng: nn.GatherExcite()),
    "HardSwish": partial(activated, nn.HardSwish),
    "SiLU": partial(activated, nn.SiLU),
    "LeakyReLU": partial(activated, partial(nn.LeakyReLU, 0.1)),
    "AvgPool2d": partial(pooled, nn.AvgPool2d(2)),
    "AvgPool2d, padding=1": partial(pooled, nn.AvgPool2d(3, 2, padding=1)),
    "AvgPool2d, count_include_pad=False": partial(
        pooled, nn.AvgPool2d(3, 2, padding=1, count_include_pad=False)
    ),
    "AvgPool2d, ceil_mode=True": partial(pooled, nn.AvgPool2d(3, 2, ceil_mode=True)),
    "MaxPool2d, padding=1": partial(pooled, nn.MaxPool2d(3, 2, padding=1)),
    "MaxPool2d, ceil_mode=True": partial(pooled, nn.MaxPool2d(3, 2, ceil_mode=True)),
    "relatives in residual blocks": in_residual_blocks,
}


def image_shape(name: str) -> tuple[int, int, int]:
    return (3, 96, 96) if name == "se-resnet50" else (1, 28, 28)


def pixels(name: str, N: int) -> np.ndarray:
    """Whole numbers from 0 to 255, float32: noise, brighter in some places than in others."""
    rng = np.random.default_rng(6)
    C, H, W = image_shape(name)
    coarse = rng.uniform(0, 1, (N, C, H // 7 + 1, W // 7 + 1)).repeat(7, 2).repeat(7, 3)
    fine = rng.uniform(0.5, 1, (N, C, H, W))
    return np.floor(255 * coarse[:, :, :H, :W] * fine).astype(np.float32)
