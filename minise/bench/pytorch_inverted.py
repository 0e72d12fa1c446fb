"""The nets of inverted residuals, MobileNetV3 and EfficientNet, from PyTorch's own layers.

Sizes are read from minise's tables; layers and their order are those of torchvision. What is
dropped at random in training is left out: results could not be compared.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from minise.models import efficientnet, mobilenetv3
from minise.nn.widths import hidden_width

ACTIVATIONS: dict[str, type[nn.Module]] = {
    "relu": nn.ReLU,
    "silu": nn.SiLU,
    "hard_swish": nn.Hardswish,
}


def conv_norm_act(
    channels: int,
    filters: int,
    kernel_size: int,
    stride: int = 1,
    groups: int = 1,
    activation: str = "none",
    eps: float = 1e-5,
) -> nn.Sequential:
    """As `minise.nn.conv_norm_act`."""
    padding = kernel_size // 2
    conv = nn.Conv2d(channels, filters, kernel_size, stride, padding, groups=groups, bias=False)
    layers: dict[str, nn.Module] = {"conv": conv, "bn": nn.BatchNorm2d(filters, eps)}
    if activation != "none":
        layers["act"] = ACTIVATIONS[activation](inplace=True)
    return nn.Sequential(OrderedDict(layers))


class SqueezeExcitation(nn.Module):
    """As `minise.SEBlock`."""

    def __init__(
        self, channels: int, hidden: int, activation: str, gate: Callable[[Tensor], Tensor]
    ) -> None:
        super().__init__()
        self.fc1, self.fc2 = nn.Linear(channels, hidden), nn.Linear(hidden, channels)
        self.activation, self.gate = ACTIVATIONS[activation](inplace=True), gate

    def forward(self, x: Tensor) -> Tensor:
        z = F.adaptive_avg_pool2d(x, 1).flatten(1)
        return x * self.gate(self.fc2(self.activation(self.fc1(z))))[:, :, None, None]


class InvertedResidual(nn.Module):
    """As `minise.nn.InvertedResidual`."""

    def __init__(
        self,
        channels: int,
        filters: int,
        stride: int,
        *,
        width: int,
        kernel_size: int,
        activation: str,
        se: nn.Module | None,
        eps: float = 1e-5,
    ) -> None:
        super().__init__()
        self.adds_input = stride == 1 and channels == filters
        if width != channels:
            self.expand = conv_norm_act(channels, width, 1, activation=activation, eps=eps)
        self.depthwise = conv_norm_act(width, width, kernel_size, stride, width, activation, eps)
        if se is not None:
            self.se = se
        self.project = conv_norm_act(width, filters, 1, eps=eps)

    def forward(self, x: Tensor) -> Tensor:
        u = x
        for layer in self.children():
            u = layer(u)
        return u + x if self.adds_input else u


def mobilenetv3_large() -> nn.Module:
    """`se-mobilenetv3-large`."""
    widths, eps = mobilenetv3.LARGE, 0.001
    channels, act = widths.stem, "hard_swish"
    layers: dict[str, nn.Module] = {"stem": conv_norm_act(3, channels, 3, 2, 1, act, eps)}
    for k, block in enumerate(widths.blocks, start=1):
        hidden = hidden_width(block.width, 4, "torchvision")
        se = SqueezeExcitation(block.width, hidden, "relu", F.hardsigmoid)
        layers[f"block{k}"] = InvertedResidual(
            channels, block.filters, block.stride, width=block.width,
            kernel_size=block.kernel_size, activation=block.activation,
            se=se if block.has_se else None, eps=eps,
        )  # fmt: skip
        channels = block.filters
    layers["head"] = conv_norm_act(channels, widths.head, 1, 1, 1, act, eps)
    layers["pool"], layers["flatten"] = nn.AdaptiveAvgPool2d(1), nn.Flatten()
    layers["fc1"], layers["act"] = nn.Linear(widths.head, widths.hidden), nn.Hardswish(inplace=True)
    layers["fc2"] = nn.Linear(widths.hidden, 1000)
    return nn.Sequential(OrderedDict(layers))


def efficientnet_b0() -> nn.Module:
    """`se-efficientnet-b0`."""
    widths = efficientnet.B0
    channels = widths.stem
    layers: dict[str, nn.Module] = {"stem": conv_norm_act(3, channels, 3, 2, activation="silu")}
    for k, stage in enumerate(widths.stages, start=1):
        blocks = nn.Sequential()
        for place in range(stage.blocks):
            width = stage.expansion * channels
            blocks.append(
                InvertedResidual(
                    channels, stage.filters, stage.stride if place == 0 else 1, width=width,
                    kernel_size=stage.kernel_size, activation="silu",
                    se=SqueezeExcitation(width, channels // 4, "silu", torch.sigmoid),
                )
            )  # fmt: skip
            channels = stage.filters
        layers[f"stage{k}"] = blocks
    layers["head"] = conv_norm_act(channels, widths.head, 1, activation="silu")
    layers["pool"], layers["flatten"] = nn.AdaptiveAvgPool2d(1), nn.Flatten()
    layers["fc"] = nn.Linear(widths.head, 1000)
    return nn.Sequential(OrderedDict(layers))
