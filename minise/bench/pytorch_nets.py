"""The nets of minise, built from PyTorch's own layers with the same names."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from minise.bench.pytorch_inverted import efficientnet_b0, mobilenetv3_large

SQUEEZES: dict[str, Callable[[Tensor, int], Tensor]] = {
    "avg": F.adaptive_avg_pool2d,
    "max": F.adaptive_max_pool2d,
    "avg+max": lambda x, size: (
        (F.adaptive_avg_pool2d(x, size) + F.adaptive_max_pool2d(x, size)) / 2
    ),
}


class SEBlock(nn.Module):
    """As `minise.SEBlock`; gate is a function of a tensor."""

    def __init__(
        self,
        channels: int,
        reduction: float,
        squeeze: str = "avg",
        gate: Callable[[Tensor], Tensor] = torch.sigmoid,
    ) -> None:
        super().__init__()
        hidden = max(1, int(channels / reduction))
        self.fc1, self.fc2 = nn.Linear(channels, hidden), nn.Linear(hidden, channels)
        self.squeeze = SQUEEZES[squeeze]
        self.gate = gate

    def forward(self, x: Tensor) -> Tensor:
        z = self.squeeze(x, 1).flatten(1)
        return x * self.gate(self.fc2(F.relu(self.fc1(z))))[:, :, None, None]


class Residual(nn.Module):
    """As `minise.nn.Residual`, with SE blocks whose reduction is 4, or without."""

    def __init__(self, channels: int, filters: int, stride: int, se: bool) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, filters, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(filters)
        self.conv2 = nn.Conv2d(filters, filters, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(filters)
        self.se = SEBlock(filters, 4) if se else nn.Identity()
        self.shortcut = nn.Sequential()
        if stride != 1 or channels != filters:
            conv = nn.Conv2d(channels, filters, 1, stride, bias=False)
            self.shortcut = nn.Sequential(conv, nn.BatchNorm2d(filters))

    def forward(self, x: Tensor) -> Tensor:
        u = F.relu(self.bn1(self.conv1(x)))
        u = self.se(self.bn2(self.conv2(u)))
        return F.relu(u + self.shortcut(x))


class Bottleneck(nn.Module):
    """As `minise.nn.Bottleneck` with `stride_first`, with SE blocks whose reduction is 16."""

    def __init__(self, channels: int, width: int, stride: int, se: bool) -> None:
        super().__init__()
        filters = 4 * width
        self.conv1 = nn.Conv2d(channels, width, 1, stride, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.conv3 = nn.Conv2d(width, filters, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(filters)
        self.se = SEBlock(filters, 16) if se else nn.Identity()
        self.shortcut = nn.Sequential()
        if stride != 1 or channels != filters:
            conv = nn.Conv2d(channels, filters, 1, stride, bias=False)
            self.shortcut = nn.Sequential(conv, nn.BatchNorm2d(filters))

    def forward(self, x: Tensor) -> Tensor:
        u = F.relu(self.bn1(self.conv1(x)))
        u = F.relu(self.bn2(self.conv2(u)))
        u = self.se(self.bn3(self.conv3(u)))
        return F.relu(u + self.shortcut(x))


class ResNet50(nn.Module):
    """`resnet50` and `se-resnet50`."""

    def __init__(self, se: bool) -> None:
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(3, 64, 7, 2, 3, bias=False), nn.BatchNorm2d(64)
        channels = 64
        for stage, (blocks, width) in enumerate(((3, 64), (4, 128), (6, 256), (3, 512)), start=1):
            layer = nn.Sequential()
            for k in range(blocks):
                layer.append(Bottleneck(channels, width, 2 if k == 0 and stage > 1 else 1, se))
                channels = 4 * width
            setattr(self, f"layer{stage}", layer)
        self.fc = nn.Linear(channels, 1000)

    def forward(self, x: Tensor) -> Tensor:
        x = F.max_pool2d(F.relu(self.bn1(self.conv1(x))), 3, 2, 1)
        x = self.layer4(self.layer3(self.layer2(self.layer1(x))))
        return self.fc(x.mean(dim=(2, 3)))


class ResNet8(nn.Module):
    """`resnet8` and `se-resnet8`."""

    def __init__(self, se: bool) -> None:
        super().__init__()
        self.conv, self.bn = nn.Conv2d(1, 16, 3, padding=1, bias=False), nn.BatchNorm2d(16)
        self.block1 = Residual(16, 16, 1, se)
        self.block2 = Residual(16, 32, 2, se)
        self.block3 = Residual(32, 64, 2, se)
        self.fc = nn.Linear(64, 10)

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self.bn(self.conv(x)))
        x = self.block3(self.block2(self.block1(x)))
        return self.fc(x.mean(dim=(2, 3)))


class CNN(nn.Module):
    """`cnn` and `se-cnn`."""

    def __init__(self, se: bool) -> None:
        super().__init__()
        self.conv1, self.conv2 = nn.Conv2d(1, 8, 3, padding=1), nn.Conv2d(8, 16, 3, padding=1)
        self.se1 = SEBlock(8, 4) if se else nn.Identity()
        self.se2 = SEBlock(16, 4) if se else nn.Identity()
        self.fc = nn.Linear(16 * 7 * 7, 10)

    def forward(self, x: Tensor) -> Tensor:
        x = F.max_pool2d(self.se1(F.relu(self.conv1(x))), 2)
        x = F.max_pool2d(self.se2(F.relu(self.conv2(x))), 2)
        return self.fc(x.flatten(1))


class CNN3(nn.Module):
    """`cnn3` and `se-cnn3`."""

    def __init__(self, se: bool) -> None:
        super().__init__()
        channels = (1, 8, 16, 40)
        self.conv1, self.conv2, self.conv3 = (
            nn.Conv2d(c, f, 3, padding=1, bias=False) for c, f in pairwise(channels)
        )
        self.bn1, self.bn2, self.bn3 = map(nn.BatchNorm2d, channels[1:])
        self.se2 = SEBlock(16, 2) if se else nn.Identity()
        self.se3 = SEBlock(40, 2) if se else nn.Identity()
        self.fc = nn.Linear(40 * 2 * 2, 10)

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self.bn1(F.max_pool2d(self.conv1(x), 2)))
        x = F.relu(self.se2(self.bn2(F.max_pool2d(self.conv2(x), 3, padding=1))))
        x = F.relu(self.se3(self.bn3(F.max_pool2d(self.conv3(x), 3, padding=1))))
        return self.fc(x.flatten(1))


NETS: dict[str, Callable[[], nn.Module]] = {
    "se-cnn": lambda: CNN(se=True),
    "cnn": lambda: CNN(se=False),
    "se-cnn3": lambda: CNN3(se=True),
    "cnn3": lambda: CNN3(se=False),
    "se-resnet8": lambda: ResNet8(se=True),
    "resnet8": lambda: ResNet8(se=False),
    "se-resnet50": lambda: ResNet50(se=True),
    "resnet50": lambda: ResNet50(se=False),
    "se-mobilenetv3-large": mobilenetv3_large,
    "se-efficientnet-b0": efficientnet_b0,
}
