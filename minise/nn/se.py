"""Squeeze-and-excitation (Hu et al., arXiv 1709.01507, section 3).

z = squeeze(x)                       the mean (or maximum) of each map         eq. 2
s = gate(W₂ · relu(W₁ · z))          one gate for each channel                 eq. 3
y = s · x                            each map times its gate                   eq. 4
"""

from __future__ import annotations

import inspect
import operator
from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from minise import backend, ops
from minise.arrays import Array
from minise.errors import InputError
from minise.nearest import nearest
from minise.nn.activations import Clip, HardSigmoid, ReLU, Sigmoid, Tanh, activation_layer
from minise.nn.init import generator, he_normal
from minise.nn.layer import Backward, Layer, Sequential
from minise.nn.layers import BatchNorm1d, Linear
from minise.nn.pooling import (
    AddingBackward,
    GlobalAvgMaxPool,
    GlobalAvgPool,
    GlobalMaxPool,
)
from minise.nn.widths import check_switch, hidden_width

__all__ = ["MakeSE", "SEBlock"]

MakeSE: TypeAlias = Callable[..., Layer]  # from the number of channels, and `reduced_from`

SQUEEZES: dict[str, type[GlobalAvgPool | GlobalMaxPool | GlobalAvgMaxPool]] = {
    "avg": GlobalAvgPool,
    "max": GlobalMaxPool,
    "avg+max": GlobalAvgMaxPool,
}
GATES: dict[str, Callable[[], Layer]] = {
    "sigmoid": Sigmoid,
    "hard_sigmoid": HardSigmoid,  # a slope of 1/6
    "hard_sigmoid_0.2": lambda: HardSigmoid(width=5),
    "clip": lambda: Clip(0, 1),
    "tanh": Tanh,
    "relu": ReLU,
}
NORMS = ("none", "before", "after")


class SEBlock(Layer):
    """Squeeze-and-excitation: weigh each channel of x by what all of them contain.

    `channels` is C, and the hidden width C / reduction, rounded as `rounding` says, one of
    `ROUNDINGS`; where another number of channels is reduced, as EfficientNet does its block's
    input, that is `reduced_from`; or `hidden` gives the width. `squeeze` is "avg" (the paper),
    "max" or "avg+max" (the mean of both), over the whole map, whatever its size: a pooling tied to
    one size would fail at any other. `activation`, one of `ACTIVATIONS`, is between the linear
    maps, with batch norm "before" or "after" it if `norm` says so; `bias` is for both maps.
    `gate` is "sigmoid" (the paper), "hard_sigmoid" with a slope of 1/6, "hard_sigmoid_0.2", "clip"
    to 0 … 1, "tanh", or "relu". With `residual` the output is x + s · x. `PRESETS` has the options
    that others use: `SEBlock(64, **PRESETS["caffe"].options)`.

    Raises `InputError` for unknown options, and where no hidden unit is left.
    """

    is_se = scales = gates_channels = True

    def __init__(
        self,
        channels: int,
        reduction: float = 16,
        *,
        rounding: str = "floor",
        reduced_from: int | None = None,
        hidden: int | None = None,
        squeeze: str = "avg",
        activation: str = "relu",
        norm: str = "none",
        gate: str = "sigmoid",
        bias: bool = True,
        residual: bool = False,
        rng: np.random.Generator | None = None,
        dtype: npt.DTypeLike = np.float32,
    ) -> None:
        check_switch("SEBlock", bias=bias, residual=residual)
        if squeeze not in SQUEEZES:
            raise InputError(f"SEBlock: {nearest('squeeze', squeeze, list(SQUEEZES))}")
        hidden = hidden_width(
            channels, reduction, rounding, reduced_from=reduced_from, hidden=hidden, who="SEBlock"
        )
        between = activation_and_norm(
            activation, norm, BatchNorm1d(hidden, dtype=dtype), who="SEBlock"
        )
        last = gate_layer(gate, residual, who="SEBlock")
        rng = generator(rng)
        self.squeeze = SQUEEZES[squeeze]()
        self.fc1 = Linear(channels, hidden, bias, init=he_normal, rng=rng, dtype=dtype)
        self.activation = between
        self.fc2 = Linear(hidden, channels, bias, rng=rng, dtype=dtype)
        self.gate = last

    def forward(
        self, x: Array, training: bool = True, mask: Array | None = None
    ) -> tuple[Array, Backward]:
        """(N, C, H, W) -> (N, C, H, W).

        With a mask (N, H, W) of bools the squeeze is the mean over the pixels where it is true:
        those of images padded to one size, or of sounds of one length. All pixels are scaled.
        """
        given = () if mask is None else (mask,)  # a subclass's own gates may know of none
        s, gates_backward = self.gates(x, training, *given)  # (N, C)
        y, saved = ops.channel_scale(x, s)  # (N, C, H, W) · (N, C)

        def backward(dy: Array) -> Array:
            ds = ops.gates_gradient(dy, saved)
            # x went along two paths: its gradient is the sum of both, s · dy and the squeeze's
            return gates_backward(ds, add_to=dy, scaled_by=s)

        return y, backward

    def gates(
        self, x: Array, training: bool = True, mask: Array | None = None
    ) -> tuple[Array, AddingBackward]:
        """Squeeze and excitation alone: the gates s (N, C) of x (N, C, H, W).

        Raises `InputError` for a mask where the squeeze is not "avg".
        """
        if mask is None:
            z, squeeze_backward = self.squeeze.forward(x, training)  # (N, C, H, W) -> (N, C)
        elif isinstance(self.squeeze, GlobalAvgPool):
            z, squeeze_backward = self.squeeze.forward(x, training, mask)
        else:
            raise InputError('SEBlock: a mask is for squeeze="avg", the mean over its pixels')
        h, fc1_backward = self.fc1.forward(z, training)  # (N, C) -> (N, hidden)
        a, activation_backward = self.activation.forward(h, training)
        g, fc2_backward = self.fc2.forward(a, training)  # (N, hidden) -> (N, C)
        s, gate_backward = self.gate.forward(g, training)

        def backward(ds: Array, /, **path: Array | None) -> Array:
            dg = gate_backward(ds)
            da = fc2_backward(dg)
            dh = activation_backward(da)
            dz = fc1_backward(dh)
            return squeeze_backward(dz, **path)

        return s, backward


class OnePlus(Layer):
    """1 + s, the gates of x + s · x."""

    def forward(self, x: Array, training: bool = True) -> tuple[Array, Backward]:
        """Any shape."""
        return backend.current().compute(operator.add, x, 1), lambda dy: dy


def gate_layer(gate: str, residual: bool = False, *, who: str) -> Layer:
    """The layer of one of `GATES`. Raises `InputError`, in the name of `who`, for another."""
    if gate not in GATES:
        raise InputError(f"{who}: {nearest('gate', gate, list(GATES))}")
    return Sequential(gate=GATES[gate](), one_plus=OnePlus()) if residual else GATES[gate]()


def activation_and_norm(activation: str, norm: str, layer: Layer, *, who: str) -> Layer:
    """The activation between two maps, with the batch norm `layer` at one side of it.

    Raises `InputError`, in the name of `who`, for an unknown activation or place.
    """
    if norm not in NORMS:
        raise InputError(f"{who}: {nearest('norm', norm, NORMS)}")
    between = activation_layer(activation, who)
    if norm == "none":
        return between
    parts = {"norm": layer, "activation": between}
    return Sequential(**(parts if norm == "before" else dict(reversed(parts.items()))))


OF_THE_NET = ("channels", "reduced_from", "rng", "dtype")  # which gives them to each block


def options_of(block: type[Layer]) -> dict[str, Any]:
    """Those that a net's maker may choose for its blocks, with their defaults."""
    return {
        name: parameter.default
        for name, parameter in inspect.signature(block).parameters.items()
        if name not in OF_THE_NET and parameter.kind is not parameter.VAR_KEYWORD
    }


OPTIONS = options_of(SEBlock)
