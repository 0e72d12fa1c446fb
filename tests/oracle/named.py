"""ResNets with bottlenecks as others build and name them, from PyTorch's own layers.

What is told apart: where the stride is, how the stem pools, what the parts are called, and whether
SE is of linear maps or of 1×1 convolutions, with biases or without.
"""

from collections import OrderedDict
from functools import partial

import torch
from torch import nn
from torch.nn import functional as F


class SEOfConvolutions(nn.Module):
    """timm's and Cadene's."""

    def __init__(self, channels, hidden):
        super().__init__()
        self.fc1, self.fc2 = nn.Conv2d(channels, hidden, 1), nn.Conv2d(hidden, channels, 1)

    def forward(self, x):
        s = x.mean((2, 3), keepdim=True)
        return x * torch.sigmoid(self.fc2(F.relu(self.fc1(s))))


class SEOfLinearMaps(nn.Module):
    """moskomule's."""

    def __init__(self, channels, hidden):
        super().__init__()
        self.fc = nn.Sequential(
            nn.Linear(channels, hidden, bias=False),
            nn.ReLU(),
            nn.Linear(hidden, channels, bias=False),
            nn.Sigmoid(),
        )

    def forward(self, x):
        return x * self.fc(x.mean((2, 3)))[:, :, None, None]


class Block(nn.Module):
    """A bottleneck, or with `basic` two 3×3 convolutions."""

    def __init__(self, channels, planes, stride, *, basic, se, stride_first, groups):
        super().__init__()
        conv = partial(nn.Conv2d, bias=False)
        if basic:
            self.out = planes
            self.conv1 = conv(channels, planes, 3, stride, 1)
            self.conv2 = conv(planes, planes, 3, 1, 1)
            widths = (planes, planes)
        else:
            self.out, width = 4 * planes, planes if groups == 1 else 2 * planes
            first, second = (stride, 1) if stride_first else (1, stride)
            self.conv1 = conv(channels, width, 1, first)
            self.conv2 = conv(width, width, 3, second, 1, groups=groups)
            self.conv3 = conv(width, self.out, 1)
            widths = (width, width, self.out)
        self.depth = len(widths)
        for k, width in enumerate(widths, start=1):
            setattr(self, f"bn{k}", nn.BatchNorm2d(width))
        self.se_name = None
        if se is not None:
            self.se_name, make, hidden = se
            setattr(self, self.se_name, make(self.out, hidden(self.out)))
        self.downsample = None
        if stride != 1 or channels != self.out:
            self.downsample = nn.Sequential(
                conv(channels, self.out, 1, stride), nn.BatchNorm2d(self.out)
            )

    def forward(self, x):
        u = x
        for k in range(1, self.depth + 1):
            u = getattr(self, f"bn{k}")(getattr(self, f"conv{k}")(u))
            u = F.relu(u) if k < self.depth else u
        if self.se_name is not None:
            u = getattr(self, self.se_name)(u)
        return F.relu(u + (x if self.downsample is None else self.downsample(x)))


class ResNet(nn.Module):
    def __init__(
        self, blocks, *, basic=False, se=None, stride_first=False, groups=1, caffe=False
    ):  # fmt: skip
        super().__init__()
        stem = [("conv1", nn.Conv2d(3, 64, 7, 2, 3, bias=False)), ("bn1", nn.BatchNorm2d(64))]
        stem.append(("relu", nn.ReLU()))
        if caffe:
            stem.append(("pool", nn.MaxPool2d(3, 2, ceil_mode=True)))
            self.layer0 = nn.Sequential(OrderedDict(stem))
        else:
            stem.append(("maxpool", nn.MaxPool2d(3, 2, 1)))
            for name, layer in stem:
                setattr(self, name, layer)
        channels = 64
        for stage, (number, planes) in enumerate(
            zip(blocks, (64, 128, 256, 512), strict=True), start=1
        ):
            layer = nn.Sequential()
            for k in range(number):
                block = Block(
                    channels, planes, 2 if k == 0 and stage > 1 else 1,
                    basic=basic, se=se, stride_first=stride_first, groups=groups,
                )  # fmt: skip
                layer.append(block)
                channels = block.out
            setattr(self, f"layer{stage}", layer)
        self.classifier = "last_linear" if caffe else "fc"
        setattr(self, self.classifier, nn.Linear(channels, 1000))

    def forward(self, x):
        if hasattr(self, "layer0"):
            x = self.layer0(x)
        else:
            x = self.maxpool(self.relu(self.bn1(self.conv1(x))))
        x = self.layer4(self.layer3(self.layer2(self.layer1(x))))
        return getattr(self, self.classifier)(x.mean((2, 3)))


def sixteenth(channels):
    return channels // 16


def timm(channels):
    return max(8, int(channels / 16 + 4) // 8 * 8)


DEPTH_50 = (3, 4, 6, 3)
# whose names, which net: how they build it
THEIRS = {
    ("timm", "se-resnet50"): partial(ResNet, DEPTH_50, se=("se", SEOfConvolutions, timm)),
    ("timm", "se-resnet18"): partial(
        ResNet, (2, 2, 2, 2), basic=True, se=("se", SEOfConvolutions, timm)
    ),
    ("torchvision", "resnet50"): partial(ResNet, DEPTH_50),
    ("moskomule", "se-resnet50"): partial(
        ResNet, DEPTH_50, se=("se", SEOfLinearMaps, sixteenth)
    ),
    ("cadene", "se-resnet50"): partial(
        ResNet, DEPTH_50, se=("se_module", SEOfConvolutions, sixteenth), stride_first=True,
        caffe=True,
    ),
    ("cadene", "se-resnext50-32x4d"): partial(
        ResNet, DEPTH_50, se=("se_module", SEOfConvolutions, sixteenth), groups=32, caffe=True
    ),
}  # fmt: skip
