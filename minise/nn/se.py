"""Squeeze-and-excitation (Hu et al., arXiv 1709.01507, section 3).

z = squeeze(x)                       the mean (or maximum) of each map         eq. 2
s = gate(W₂ · relu(W₁ · z))          one gate for each channel                 eq. 3
y = s · x                            each map times its gate                   eq. 4
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from minise import ops
from minise.backend import Array
from minise.errors import InputError
from minise.nn.init import generator, he_normal
from minise.nn.layer import Backward, Layer
from minise.nn.layers import (
    AddingBackward,
    GlobalAvgPool,
    GlobalMaxPool,
    HardSigmoid,
    Linear,
    ReLU,
    Sigmoid,
    Tanh,
)

SQUEEZES: dict[str, type[GlobalAvgPool | GlobalMaxPool]] = {
    "avg": GlobalAvgPool,
    "max": GlobalMaxPool,
}
GATES: dict[str, type[Layer]] = {
    "sigmoid": Sigmoid,
    "tanh": Tanh,
    "relu": ReLU,
    "hard_sigmoid": HardSigmoid,
}


class SEBlock(Layer):
    """Squeeze-and-excitation: weigh each channel of x by what all of them say together.

    `channels` is C. The hidden width is floor(C / reduction) but at least 1, unless `hidden`
    gives it. `squeeze` is "avg" (the paper) or "max", `gate` one of sigmoid (the paper), tanh,
    relu, hard_sigmoid; `bias` gives both linear maps a bias. The squeeze takes the whole map,
    whatever its size: a pooling that is tied to one size would break at any other.

    Raises `InputError` for an unknown squeeze or gate, and for widths below 1.
    """

    def __init__(
        self,
        channels: int,
        reduction: float = 16,
        *,
        squeeze: str = "avg",
        gate: str = "sigmoid",
        bias: bool = True,
        hidden: int | None = None,
        rng: np.random.Generator | None = None,
        dtype: npt.DTypeLike = np.float32,
    ) -> None:
        if squeeze not in SQUEEZES:
            raise InputError(f"SEBlock: squeeze {squeeze!r}, expected one of {', '.join(SQUEEZES)}")
        if gate not in GATES:
            raise InputError(f"SEBlock: gate {gate!r}, expected one of {', '.join(GATES)}")
        if channels < 1 or reduction <= 0:
            raise InputError(f"SEBlock: channels {channels}, reduction {reduction}: not positive")
        if hidden is None:
            hidden = max(1, math.floor(channels / reduction))
        if hidden < 1:
            raise InputError(f"SEBlock: hidden {hidden}, expected at least 1")
        rng = generator(rng)
        self.squeeze = SQUEEZES[squeeze]()
        self.fc1 = Linear(channels, hidden, bias, init=he_normal, rng=rng, dtype=dtype)
        self.relu = ReLU()
        self.fc2 = Linear(hidden, channels, bias, rng=rng, dtype=dtype)
        self.gate = GATES[gate]()

    def forward(self, x: Array, training: bool = True) -> tuple[Array, Backward]:
        """(N, C, H, W) -> (N, C, H, W)."""
        s, gates_backward = self.gates(x, training)  # (N, C)
        y, saved = ops.channel_scale(x, s)  # (N, C, H, W) · (N, C)

        def backward(dy: Array) -> Array:
            dx, ds = ops.channel_scale_backward(dy, saved)
            return gates_backward(ds, add_to=dx)  # x went two ways: its gradient is the sum of both

        return y, backward

    def gates(self, x: Array, training: bool = True) -> tuple[Array, AddingBackward]:
        """Squeeze and excitation alone: the gates s (N, C) of x (N, C, H, W)."""
        z, squeeze_backward = self.squeeze.forward(x, training)  # (N, C, H, W) -> (N, C)
        h, fc1_backward = self.fc1.forward(z, training)  # (N, C) -> (N, hidden)
        a, relu_backward = self.relu.forward(h, training)
        g, fc2_backward = self.fc2.forward(a, training)  # (N, hidden) -> (N, C)
        s, gate_backward = self.gate.forward(g, training)

        def backward(ds: Array, add_to: Array | None = None) -> Array:
            dg = gate_backward(ds)
            da = fc2_backward(dg)
            dh = relu_backward(da)
            dz = fc1_backward(dh)
            return squeeze_backward(dz, add_to=add_to)

        return s, backward
