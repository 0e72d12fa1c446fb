"""Nets of minise, built from PyTorch's own layers with the same names."""

from functools import partial

from oracle.blocks import SE, Inception, InvertedResidual, active_unit, named, unit
from torch import nn
from torch.nn import functional as F

from minise.bench.pytorch_nets import SEBlock


def classified(layers, channels, classes=10):
    """The mean of each map behind these layers, and a linear map of the means."""
    means = {"pool": nn.AdaptiveAvgPool2d(1), "flatten": nn.Flatten()}
    return named(**layers, **means, fc=nn.Linear(channels, classes))


def inception_tiny(se):
    def module(channels, joined, *widths):
        return Inception(channels, *widths, se=SEBlock(joined, 4) if se else None)

    layers = {
        "stem": unit(1, 16, 3),
        "pool1": nn.MaxPool2d(2),
        "inceptiona": module(16, 56, 16, (16, 24), (4, 8), 8),
        "inceptionb": module(56, 88, 24, (24, 32), (8, 16), 16),
        "pool2": nn.MaxPool2d(2),
        "inceptionc": module(88, 112, 32, (32, 48), (8, 16), 16),
    }
    return classified(layers, 112)


def mobilenet_tiny(se):
    layers, channels = {"stem": unit(1, 16, 3)}, 16
    for k, (filters, stride) in enumerate([(32, 1), (64, 2), (64, 1), (128, 2)], start=1):
        block = {
            "depthwise": unit(channels, channels, 3, stride, groups=channels),
            "pointwise": unit(channels, filters, 1),
        }
        layers[f"block{k}"] = named(**block, **({"se": SEBlock(filters, 4)} if se else {}))
        channels = filters
    return classified(layers, 128)


def vgg_tiny(se):
    layers, channels = {}, 1
    for stage, filters in enumerate((16, 32, 64), start=1):
        for k in (1, 2):
            layers[f"conv{stage}_{k}"] = unit(channels, filters, 3)
            if se:
                layers[f"se{stage}_{k}"] = SEBlock(filters, 4)
            channels = filters
        if stage < 3:
            layers[f"pool{stage}"] = nn.MaxPool2d(2)
    return classified(layers, 64)


def bn_inception(se):
    """Ioffe & Szegedy, arXiv 1502.03167, figure 5, with 4a to 4e as others trained them."""

    def pooling():
        return nn.MaxPool2d(3, 2, 1)

    layers = {
        "conv1": unit(3, 64, 7, 2),
        "pool1": pooling(),
        "conv2": nn.Sequential(unit(64, 64, 1), unit(64, 192, 3)),
        "pool2": pooling(),
    }
    channels = 192
    for name, joined, widths, options in [
        ("3a", 256, (64, (64, 64), (64, 96), 32), {"pool": "avg"}),
        ("3b", 320, (64, (64, 96), (64, 96), 64), {"pool": "avg"}),
        ("3c", 576, (0, (128, 160), (64, 96), 0), {"stride": 2}),
        ("4a", 576, (224, (64, 96), (96, 128), 128), {"pool": "avg"}),
        ("4b", 576, (192, (96, 128), (96, 128), 128), {"pool": "avg"}),
        ("4c", 608, (160, (128, 160), (128, 160), 128), {"pool": "avg"}),
        ("4d", 608, (96, (128, 192), (160, 192), 128), {"pool": "avg"}),
        ("4e", 1056, (0, (128, 192), (192, 256), 0), {"stride": 2}),
        ("5a", 1024, (352, (192, 320), (160, 224), 128), {"pool": "avg"}),
        ("5b", 1024, (352, (192, 320), (192, 224), 128), {"pool": "max"}),
    ]:
        block = SEBlock(joined, 16) if se else None
        layers[f"inception{name}"] = Inception(
            channels, *widths, factored=True, se=block, **options
        )
        channels = joined
    return classified(layers, 1024, 1000)


def eighths(width):
    """The nearest multiple of 8, or the next where that loses more than a tenth."""
    nearest = max(8, (width + 4) // 8 * 8)
    return nearest if nearest >= 0.9 * width else nearest + 8


# kernel, width, filters, SE, hard swish, stride: torchvision 0.28.0, models/mobilenetv3.py
LARGE = """3 16 16 0 0 1,3 64 24 0 0 2,3 72 24 0 0 1,5 72 40 1 0 2,5 120 40 1 0 1,5 120 40 1 0 1,
    3 240 80 0 1 2,3 200 80 0 1 1,3 184 80 0 1 1,3 184 80 0 1 1,3 480 112 1 1 1,3 672 112 1 1 1,
    5 672 160 1 1 2,5 960 160 1 1 1,5 960 160 1 1 1"""
SMALL = """3 16 16 1 0 2,3 72 24 0 0 2,3 88 24 0 0 1,5 96 40 1 1 2,5 240 40 1 1 1,5 240 40 1 1 1,
    5 120 48 1 1 1,5 144 48 1 1 1,5 288 96 1 1 2,5 576 96 1 1 1,5 576 96 1 1 1"""
TINY = "3 16 16 1 0 1,3 64 24 0 0 1,5 72 32 1 1 2,5 96 32 1 1 1"


def hard_sigmoid(x):
    """PyTorch's own has the 1/6 of float32 in its derivative, in float64 as well."""
    return F.relu6(x + 3) / 6


def mobilenetv3(se, table, head, hidden, dropout=0.2, images=3, classes=1000, **norm):
    layers = {"stem": active_unit(images, 16, 3, 2, activation="hard_swish", **norm)}
    channels = 16
    for number, row in enumerate(table.split(","), start=1):
        kernel, width, filters, has_se, hard, stride = map(int, row.split())
        block = SE(width, eighths(width // 4), gate=hard_sigmoid) if se and has_se else None
        layers[f"block{number}"] = InvertedResidual(
            channels, filters, stride, width=width, kernel_size=kernel,
            activation="hard_swish" if hard else "relu", se=block, **norm,
        )  # fmt: skip
        channels = filters
    layers["head"] = active_unit(channels, head, 1, activation="hard_swish", **norm)
    layers |= {"pool": nn.AdaptiveAvgPool2d(1), "flatten": nn.Flatten()}
    layers |= {"fc1": nn.Linear(head, hidden), "act": nn.Hardswish()}
    return named(**layers, dropout=nn.Dropout(dropout), fc2=nn.Linear(hidden, classes))


# expansion, kernel, stride, filters, blocks
B0 = [
    (1, 3, 1, 16, 1), (6, 3, 2, 24, 2), (6, 5, 2, 40, 2), (6, 3, 2, 80, 3), (6, 5, 1, 112, 3),
    (6, 5, 2, 192, 4), (6, 3, 1, 320, 1),
]  # fmt: skip
TINY_EFFICIENT = [(1, 3, 1, 16, 1), (4, 3, 1, 24, 1), (4, 5, 2, 32, 2)]


def efficientnet(se, table, stem, head, images=3, classes=1000):
    layers, channels = {"stem": active_unit(images, stem, 3, 2, activation="silu")}, stem
    for number, (expansion, kernel, stride, filters, blocks) in enumerate(table, start=1):
        stage = nn.Sequential()
        for k in range(blocks):
            width = expansion * channels
            stage.append(
                InvertedResidual(
                    channels, filters, 1 if k else stride, width=width, kernel_size=kernel,
                    activation="silu", se=SE(width, channels // 4, F.silu) if se else None,
                )
            )  # fmt: skip
            channels = filters
        layers[f"stage{number}"] = stage
    layers["head"] = active_unit(channels, head, 1, activation="silu")
    return classified(layers, head, classes)


class RegNetBlock(nn.Module):
    def __init__(self, channels, filters, stride, se):
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(channels, filters, 1, bias=False), nn.BatchNorm2d(filters)
        self.conv2 = nn.Conv2d(filters, filters, 3, stride, 1, groups=filters // 8, bias=False)
        self.bn2 = nn.BatchNorm2d(filters)
        self.conv3, self.bn3 = nn.Conv2d(filters, filters, 1, bias=False), nn.BatchNorm2d(filters)
        self.se = SE(filters, round(0.25 * channels)) if se else nn.Identity()
        self.shortcut = nn.Sequential()
        if stride > 1:
            conv = nn.Conv2d(channels, filters, 1, stride, bias=False)
            self.shortcut = nn.Sequential(conv, nn.BatchNorm2d(filters))

    def forward(self, x):
        u = F.relu(self.bn1(self.conv1(x)))
        u = self.se(F.relu(self.bn2(self.conv2(u))))
        return F.relu(self.bn3(self.conv3(u)) + self.shortcut(x))


def regnety_400mf(se):
    layers, channels = {"stem": unit(3, 32, 3, 2)}, 32
    for number, (filters, blocks) in enumerate([(48, 1), (104, 3), (208, 6), (440, 6)], start=1):
        stage = nn.Sequential()
        for k in range(blocks):
            stage.append(RegNetBlock(channels, filters, 1 if k else 2, se))
            channels = filters
        layers[f"stage{number}"] = stage
    return classified(layers, channels, 1000)


NETS = {}
for _name, _net in {
    "inception-tiny": inception_tiny,
    "mobilenet-tiny": mobilenet_tiny,
    "vgg-tiny": vgg_tiny,
    "bn-inception": bn_inception,
    "mobilenetv3-large": partial(
        mobilenetv3, table=LARGE, head=960, hidden=1280, eps=0.001, momentum=0.01
    ),
    "mobilenetv3-small": partial(
        mobilenetv3, table=SMALL, head=576, hidden=1024, eps=0.001, momentum=0.01
    ),
    "mobilenetv3-tiny": partial(
        mobilenetv3, table=TINY, head=96, hidden=128, dropout=0, images=1, classes=10
    ),
    "efficientnet-b0": partial(efficientnet, table=B0, stem=32, head=1280),
    "efficientnet-tiny": partial(
        efficientnet, table=TINY_EFFICIENT, stem=16, head=128, images=1, classes=10
    ),
    "regnety-400mf": regnety_400mf,
}.items():
    NETS |= {_name: partial(_net, se=False), f"se-{_name}": partial(_net, se=True)}
