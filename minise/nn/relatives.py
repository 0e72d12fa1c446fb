"""The nearest relatives of the SE block, for comparison: each weighs x by gates made from x.

NoSqueeze     y = x · gate(W₂ · relu(W₁ · x))  for every pixel (Hu et al., table 16)
SpatialSE     y = x · sigmoid(w · x)           one gate for a pixel (Roy et al., arXiv 1803.02579)
ConcurrentSE  SEBlock and SpatialSE, merged    (the same)
EffectiveSE   y = x · gate(W · mean(x))        one map alone (Lee & Park, arXiv 1911.06667)
ECA           y = x · sigmoid(w ⋆ mean(x))     over channels (Wang et al., arXiv 1910.03151)
GatherExcite  y = x · sigmoid(mean(x))         no parameters (Hu et al., arXiv 1810.12348)
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from minise import ops
from minise.arrays import Array, array_module
from minise.errors import InputError
from minise.nearest import nearest
from minise.nn.activations import Sigmoid
from minise.nn.init import generator, lecun_normal
from minise.nn.layer import Backward, Layer
from minise.nn.layers import BatchNorm2d, Conv2d, Linear
from minise.nn.pooling import AddingBackward, GlobalAvgPool, adding
from minise.nn.se import OPTIONS, SEBlock, activation_and_norm, gate_layer, options_of
from minise.nn.widths import check_switch, check_whole, hidden_width

__all__ = ["ECA", "ConcurrentSE", "EffectiveSE", "GatherExcite", "NoSqueeze", "SpatialSE"]

MERGES = ("max", "add")


class NoSqueeze(Layer):
    """Excitation without a squeeze: 1×1 convolutions give every pixel gates of its own.

    Options and errors are those of `SEBlock` but for `squeeze`, and so is the number of parameters.
    """

    is_se = scales = True

    def __init__(
        self,
        channels: int,
        reduction: float = 16,
        *,
        rounding: str = "floor",
        reduced_from: int | None = None,
        hidden: int | None = None,
        activation: str = "relu",
        norm: str = "none",
        gate: str = "sigmoid",
        bias: bool = True,
        residual: bool = False,
        rng: np.random.Generator | None = None,
        dtype: npt.DTypeLike = np.float32,
    ) -> None:
        check_switch("NoSqueeze", bias=bias, residual=residual)
        hidden = hidden_width(
            channels, reduction, rounding, reduced_from=reduced_from, hidden=hidden, who="NoSqueeze"
        )
        between = activation_and_norm(
            activation, norm, BatchNorm2d(hidden, dtype=dtype), who="NoSqueeze"
        )
        last = gate_layer(gate, residual, who="NoSqueeze")
        rng = generator(rng)
        self.fc1 = Conv2d(channels, hidden, 1, bias=bias, rng=rng, dtype=dtype)
        self.activation = between
        self.fc2 = Conv2d(hidden, channels, 1, bias=bias, init=lecun_normal, rng=rng, dtype=dtype)
        self.gate = last

    def forward(self, x: Array, training: bool = True) -> tuple[Array, Backward]:
        """(N, C, H, W) -> (N, C, H, W)."""
        s, gates_backward = self.gates(x, training)  # (N, C, H, W)
        y, saved = ops.multiply(x, s)

        def backward(dy: Array) -> Array:
            dx, ds = ops.multiply_backward(dy, saved)
            return gates_backward(ds, add_to=dx)  # x went along two paths

        return y, backward

    def gates(self, x: Array, training: bool = True) -> tuple[Array, AddingBackward]:
        """A gate for each number: s (N, C, H, W) of x (N, C, H, W)."""
        h, fc1_backward = self.fc1.forward(x, training)  # (N, hidden, H, W)
        a, activation_backward = self.activation.forward(h, training)
        g, fc2_backward = self.fc2.forward(a, training)  # (N, C, H, W)
        s, gate_backward = self.gate.forward(g, training)

        def backward(ds: Array) -> Array:
            dg = gate_backward(ds)
            da = fc2_backward(dg)
            dh = activation_backward(da)
            return fc1_backward(dh)

        return s, adding(backward)


class SpatialSE(Layer):
    """Squeeze over the channels: each pixel gets one gate, shared by its channels (sSE).

    Raises `InputError` where `bias` is neither true nor false.
    """

    is_se = scales = True

    def __init__(
        self,
        channels: int,
        *,
        bias: bool = True,
        rng: np.random.Generator | None = None,
        dtype: npt.DTypeLike = np.float32,
    ) -> None:
        check_switch("SpatialSE", bias=bias)
        self.conv = Conv2d(channels, 1, 1, bias=bias, init=lecun_normal, rng=rng, dtype=dtype)
        self.gate = Sigmoid()

    def forward(self, x: Array, training: bool = True) -> tuple[Array, Backward]:
        """(N, C, H, W) -> (N, C, H, W)."""
        s, gates_backward = self.gates(x, training)  # (N, 1, H, W)
        y, saved = ops.multiply(x, s)

        def backward(dy: Array) -> Array:
            dx, ds = ops.multiply_backward(dy, saved)
            return gates_backward(ds, add_to=dx)  # x went along two paths

        return y, backward

    def gates(self, x: Array, training: bool = True) -> tuple[Array, AddingBackward]:
        """A gate for each pixel: s (N, 1, H, W) of x (N, C, H, W)."""
        g, conv_backward = self.conv.forward(x, training)  # (N, 1, H, W)
        s, gate_backward = self.gate.forward(g, training)
        return s, adding(lambda ds: conv_backward(gate_backward(ds)))


class ConcurrentSE(Layer):
    """Both blocks: `merge` takes the larger of their outputs ("max"), or the sum ("add").

    Where these are equal, the channels' block counts. All `options` are those of `SEBlock`, for the
    channels' block; `bias`, `rng` and `dtype` are for both. Raises `InputError` for an unknown
    `merge`, and as `SEBlock` does.
    """

    is_se = True

    def __init__(
        self, channels: int, reduction: float = 16, *, merge: str = "max", **options: Any
    ) -> None:
        if merge not in MERGES:
            raise InputError(f"ConcurrentSE: {nearest('merge', merge, list(MERGES))}")
        options["rng"] = generator(options.get("rng"))
        self.merge = merge
        self.channel = SEBlock(channels, reduction, **options)
        of_both = {name: options[name] for name in ("bias", "rng", "dtype") if name in options}
        self.spatial = SpatialSE(channels, **of_both)

    def forward(self, x: Array, training: bool = True) -> tuple[Array, Backward]:
        """(N, C, H, W) -> (N, C, H, W)."""
        c, channel_backward = self.channel.forward(x, training)
        q, spatial_backward = self.spatial.forward(x, training)
        if self.merge == "add":
            y, _ = ops.add(c, q)

            def backward(dy: Array) -> Array:
                return ops.add(channel_backward(dy), spatial_backward(dy))[0]

            return y, backward

        xp = array_module(x)
        won = c >= q  # where the channels' block gave the output
        y = xp.where(won, c, q)

        def backward_of_the_larger(dy: Array) -> Array:
            dc, dq = xp.where(won, dy, 0), xp.where(won, 0, dy)
            return ops.add(channel_backward(dc), spatial_backward(dq))[0]

        return y, backward_of_the_larger


class _ChannelGates(Layer):
    """Gates (N, C) of x (N, C, H, W) that `gates` makes, and their product with it."""

    is_se = scales = gates_channels = True

    def forward(self, x: Array, training: bool = True) -> tuple[Array, Backward]:
        """(N, C, H, W) -> (N, C, H, W)."""
        s, gates_backward = self.gates(x, training)  # (N, C)
        y, saved = ops.channel_scale(x, s)

        def backward(dy: Array) -> Array:
            ds = ops.gates_gradient(dy, saved)
            return gates_backward(ds, add_to=dy, scaled_by=s)  # x went along two paths

        return y, backward

    def gates(self, x: Array, training: bool = True) -> tuple[Array, AddingBackward]:
        """A gate for each channel: s (N, C) of x (N, C, H, W)."""
        raise NotImplementedError(f"{type(self).__name__} has no gates")


class EffectiveSE(_ChannelGates):
    """One linear map from C channels to C, none reduced: eSE, as VoVNetV2 has it.

    `gate` is "hard_sigmoid" (the paper), or another of those of `SEBlock`. Raises `InputError` for
    an unknown one.
    """

    def __init__(
        self,
        channels: int,
        *,
        gate: str = "hard_sigmoid",
        bias: bool = True,
        rng: np.random.Generator | None = None,
        dtype: npt.DTypeLike = np.float32,
    ) -> None:
        check_switch("EffectiveSE", bias=bias)
        last = gate_layer(gate, who="EffectiveSE")
        self.squeeze = GlobalAvgPool()
        self.fc = Linear(channels, channels, bias, rng=rng, dtype=dtype)
        self.gate = last

    def gates(self, x: Array, training: bool = True) -> tuple[Array, AddingBackward]:
        """A gate for each channel: s (N, C) of x (N, C, H, W)."""
        z, squeeze_backward = self.squeeze.forward(x, training)  # (N, C)
        g, fc_backward = self.fc.forward(z, training)  # (N, C)
        s, gate_backward = self.gate.forward(g, training)

        def backward(ds: Array, /, **path: Array | None) -> Array:
            dg = gate_backward(ds)
            dz = fc_backward(dg)
            return squeeze_backward(dz, **path)

        return s, backward


class ECA(_ChannelGates):
    """Efficient channel attention: gates from a convolution over neighbouring channels.

    The kernel has `kernel_size` channels, an odd number; by default log₂(C)/2 + 1/2 made odd
    (equation 12 of the paper with γ = 2, b = 1), but at least `smallest`. Raises `InputError` for
    an even one, and for what is no whole number above 0.
    """

    def __init__(
        self,
        channels: int,
        kernel_size: int | None = None,
        *,
        smallest: int = 1,
        rng: np.random.Generator | None = None,
        dtype: npt.DTypeLike = np.float32,
    ) -> None:
        check_whole("ECA", channels=channels, smallest=smallest)
        if kernel_size is None:
            kernel_size = int(abs(math.log2(channels) / 2 + 0.5))
            kernel_size = max(smallest, kernel_size + 1 - kernel_size % 2)
        check_whole("ECA", kernel_size=kernel_size)
        if kernel_size % 2 == 0:
            raise InputError(f"ECA: kernel_size is {kernel_size}, expected an odd number")
        self.squeeze = GlobalAvgPool()
        self.conv = Conv2d(
            1, 1, (kernel_size, 1), padding=(kernel_size // 2, 0), bias=False,
            init=lecun_normal, rng=rng, dtype=dtype,
        )  # fmt: skip
        self.gate = Sigmoid()

    def gates(self, x: Array, training: bool = True) -> tuple[Array, AddingBackward]:
        """A gate for each channel: s (N, C) of x (N, C, H, W)."""
        N, C = x.shape[:2]
        z, squeeze_backward = self.squeeze.forward(x, training)  # (N, C)
        # the channels take the place of an image's rows
        g, conv_backward = self.conv.forward(z.reshape(N, 1, C, 1), training)
        s, gate_backward = self.gate.forward(g.reshape(N, C), training)

        def backward(ds: Array, /, **path: Array | None) -> Array:
            dg = gate_backward(ds).reshape(N, 1, C, 1)
            dz = conv_backward(dg).reshape(N, C)
            return squeeze_backward(dz, **path)

        return s, backward


class GatherExcite(_ChannelGates):
    """The mean of each map, through a sigmoid, is its gate: GE-θ⁻ with global extent."""

    def __init__(self) -> None:
        self.squeeze = GlobalAvgPool()
        self.gate = Sigmoid()

    def gates(self, x: Array, training: bool = True) -> tuple[Array, AddingBackward]:
        """A gate for each channel: s (N, C) of x (N, C, H, W)."""
        z, squeeze_backward = self.squeeze.forward(x, training)  # (N, C)
        s, gate_backward = self.gate.forward(z, training)

        def backward(ds: Array, /, **path: Array | None) -> Array:
            return squeeze_backward(gate_backward(ds), **path)

        return s, backward


# By the names that nets know them by. An SE block with squeeze="none" is `NoSqueeze`.
BLOCKS: dict[str, type[Layer]] = {
    "se": SEBlock,
    "ese": EffectiveSE,
    "eca": ECA,
    "scse": ConcurrentSE,
    "sse": SpatialSE,
    "ge": GatherExcite,
}
BLOCK_OPTIONS: dict[type[Layer], dict[str, Any]] = {
    block: options_of(block) for block in (*BLOCKS.values(), NoSqueeze)
} | {ConcurrentSE: OPTIONS | options_of(ConcurrentSE)}
