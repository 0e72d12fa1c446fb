"""Layers with their parameters, the SE block, and the blocks built on it."""

from minise.nn.conv_norm import conv_norm_relu
from minise.nn.inception import Inception
from minise.nn.init import he_normal, lecun_normal, unfilled
from minise.nn.layer import Backward, Buffer, Layer, Parameter, Sequential, differences, moved
from minise.nn.layers import (
    BatchNorm2d,
    BatchNormReLU2d,
    Conv2d,
    Dropout,
    Flatten,
    HardSigmoid,
    Linear,
    ReLU,
    Sigmoid,
    Tanh,
)
from minise.nn.observe import observed
from minise.nn.pooling import (
    AddingBackward,
    AvgPool2d,
    GlobalAvgMaxPool,
    GlobalAvgPool,
    GlobalMaxPool,
    MaxPool2d,
)
from minise.nn.relatives import ECA, ConcurrentSE, GatherExcite, NoSqueeze, SpatialSE
from minise.nn.residual import PLACEMENTS, Bottleneck, Residual
from minise.nn.se import PRESETS, MakeSE, SEBlock

__all__ = [
    "ECA",
    "PLACEMENTS",
    "PRESETS",
    "AddingBackward",
    "AvgPool2d",
    "Backward",
    "BatchNorm2d",
    "BatchNormReLU2d",
    "Bottleneck",
    "Buffer",
    "ConcurrentSE",
    "Conv2d",
    "Dropout",
    "Flatten",
    "GatherExcite",
    "GlobalAvgMaxPool",
    "GlobalAvgPool",
    "GlobalMaxPool",
    "HardSigmoid",
    "Inception",
    "Layer",
    "Linear",
    "MakeSE",
    "MaxPool2d",
    "NoSqueeze",
    "Parameter",
    "ReLU",
    "Residual",
    "SEBlock",
    "Sequential",
    "Sigmoid",
    "SpatialSE",
    "Tanh",
    "conv_norm_relu",
    "differences",
    "he_normal",
    "lecun_normal",
    "moved",
    "observed",
    "unfilled",
]
