"""The relatives of the SE block, and the blocks it stands in, from PyTorch's own layers."""

from collections import OrderedDict

import torch
from torch import nn
from torch.nn import functional as F


class NoSqueeze(nn.Module):
    def __init__(self, channels, reduction):
        super().__init__()
        hidden = channels // reduction
        self.fc1, self.fc2 = nn.Conv2d(channels, hidden, 1), nn.Conv2d(hidden, channels, 1)

    def forward(self, x):
        return x * torch.sigmoid(self.fc2(F.relu(self.fc1(x))))


BETWEEN = {
    "relu": F.relu,
    "relu6": F.relu6,
    "leaky_relu": F.leaky_relu,
    "silu": F.silu,
    "hard_swish": F.hardswish,
    "sigmoid": torch.sigmoid,
    "tanh": torch.tanh,
    "none": lambda x: x,
}
GATES = {
    "sigmoid": torch.sigmoid,
    # not F.hardsigmoid, whose derivative is the float32 nearest to 1/6, in float64 too
    "hard_sigmoid": lambda x: F.hardtanh(x / 6 + 0.5, 0, 1),
    "hard_sigmoid_0.2": lambda x: F.hardtanh(0.2 * x + 0.5, 0, 1),
    "clip": lambda x: F.hardtanh(x, 0, 1),  # clamp's derivative is 1 at its bounds
    "tanh": torch.tanh,
    "relu": F.relu,
}


class SEBlock(nn.Module):
    """As `minise.SEBlock`, of all its options but the width's."""

    def __init__(self, channels, hidden, *, squeeze, activation, norm, gate, bias, residual):
        super().__init__()
        from minise.bench.pytorch_nets import SQUEEZES

        self.fc1 = nn.Linear(channels, hidden, bias)
        self.norm = nn.BatchNorm1d(hidden) if norm != "none" else nn.Identity()
        self.fc2 = nn.Linear(hidden, channels, bias)
        self.squeeze, self.place, self.residual = SQUEEZES[squeeze], norm, residual
        self.between, self.gate = BETWEEN[activation], GATES[gate]

    def forward(self, x):
        h = self.fc1(self.squeeze(x, 1).flatten(1))
        a = self.between(self.norm(h)) if self.place == "before" else self.norm(self.between(h))
        y = x * self.gate(self.fc2(a))[:, :, None, None]
        return x + y if self.residual else y


class EffectiveSE(nn.Module):
    def __init__(self, channels, *, gate, bias):
        super().__init__()
        self.fc, self.gate = nn.Linear(channels, channels, bias), GATES[gate]

    def forward(self, x):
        return x * self.gate(self.fc(x.mean(dim=(2, 3))))[:, :, None, None]


class SpatialSE(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.conv = nn.Conv2d(channels, 1, 1)

    def forward(self, x):
        return x * torch.sigmoid(self.conv(x))


class ConcurrentSE(nn.Module):
    def __init__(self, channels, reduction, merge="max"):
        super().__init__()
        from minise.bench.pytorch_nets import SEBlock

        self.channel, self.spatial = SEBlock(channels, reduction), SpatialSE(channels)
        self.merge = torch.maximum if merge == "max" else torch.add

    def forward(self, x):
        return self.merge(self.channel(x), self.spatial(x))


class ECA(nn.Module):
    def __init__(self, channels, kernel_size):
        super().__init__()
        self.conv = nn.Conv2d(1, 1, (kernel_size, 1), padding=(kernel_size // 2, 0), bias=False)

    def forward(self, x):
        z = x.mean(dim=(2, 3))
        by_hand = F.conv1d(z[:, None], self.conv.weight[:, :, :, 0], padding=self.conv.padding[0])
        return x * torch.sigmoid(by_hand)[:, 0, :, None, None]


class GatherExcite(nn.Module):
    def forward(self, x):
        return x * torch.sigmoid(x.mean(dim=(2, 3), keepdim=True))


class Residual(nn.Module):
    """Both residual blocks, from a list of (kernel, channels, stride, groups)."""

    def __init__(self, channels, convolutions, stride, shortcut_kernel, se, placement):
        super().__init__()
        self.stages, before = nn.ModuleList(), channels
        for kernel, filters, by, groups in convolutions:
            conv = nn.Conv2d(before, filters, kernel, by, kernel // 2, groups=groups, bias=False)
            self.stages.append(nn.Sequential(conv, nn.BatchNorm2d(filters)))
            before = filters
        self.se = se
        self.shortcut = nn.Sequential()
        if stride != 1 or channels != before:
            conv = nn.Conv2d(
                channels, before, shortcut_kernel, stride, shortcut_kernel // 2, bias=False
            )
            self.shortcut = nn.Sequential(conv, nn.BatchNorm2d(before))
        self.placement = placement
        self.first_3x3 = [kernel for kernel, *_ in convolutions].index(3)

    def forward(self, x):
        se = {self.placement: self.se}
        u = se["pre"](x) if "pre" in se else x
        for k, stage in enumerate(self.stages):
            u = stage(u)
            u = F.relu(u) if k < len(self.stages) - 1 else u
            if k == self.first_3x3 and "3x3" in se:
                u = se["3x3"](u)
        u = se["standard"](u) if "standard" in se else u
        u = se["activated"](F.relu(u)) if "activated" in se else u
        r = self.shortcut(x)
        r = se["identity"](r) if "identity" in se else r
        y = F.relu(u + r)
        return se["post"](y) if "post" in se else y


def named(**layers):
    """Layers one after the other, with these names."""
    return nn.Sequential(OrderedDict(layers))


def unit(channels, filters, kernel, stride=1, groups=1):
    """A convolution, batch norm and relu."""
    conv = nn.Conv2d(channels, filters, kernel, stride, kernel // 2, groups=groups, bias=False)
    return named(conv=conv, bn=nn.BatchNorm2d(filters), relu=nn.ReLU())


class Inception(nn.Module):
    """As `minise.nn.Inception`; `se` is a block for the joined channels, or None."""

    def __init__(
        self, channels, ones, threes, fives, pooled,
        *, stride=1, factored=False, pool="max", se=None,
    ):  # fmt: skip
        super().__init__()
        if ones:
            self.branch1x1 = unit(channels, ones, 1)
        self.branch3x3 = nn.Sequential(
            unit(channels, threes[0], 1), unit(threes[0], threes[1], 3, stride)
        )
        if factored:
            convolutions = [unit(*fives, 3), unit(fives[1], fives[1], 3, stride)]
        else:
            convolutions = [unit(*fives, 5, stride)]
        self.branch5x5 = nn.Sequential(unit(channels, fives[0], 1), *convolutions)
        pooling = nn.MaxPool2d if pool == "max" else nn.AvgPool2d
        self.branch_pool = nn.Sequential(pooling(3, stride, 1))
        if pooled:
            self.branch_pool.append(unit(channels, pooled, 1))
        self.se = se or nn.Identity()

    def forward(self, x):
        large = [self.branch3x3(x), self.branch5x5(x), self.branch_pool(x)]
        ones = [self.branch1x1(x)] if hasattr(self, "branch1x1") else []
        return self.se(torch.cat(ones + large, dim=1))


ACTIVATIONS = {
    "relu": nn.ReLU, "silu": nn.SiLU, "hard_swish": nn.Hardswish, "tanh": nn.Tanh,
    "none": nn.Identity,
}  # fmt: skip


class SE(nn.Module):
    """Squeeze-and-excitation with any activation between and any gate."""

    def __init__(self, channels, hidden, activation=F.relu, gate=torch.sigmoid):
        super().__init__()
        self.fc1, self.fc2 = nn.Linear(channels, hidden), nn.Linear(hidden, channels)
        self.activation, self.gate = activation, gate

    def forward(self, x):
        z = x.mean((2, 3))
        return x * self.gate(self.fc2(self.activation(self.fc1(z))))[:, :, None, None]


def active_unit(channels, filters, kernel, stride=1, groups=1, activation="relu", **norm):
    """A convolution, batch norm and an activation."""
    conv = nn.Conv2d(channels, filters, kernel, stride, kernel // 2, groups=groups, bias=False)
    norm = nn.BatchNorm2d(filters, **norm)
    return named(conv=conv, bn=norm, act=ACTIVATIONS[activation]())


class InvertedResidual(nn.Module):
    """As `minise.nn.InvertedResidual`, without drop path; `se` is a block or None."""

    def __init__(
        self, channels, filters, stride=1, *, width, kernel_size=3, activation="relu", se=None,
        **norm,
    ):  # fmt: skip
        super().__init__()
        if width != channels:
            self.expand = active_unit(channels, width, 1, activation=activation, **norm)
        self.depthwise = active_unit(width, width, kernel_size, stride, width, activation, **norm)
        if se is not None:
            self.se = se
        self.project = active_unit(width, filters, 1, activation="none", **norm)
        self.has_sum = stride == 1 and channels == filters

    def forward(self, x):
        u = x
        for layer in self.children():
            u = layer(u)
        return u + x if self.has_sum else u


def se_resnet50(reduction=16):
    """`se-resnet50`, its state in the same order."""
    from minise.bench.pytorch_nets import SEBlock

    layers = [nn.Conv2d(3, 64, 7, 2, 3, bias=False), nn.BatchNorm2d(64), nn.ReLU()]
    layers.append(nn.MaxPool2d(3, 2, 1))
    channels = 64
    for stage, (blocks, width) in enumerate(zip((3, 4, 6, 3), (64, 128, 256, 512), strict=True)):
        for k in range(blocks):
            stride = 2 if k == 0 and stage else 1
            convolutions = [(1, width, stride, 1), (3, width, 1, 1), (1, 4 * width, 1, 1)]
            se = SEBlock(4 * width, reduction)
            layers.append(Residual(channels, convolutions, stride, 1, se, "standard"))
            channels = 4 * width
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(2048, 1000))
