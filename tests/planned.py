"""What follows plans, for one image and in training."""

from functools import partial

import numpy as np

from minise import nn

# Deeper ones are built of the same blocks, and take ten times as long.
DEEP = ("20", "32", "34", "56", "101", "101-32x4d", "110", "152", "154", "164")
OPTIONS = [
    *({"gate": gate} for gate in nn.se.GATES),
    {"squeeze": "max"},
    {"bias": False},
    {"rounding": "timm"},
    {"hidden": 1},
    *({"placement": place} for place in nn.PLACEMENTS),
    {"stages": (2,)},
]  # of a small residual net
NARROW = partial(nn.SEBlock, hidden=3, gate="hard_sigmoid", activation="silu")
LAYERS = {
    "conv": lambda: nn.Conv2d(4, 6, 3, padding=1),
    "conv, stride 2": lambda: nn.Conv2d(4, 6, 3, 2, padding=1, bias=False),
    "conv, dilated": lambda: nn.Conv2d(4, 4, 3, padding=2, dilation=2, groups=2),
    "conv, depthwise": lambda: nn.Conv2d(4, 4, (3, 1), groups=4),
    "conv 1×1": lambda: nn.Conv2d(4, 5, 1),
    "bn": lambda: nn.BatchNorm2d(4),
    "bn + relu": lambda: nn.BatchNormReLU2d(4),
    "relu": nn.ReLU,
    "sigmoid": nn.Sigmoid,
    "tanh": nn.Tanh,
    "hard sigmoid": nn.HardSigmoid,
    "max pool": lambda: nn.MaxPool2d(3, 2, padding=1),
    "max pool, ceil": lambda: nn.MaxPool2d(2, ceil_mode=True),
    "max of all": nn.GlobalMaxPool,
    "mean of all": nn.GlobalAvgPool,
    "linear": lambda: nn.Sequential(nn.Flatten(), nn.Linear(4 * 9 * 9, 3)),
    "linear, no bias": lambda: nn.Sequential(nn.Flatten(), nn.Linear(4 * 9 * 9, 3, bias=False)),
    "dropout": lambda: nn.Sequential(nn.ReLU(), nn.Dropout(rng=np.random.default_rng(0))),
    "drop path": lambda: nn.Sequential(nn.ReLU(), nn.DropPath(0.5, rng=np.random.default_rng(0))),
    "inverted": lambda: nn.InvertedResidual(4, 4, width=8, activation="hard_swish", se=NARROW),
    "inverted, stride 2": lambda: nn.InvertedResidual(4, 4, 2, width=8, activation="silu"),
    "eca": lambda: nn.ECA(4),
    "gather-excite": nn.GatherExcite,
    "no squeeze": lambda: nn.NoSqueeze(4, 2),
    "spatial": lambda: nn.SpatialSE(4),
    "both": lambda: nn.ConcurrentSE(4, 2, merge="add"),
    "flatten": nn.Flatten,
    "nothing": nn.Sequential,
}


def another_dict(net):
    net.bn.__dict__ = {**vars(net.bn), "momentum": 0.5, "eps": 0.1}


def another_class(net):
    net.block1.se.gate.__class__ = nn.Tanh


# of a small residual net, all of which are seen at once
CHANGES_OF_LAYERS = {
    "a layer of another class": another_class,
    "another dict of attributes": another_dict,
}


def another_array(net):
    net.fc.weight.value = net.fc.weight.value * 2
