"""Squeeze-and-excitation (Hu et al., arXiv 1709.01507, section 3).

z = squeeze(x)                       the mean (or maximum) of each map         eq. 2
s = gate(W₂ · relu(W₁ · z))          one gate for each channel                 eq. 3
y = s · x                            each map times its gate                   eq. 4
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from minise import ops
from minise.arrays import Array
from minise.errors import InputError
from minise.nearest import nearest
from minise.nn.init import generator, he_normal
from minise.nn.layer import Backward, Layer
from minise.nn.layers import HardSigmoid, Linear, ReLU, Sigmoid, Tanh
from minise.nn.pooling import (
    AddingBackward,
    GlobalAvgMaxPool,
    GlobalAvgPool,
    GlobalMaxPool,
)

__all__ = ["PRESETS", "MakeSE", "SEBlock"]

MakeSE: TypeAlias = Callable[[int], Layer]  # from the number of channels

SQUEEZES: dict[str, type[GlobalAvgPool | GlobalMaxPool | GlobalAvgMaxPool]] = {
    "avg": GlobalAvgPool,
    "max": GlobalMaxPool,
    "avg+max": GlobalAvgMaxPool,
}
GATES: dict[str, type[Layer]] = {
    "sigmoid": Sigmoid,
    "tanh": Tanh,
    "relu": ReLU,
    "hard_sigmoid": HardSigmoid,
}
ROUNDINGS = ("floor", "timm")


class Preset(NamedTuple):
    """Options of an `SEBlock`, and where they come from."""

    options: dict[str, Any]
    source: str


PRESETS = {
    "paper": Preset(
        {"reduction": 16, "bias": False}, "Hu et al., arXiv 1709.01507, equation 3 and section 6"
    ),
    "caffe": Preset({"reduction": 16}, "the authors' models, hujie-frank/SENet"),
    "timm": Preset({"reduction": 16, "rounding": "timm"}, "SEModule of timm"),
    "torchvision": Preset(
        {"reduction": 4, "rounding": "timm", "gate": "hard_sigmoid"},
        "MobileNetV3 of torchvision, after Howard et al., arXiv 1905.02244",
    ),
    "seed": Preset({"reduction": 3, "squeeze": "max"}, "the note that minise grew from"),
}


class SEBlock(Layer):
    """Squeeze-and-excitation: weigh each channel of x by what all of them contain.

    `channels` is C, and the hidden width C / reduction, rounded as `rounding` says: "floor", or
    "timm" for the nearest multiple of 8 but at least 8; or `hidden` gives it. `squeeze` is "avg"
    (the paper), "max" or "avg+max" (the mean of both), over the whole map, whatever its size: a
    pooling tied to one size would fail at any other. `gate` is sigmoid (the paper), tanh,
    relu or hard_sigmoid; `bias` is for both linear maps. `PRESETS` has the options that others use:
    `SEBlock(64, **PRESETS["caffe"].options)`.

    Raises `InputError` for unknown options, and where no hidden unit is left.
    """

    is_se = scales = gates_channels = True

    def __init__(
        self,
        channels: int,
        reduction: float = 16,
        *,
        squeeze: str = "avg",
        gate: str = "sigmoid",
        bias: bool = True,
        rounding: str = "floor",
        hidden: int | None = None,
        rng: np.random.Generator | None = None,
        dtype: npt.DTypeLike = np.float32,
    ) -> None:
        if squeeze not in SQUEEZES:
            raise InputError(f"SEBlock: {nearest('squeeze', squeeze, list(SQUEEZES))}")
        last = gate_layer(gate)
        hidden = hidden_width(channels, reduction, rounding, hidden)
        rng = generator(rng)
        self.squeeze = SQUEEZES[squeeze]()
        self.fc1 = Linear(channels, hidden, bias, init=he_normal, rng=rng, dtype=dtype)
        self.relu = ReLU()
        self.fc2 = Linear(hidden, channels, bias, rng=rng, dtype=dtype)
        self.gate = last

    def forward(self, x: Array, training: bool = True) -> tuple[Array, Backward]:
        """(N, C, H, W) -> (N, C, H, W)."""
        s, gates_backward = self.gates(x, training)  # (N, C)
        y, saved = ops.channel_scale(x, s)  # (N, C, H, W) · (N, C)

        def backward(dy: Array) -> Array:
            ds = ops.gates_gradient(dy, saved)
            # x went along two paths: its gradient is the sum of both, s · dy and the squeeze's
            return gates_backward(ds, add_to=dy, scaled_by=s)

        return y, backward

    def gates(self, x: Array, training: bool = True) -> tuple[Array, AddingBackward]:
        """Squeeze and excitation alone: the gates s (N, C) of x (N, C, H, W)."""
        z, squeeze_backward = self.squeeze.forward(x, training)  # (N, C, H, W) -> (N, C)
        h, fc1_backward = self.fc1.forward(z, training)  # (N, C) -> (N, hidden)
        a, relu_backward = self.relu.forward(h, training)
        g, fc2_backward = self.fc2.forward(a, training)  # (N, hidden) -> (N, C)
        s, gate_backward = self.gate.forward(g, training)

        def backward(ds: Array, /, **path: Array | None) -> Array:
            dg = gate_backward(ds)
            da = fc2_backward(dg)
            dh = relu_backward(da)
            dz = fc1_backward(dh)
            return squeeze_backward(dz, **path)

        return s, backward


def hidden_width(channels: int, reduction: float, rounding: str, hidden: int | None) -> int:
    """The number of hidden units: `hidden`, or channels / reduction rounded by "floor" or "timm".

    Raises `InputError` where none is left.
    """
    if rounding not in ROUNDINGS:
        raise InputError(f"SEBlock: {nearest('rounding', rounding, list(ROUNDINGS))}")
    if channels < 1 or reduction <= 0:
        raise InputError(f"SEBlock: channels {channels}, reduction {reduction}: must be above 0")
    if hidden is not None:
        if hidden < 1:
            raise InputError(f"SEBlock: hidden {hidden}, expected at least 1")
        return hidden
    if rounding == "timm":  # the nearest multiple of 8, but at least 8
        return max(8, int(channels / reduction + 4) // 8 * 8)
    if reduction > channels:
        raise InputError(
            f"SEBlock: a reduction of {reduction:g} leaves no hidden unit for {channels} "
            "channels; hidden=1 gives one"
        )
    return math.floor(channels / reduction)


def gate_layer(gate: str) -> Layer:
    """Raises `InputError` for a name that is not in `GATES`."""
    if gate not in GATES:
        raise InputError(f"SEBlock: {nearest('gate', gate, list(GATES))}")
    return GATES[gate]()
