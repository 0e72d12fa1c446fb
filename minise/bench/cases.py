"""The work that is measured. One more case is one more line in `CASES`.

The least that a call does, in float32:

convolution, linear   2 · multiply-adds, three times: y, dx and dw each take as many
SE block              7 |x|: the squeeze reads x, the scale reads x and writes y; backward reads
                      dy and x for the gates' gradient, then reads dy and writes dx
batch norm + relu     8 |x|: statistics read x, the second pass reads x and writes y; backward
                      reads dy and x for the sums, then reads both again and writes dx
tail of a block       8 |x|: reads x and r, writes y; backward reads dy, x and y, writes dx and dr
max pool              2 |x| + 2 |y|: reads x, writes y; backward reads dy and writes dx

where |x| is the size of x in bytes. Gates, statistics and the winners of a pooling are left out.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from minise import models, shapes
from minise.bench.case import (
    TOLERANCE,
    AnyCase,
    Arrays,
    Case,
    Library,
    MemoryCase,
    Side,
    Work,
    draw,
)

FLOAT32 = 4  # bytes

# In a net a relu may meet a number near 0 that has another sign in the other library. Then one
# pixel in a sum over hundreds is there or not, up to a hundredth of a gradient; without such a
# pixel they agree to 1e-5.
NET_GRADIENT_TOLERANCE = 5e-2
# A hundred layers that each round, and batch norm of small maps, which amplifies the difference. Of
# PyTorch's two layouts one is 2e-4 away from the other.
DEEP = dict.fromkeys(("se-resnet50", "se-mobilenetv3-large", "se-efficientnet-b0"), 1e-3)


def operation(
    name: str,
    about: str,
    work: Work,
    of_ops: str,
    arrays: Mapping[str, tuple[int, ...]],
    **options: Any,
) -> Case:
    """Forward and backward of the operation `of_ops` on arrays of these shapes, dy among them."""

    def side(library: Library, drawn: Arrays) -> Side:
        return library.operation(of_ops, drawn, options)

    has_images = any(len(shape) == 4 for shape in arrays.values())
    return Case(name, about, work, lambda: draw(arrays), side, channels_last=has_images)


def conv(
    name: str,
    N: int,
    C: int,
    F: int,
    size: int,
    kernel: int = 3,
    stride: int = 1,
    groups: int = 1,
) -> Case:
    """A convolution of square images, padded to keep their size at stride 1."""
    padding = kernel // 2
    window = shapes.Window((kernel,) * 2, (stride,) * 2, (padding,) * 2, (1, 1))
    out = shapes.output_size(size, window, 0)
    arrays = {
        "x": (N, C, size, size),
        "w": (F, C // groups, kernel, kernel),
        "dy": (N, F, out, out),
    }
    flops = 3 * 2 * N * F * out**2 * (C // groups) * kernel**2
    about = f"convolution {kernel}×{kernel}, {N} images, {C}→{F} channels, {size}²"
    about += f", stride {stride}" if stride > 1 else ""
    about += f", {groups} groups" if groups > 1 else ""
    options = {"stride": stride, "padding": padding, "groups": groups}
    return operation(name, about, Work(flops, "FLOP"), "conv2d", arrays, **options)


def linear(name: str, N: int, inputs: int, outputs: int) -> Case:
    """A linear map with a bias."""
    arrays = {"x": (N, inputs), "w": (outputs, inputs), "b": (outputs,), "dy": (N, outputs)}
    flops = 3 * 2 * N * inputs * outputs
    about = f"linear, {N} rows, {inputs}→{outputs} features"
    return operation(name, about, Work(flops, "FLOP"), "linear", arrays)


def se(name: str, N: int, C: int, size: int, reduction: int) -> Case:
    """An SE block with average squeeze and sigmoid gate."""
    shape = (N, C, size, size)

    def side(library: Library, arrays: Arrays) -> Side:
        return library.se_block(C, reduction, arrays)

    return Case(
        name,
        f"SE block, {N} images, {C} channels, {size}², reduction {reduction}",
        _bytes(7 * N * C * size**2),
        lambda: draw({"x": shape, "dy": shape}),
        side,
    )


def norm_relu(name: str, N: int, C: int, size: int) -> Case:
    """Batch normalisation by the batch, and relu."""
    shape = (N, C, size, size)
    arrays = {"x": shape, "w": (C,), "b": (C,), "dy": shape}
    about = f"batch norm + relu in training, {N} images, {C} channels, {size}²"
    return operation(name, about, _bytes(8 * N * C * size**2), "batch_norm_relu", arrays)


def tail(name: str, N: int, C: int, size: int) -> Case:
    """Where branch and shortcut of an SE residual block meet."""
    shape = (N, C, size, size)
    arrays = {"x": shape, "s": (N, C), "r": shape, "dy": shape}
    about = f"tail of an SE residual block, relu(s·x + r), {N} images, {C} channels, {size}²"
    return operation(name, about, _bytes(8 * N * C * size**2), "scale_add_relu", arrays)


def pool(name: str, N: int, C: int, size: int) -> Case:
    """Max pooling by half."""
    arrays = {"x": (N, C, size, size), "dy": (N, C, size // 2, size // 2)}
    about = f"max pool 2×2, {N} images, {C} channels, {size}²"
    moved = 2 * N * C * (size**2 + (size // 2) ** 2)
    return operation(name, about, _bytes(moved), "max_pool2d", arrays, kernel_size=2)


def _bytes(floats: int) -> Work:
    return Work(floats * FLOAT32, "B")


def step(name: str, net: str, batch: int) -> Case:
    """A training step: forward, loss, zero_grad, backward, SGD with momentum; nothing dropped."""

    def side(library: Library, arrays: Arrays) -> Side:
        return library.step(net, arrays)

    about = f"training step of {net}, {batch} images"
    work = Work(batch, "images")
    return Case(
        name, about, work, lambda: images(net, batch), side,
        gradient_tolerance=NET_GRADIENT_TOLERANCE, forward_tolerance=DEEP.get(net, TOLERANCE),
    )  # fmt: skip


def evaluated(name: str, net: str, batch: int = 1) -> Case:
    """A net on a single image or a batch, in evaluation mode."""

    def side(library: Library, arrays: Arrays) -> Side:
        return library.evaluated(net, arrays)

    about = f"{net} in evaluation mode, {batch} image" + "s" * (batch > 1)
    return Case(name, about, Work(batch, "images"), lambda: images(net, batch), side)


def images(net: str, batch: int) -> Arrays:
    """Random images of the size that a net was made for, with labels.

    Digits would do as well, but their black makes thousands of pixels of a map the same, and where
    that value happens to be near 0, relu turns them all on or off at once.
    """
    labels = np.random.default_rng(0).integers(0, 10, batch)
    return {**draw({"x": (batch, *models.image_shape(net))}), "labels": labels}


CASES: dict[str, AnyCase] = {
    case.name: case
    for case in (
        conv("conv3x3-16-28", 64, 16, 16, 28),
        conv("conv3x3-32-14", 64, 32, 32, 14),
        conv("conv3x3-64-7", 64, 64, 64, 7),
        conv("conv3x3-64-56", 32, 64, 64, 56),
        conv("conv3x3-stride2", 64, 16, 32, 28, stride=2),
        conv("conv3x3-depthwise", 64, 64, 64, 14, groups=64),
        conv("conv3x3-grouped", 16, 128, 128, 14, groups=32),
        conv("conv5x5-16-14", 64, 16, 32, 14, kernel=5),
        conv("conv1x1-32-14", 64, 32, 64, 14, kernel=1),
        linear("linear-784-10", 64, 784, 10),
        se("se-16-28", 64, 16, 28, 4),
        se("se-32-14", 64, 32, 14, 4),
        se("se-64-56", 32, 64, 56, 16),
        se("se-256-56", 32, 256, 56, 16),
        norm_relu("norm-relu-16-28", 64, 16, 28),
        norm_relu("norm-relu-64-7", 64, 64, 7),
        tail("tail-32-14", 64, 32, 14),
        pool("pool-16-28", 64, 16, 28),
        step("step-se-resnet8-64", "se-resnet8", 64),
        step("step-se-resnet8-128", "se-resnet8", 128),
        step("step-se-cnn-64", "se-cnn", 64),
        evaluated("image-se-cnn", "se-cnn"),
        evaluated("image-se-resnet8", "se-resnet8"),
        evaluated("image-se-mobilenetv3-large", "se-mobilenetv3-large"),
        evaluated("image-se-efficientnet-b0", "se-efficientnet-b0"),
        MemoryCase(
            "memory-se-resnet8",
            "peak memory of a training step of se-resnet8, 128 images",
            "se-resnet8",
            128,
        ),
    )
}

# What takes half a minute and some GB each: only by name, as in `minise bench batch`.
BATCHES: dict[str, AnyCase] = {
    case.name: case
    for net in ("se-mobilenetv3-large", "se-efficientnet-b0")
    for case in (evaluated(f"batch-{net}", net, 32), step(f"batch-step-{net}", net, 32))
}

# What takes a processor minutes, measured on a GPU in addition: there the sizes above show how long
# launching the work takes, and these how long the work itself takes.
ON_GPU: dict[str, AnyCase] = {
    case.name: case
    for case in (
        conv("conv3x3-256-56", 32, 256, 256, 56),
        conv("conv1x1-256-56", 32, 256, 64, 56, kernel=1),
        se("se-256-56-large", 64, 256, 56, 16),
        norm_relu("norm-relu-256-56", 64, 256, 56),
        tail("tail-256-56", 64, 256, 56),
        pool("pool-256-56", 64, 256, 56),
        step("step-se-resnet8-512", "se-resnet8", 512),
        step("step-se-resnet50-32", "se-resnet50", 32),
        MemoryCase(
            "memory-se-resnet50",
            "peak memory of a training step of se-resnet50, 32 images",
            "se-resnet50",
            32,
        ),
    )
}

# The same step at growing batch sizes: how the time per image falls.
SCALING: dict[str, AnyCase] = {
    case.name: case
    for case in (
        step(f"scaling-{batch}", "se-resnet8", batch) for batch in (16, 32, 64, 128, 256, 512)
    )
}
