"""Nets of minise, built from PyTorch's own layers with the same names."""

from functools import partial

from oracle.blocks import Inception, named, unit
from torch import nn

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


NETS = {}
for _name, _net in {
    "inception-tiny": inception_tiny,
    "mobilenet-tiny": mobilenet_tiny,
    "vgg-tiny": vgg_tiny,
    "bn-inception": bn_inception,
}.items():
    NETS |= {_name: partial(_net, se=False), f"se-{_name}": partial(_net, se=True)}
