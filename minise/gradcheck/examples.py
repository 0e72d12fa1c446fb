"""One example or more for every operation and every layer that minise has."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from minise import nn, ops
from minise.backend import asarray
from minise.gradcheck.subject import Pair
from minise.nn import Layer

Rng: TypeAlias = np.random.Generator


F64: Any = {"dtype": np.float64}  # finite differences need it


class Example(NamedTuple):
    """What `check` takes: `check(example.subject, *example.inputs)`."""

    subject: Pair | Layer
    inputs: tuple[Any, ...]
    training: bool = True


def _operation(
    name: str, *shapes: tuple[int, ...], spread: float = 1, **options: Any
) -> Callable[[Rng], Example]:
    """An operation of `minise.ops` on normal random arrays of these shapes."""
    forward, backward = getattr(ops, name), getattr(ops, f"{name}_backward")

    def example(rng: Rng) -> Example:
        arrays = tuple(spread * rng.standard_normal(shape) for shape in shapes)
        return Example((partial(forward, **options) if options else forward, backward), arrays)

    return example


def _cross_entropy(**options: Any) -> Callable[[Rng], Example]:
    def example(rng: Rng) -> Example:
        forward = partial(ops.softmax_cross_entropy, **options)
        inputs = (rng.standard_normal((4, 5)), rng.integers(0, 5, 4))
        return Example((forward, ops.softmax_cross_entropy_backward), inputs)

    return example


def _masked(rng: Rng) -> Example:
    """Images of several widths, side by side."""
    mask = np.arange(4) < np.array([4, 1, 3])[:, None, None]  # (3, 1, 4)
    arrays = (rng.standard_normal((3, 5, 2, 4)), np.repeat(mask, 2, axis=1))
    return Example((ops.masked_avg_pool, ops.masked_avg_pool_backward), arrays)


def _with_statistics(name: str) -> Callable[[Rng], Example]:
    """Batch normalisation in evaluation."""

    def example(rng: Rng) -> Example:
        statistics = (rng.standard_normal(3), rng.uniform(0.5, 2, 3))
        b = 0.3 * rng.standard_normal(3)  # a relu behind it must not sleep
        arrays = (rng.standard_normal((2, 3, 4, 2)), rng.standard_normal(3), b)
        forward, backward = getattr(ops, name), getattr(ops, f"{name}_backward")
        return Example((partial(forward, statistics=statistics), backward), arrays)

    return example


def _layer(
    make: Callable[[Rng], Layer], *shape: int, spread: float = 1, training: bool = True
) -> Callable[[Rng], Example]:
    """A layer on a normal random array of this shape."""

    def example(rng: Rng) -> Example:
        layer = make(rng)
        for parameter in layer.parameters():  # none of them 0, which could hide a mistake
            parameter.value += asarray(0.1 * rng.standard_normal(parameter.value.shape))
        return Example(layer, (spread * rng.standard_normal(shape),), training)

    return example


def _se(**options: Any) -> Callable[[Rng], Example]:
    return _layer(lambda rng: nn.SEBlock(6, 2, rng=rng, **F64, **options), 3, 6, 4, 3)


def _residual(
    block: Callable[..., Layer], placement: str, relative: bool = False, **options: Any
) -> Callable[[Rng], Example]:
    """A residual block of stride 2 with SE; `options` are those of its SE block."""

    def make(rng: Rng) -> Layer:
        se = partial(nn.ECA if relative else nn.SEBlock, **F64, rng=rng, **options)
        if not relative:
            se = partial(se, hidden=8)  # with fewer, all of them may sleep
        return block(2, 4, 2, se=se, placement=placement, rng=rng, **F64)

    return _layer(make, 3, 2, 3, 5)


def _bottleneck(*channels: int, **options: Any) -> Layer:
    """ResNeXt's, with all that SENet-154 changes in it."""
    return nn.Bottleneck(*channels, width=4, first_width=2, groups=2, shortcut_kernel=3, **options)


def _inception(
    ones: int,
    threes: tuple[int, int],
    fives: tuple[int, int],
    pooled: int,
    se: bool = False,
    **options: Any,
) -> Callable[[Rng], Example]:
    """An Inception module on two channels."""

    def make(rng: Rng) -> Layer:
        weigh = partial(nn.SEBlock, hidden=8, rng=rng, **F64) if se else None
        return nn.Inception(2, ones, threes, fives, pooled, se=weigh, rng=rng, **options, **F64)

    return _layer(make, 3, 2, 4, 5)


def _inverted(
    in_channels: int, filters: int, stride: int = 1, *, se: bool = False, **options: Any
) -> Callable[[Rng], Example]:
    """An inverted residual, four channels wide."""

    def make(rng: Rng) -> Layer:
        weigh = partial(nn.SEBlock, hidden=8, rng=rng, **F64) if se else None
        return nn.InvertedResidual(
            in_channels, filters, stride, width=4, se=weigh, rng=rng, **options, **F64
        )

    return _layer(make, 5, in_channels, 4, 5)


EXAMPLES: dict[str, Callable[[Rng], Example]] = {
    "conv2d": _operation("conv2d", (2, 3, 5, 4), (4, 3, 2, 3), (4,), padding=1),
    "conv2d, stride 2": _operation(
        "conv2d", (3, 2, 6, 5), (4, 2, 3, 2), (4,), stride=2, padding=(1, 0)
    ),
    "conv2d, dilated, grouped": _operation(
        "conv2d", (2, 4, 5, 6), (6, 2, 3, 2), groups=2, dilation=(1, 2), padding=2
    ),
    "add": _operation("add", (2, 3, 4, 2), (2, 3, 4, 2)),
    "linear": _operation("linear", (3, 4), (5, 4), (5,)),
    "relu": _operation("relu", (3, 4)),
    "sigmoid": _operation("sigmoid", (3, 4)),
    "tanh": _operation("tanh", (3, 4)),
    "hard_sigmoid": _operation("hard_sigmoid", (3, 4), spread=4),  # beyond ±3 as well
    "hard_sigmoid, width 5": _operation("hard_sigmoid", (3, 4), spread=4, width=5),
    "silu": _operation("silu", (3, 4), spread=2),
    "hard_swish": _operation("hard_swish", (3, 4), spread=4),
    "leaky_relu": _operation("leaky_relu", (3, 4), slope=0.1),
    "clip": _operation("clip", (3, 4), low=-0.5, high=0.75),
    "max_pool2d": _operation("max_pool2d", (2, 3, 4, 7), kernel_size=2),
    "max_pool2d, overlapping": _operation(
        "max_pool2d", (3, 2, 5, 6), kernel_size=3, stride=2, padding=1, ceil_mode=True
    ),
    "avg_pool2d": _operation("avg_pool2d", (2, 3, 4, 7), kernel_size=2),
    "avg_pool2d, overlapping": _operation(
        "avg_pool2d",
        (3, 2, 5, 6),
        kernel_size=3,
        stride=2,
        padding=1,
        ceil_mode=True,
        count_include_pad=False,
    ),
    "global_avg_pool": _operation("global_avg_pool", (2, 3, 4, 3)),
    "global_max_pool": _operation("global_max_pool", (2, 3, 4, 3)),
    "masked_avg_pool": _masked,
    "channel_scale": _operation("channel_scale", (2, 3, 4, 2), (2, 3)),
    "multiply": _operation("multiply", (2, 3, 4, 2), (2, 3, 4, 2)),
    "multiply, one gate for a pixel": _operation("multiply", (2, 3, 4, 2), (2, 1, 4, 2)),
    "scale_add_relu": _operation("scale_add_relu", (2, 3, 4, 2), (2, 3), (2, 3, 4, 2)),
    "batch_norm": _operation("batch_norm", (3, 2, 3, 2), (2,), (2,)),
    "batch_norm, evaluation": _with_statistics("batch_norm"),
    "batch_norm_relu": _operation("batch_norm_relu", (3, 2, 3, 2), (2,), (2,)),
    "batch_norm_relu, evaluation": _with_statistics("batch_norm_relu"),
    "softmax_cross_entropy": _cross_entropy(),
    "softmax_cross_entropy, smoothed": _cross_entropy(label_smoothing=0.1),
    "concat": _operation("concat", (3, 2, 4, 2), (3, 5, 4, 2), (3, 6, 4, 2)),
    "Conv2d": _layer(lambda rng: nn.Conv2d(2, 5, 3, padding=1, rng=rng, **F64), 3, 2, 4, 3),
    "Linear": _layer(lambda rng: nn.Linear(4, 3, rng=rng, **F64), 5, 4),
    "BatchNorm2d": _layer(lambda rng: nn.BatchNorm2d(2, **F64), 3, 2, 3, 2),
    "BatchNorm2d, evaluation": _layer(
        lambda rng: nn.BatchNorm2d(2, **F64), 3, 2, 3, 2, training=False
    ),
    "BatchNorm1d": _layer(lambda rng: nn.BatchNorm1d(3, **F64), 4, 3),
    "BatchNorm1d, evaluation": _layer(lambda rng: nn.BatchNorm1d(3, **F64), 4, 3, training=False),
    "BatchNormReLU2d": _layer(lambda rng: nn.BatchNormReLU2d(2, **F64), 3, 2, 3, 2),
    "ReLU": _layer(lambda rng: nn.ReLU(), 3, 4),
    "Sigmoid": _layer(lambda rng: nn.Sigmoid(), 3, 4),
    "Tanh": _layer(lambda rng: nn.Tanh(), 3, 4),
    "HardSigmoid": _layer(lambda rng: nn.HardSigmoid(), 3, 4, spread=4),
    "HardSigmoid, width 5": _layer(lambda rng: nn.HardSigmoid(5), 3, 4, spread=4),
    "SiLU": _layer(lambda rng: nn.SiLU(), 3, 4, spread=2),
    "HardSwish": _layer(lambda rng: nn.HardSwish(), 3, 4, spread=4),
    "LeakyReLU": _layer(lambda rng: nn.LeakyReLU(0.1), 3, 4),
    "Clip": _layer(lambda rng: nn.Clip(-0.5, 0.75), 3, 4),
    "MaxPool2d": _layer(lambda rng: nn.MaxPool2d(2), 2, 3, 4, 7),
    "AvgPool2d": _layer(lambda rng: nn.AvgPool2d(2), 2, 3, 4, 7),
    "GlobalAvgPool": _layer(lambda rng: nn.GlobalAvgPool(), 2, 3, 4, 2),
    "GlobalAvgMaxPool": _layer(lambda rng: nn.GlobalAvgMaxPool(), 2, 3, 4, 2),
    "GlobalMaxPool": _layer(lambda rng: nn.GlobalMaxPool(), 2, 3, 4, 2),
    "Flatten": _layer(lambda rng: nn.Flatten(), 2, 3, 4, 2),
    "Dropout": _layer(lambda rng: nn.Dropout(0.5, rng=rng), 3, 4),
    "DropPath": _layer(lambda rng: nn.DropPath(0.5, rng=rng), 6, 2, 3, 2),
    "DropPath, evaluation": _layer(
        lambda rng: nn.DropPath(0.5, rng=rng), 3, 2, 3, 2, training=False
    ),
    "Sequential": _layer(
        lambda rng: nn.Sequential(nn.Linear(4, 5, rng=rng, **F64), nn.Tanh()), 3, 4
    ),
    "SEBlock": _se(),
    "SEBlock, max": _se(squeeze="max"),
    "SEBlock, avg+max": _se(squeeze="avg+max"),
    "SEBlock, timm": _se(rounding="timm"),
    "SEBlock, tanh": _se(gate="tanh"),
    "SEBlock, relu": _se(gate="relu", bias=False),
    "SEBlock, hard_sigmoid": _se(gate="hard_sigmoid"),
    "SEBlock, silu": _se(activation="silu"),
    "SEBlock, norm before": _se(norm="before"),
    "SEBlock, norm after": _se(norm="after", activation="leaky_relu"),
    "SEBlock, residual": _se(residual=True),
    "NoSqueeze": _layer(lambda rng: nn.NoSqueeze(6, 2, rng=rng, **F64), 2, 6, 3, 2),
    "SpatialSE": _layer(lambda rng: nn.SpatialSE(4, rng=rng, **F64), 2, 4, 3, 2),
    "ConcurrentSE": _layer(lambda rng: nn.ConcurrentSE(4, hidden=8, rng=rng, **F64), 2, 4, 3, 2),
    "ConcurrentSE, add": _layer(
        lambda rng: nn.ConcurrentSE(4, hidden=8, merge="add", rng=rng, **F64), 2, 4, 3, 2
    ),
    "EffectiveSE": _layer(lambda rng: nn.EffectiveSE(4, rng=rng, **F64), 3, 4, 3, 2),
    "ECA": _layer(lambda rng: nn.ECA(6, rng=rng, **F64), 2, 6, 3, 2),
    "GatherExcite": _layer(lambda rng: nn.GatherExcite(), 2, 4, 3, 2),
    "Residual": _layer(lambda rng: nn.Residual(3, 3, rng=rng, **F64), 2, 3, 5, 4),
    **{f"Residual, {place}": _residual(nn.Residual, place) for place in nn.PLACEMENTS},
    "Residual, relative": _residual(nn.Residual, "standard", relative=True),
    "Residual, residual SE": _residual(nn.Residual, "standard", residual=True),
    "Bottleneck": _layer(lambda rng: nn.Bottleneck(4, 4, width=2, rng=rng, **F64), 3, 4, 5, 2),
    **{f"Bottleneck, {place}": _residual(_bottleneck, place) for place in nn.PLACEMENTS},
    "InvertedResidual": _inverted(3, 3, drop_path=0.3),
    "InvertedResidual, stride 2": _inverted(4, 3, 2, kernel_size=5, activation="hard_swish"),
    "InvertedResidual, SE": _inverted(3, 3, activation="silu", se=True),
    "Inception": _inception(1, (2, 2), (2, 2), 1, se=True),
    "Inception, factored": _inception(2, (2, 3), (2, 2), 1, factored=True, pool="avg"),
    "Inception, stride 2": _inception(0, (2, 3), (1, 2), 0, stride=2),
}
