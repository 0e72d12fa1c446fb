"""Layers with their parameters, the SE block, and the blocks built on it."""

from minise.nn.init import he_normal, lecun_normal
from minise.nn.layer import Backward, Buffer, Layer, Parameter, Sequential
from minise.nn.layers import (
    AddingBackward,
    AvgPool2d,
    BatchNorm2d,
    BatchNormReLU2d,
    Conv2d,
    Dropout,
    Flatten,
    GlobalAvgPool,
    GlobalMaxPool,
    HardSigmoid,
    Linear,
    MaxPool2d,
    ReLU,
    Sigmoid,
    Tanh,
)
from minise.nn.observe import observed
from minise.nn.residual import Residual, SEResidual
from minise.nn.se import SEBlock

__all__ = [
    "AddingBackward",
    "AvgPool2d",
    "Backward",
    "BatchNorm2d",
    "BatchNormReLU2d",
    "Buffer",
    "Conv2d",
    "Dropout",
    "Flatten",
    "GlobalAvgPool",
    "GlobalMaxPool",
    "HardSigmoid",
    "Layer",
    "Linear",
    "MaxPool2d",
    "Parameter",
    "ReLU",
    "Residual",
    "SEBlock",
    "SEResidual",
    "Sequential",
    "Sigmoid",
    "Tanh",
    "he_normal",
    "lecun_normal",
    "observed",
]
