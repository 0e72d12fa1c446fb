"""The relatives of the SE block, from PyTorch's own layers."""

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
