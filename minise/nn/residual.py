"""The basic residual block (He et al. 2016, figure 2), and the same with squeeze-and-excitation.

u = branch(x)           convolution, batch norm, relu, convolution, batch norm
y = relu(u + x)         or, with the gates s of u, y = relu(s · u + x)     (Hu et al., figure 3)

where the shape changes, x goes through a 1×1 convolution and batch norm first.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from minise import ops
from minise.backend import Array
from minise.nn.init import generator
from minise.nn.layer import Backward, Layer, Sequential, chain
from minise.nn.layers import BatchNorm2d, BatchNormReLU2d, Conv2d
from minise.nn.se import SEBlock

JoinBackward: TypeAlias = Callable[[Array], tuple[Array, Array]]  # dy -> (du, dr)


class Residual(Layer):
    """A basic residual block, x (N, in, H, W) -> y (N, out, ⌈H/stride⌉, ⌈W/stride⌉)."""

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        stride: int = 1,
        *,
        rng: np.random.Generator | None = None,
        dtype: npt.DTypeLike = np.float32,
    ) -> None:
        rng = generator(rng)
        self.conv1 = Conv2d(
            in_channels, out_channels, 3, stride, padding=1, bias=False, rng=rng, dtype=dtype
        )
        self.bn1 = BatchNormReLU2d(out_channels, dtype=dtype)
        self.conv2 = Conv2d(
            out_channels, out_channels, 3, padding=1, bias=False, rng=rng, dtype=dtype
        )
        self.bn2 = BatchNorm2d(out_channels, dtype=dtype)
        self.shortcut = Sequential()  # the identity
        if stride != 1 or in_channels != out_channels:
            self.shortcut = Sequential(
                Conv2d(in_channels, out_channels, 1, stride, bias=False, rng=rng, dtype=dtype),
                BatchNorm2d(out_channels, dtype=dtype),
            )

    def forward(self, x: Array, training: bool = True) -> tuple[Array, Backward]:
        """(N, in, H, W) -> (N, out, OH, OW)."""
        branch = [self.conv1, self.bn1, self.conv2, self.bn2]
        u, branch_backward = chain(branch, x, training)  # (N, out, OH, OW)
        r, shortcut_backward = self.shortcut.forward(x, training)  # (N, out, OH, OW)
        y, join_backward = self.join(u, r, training)

        def backward(dy: Array) -> Array:
            du, dr = join_backward(dy)
            # x went two ways: its gradient is the sum of both
            return ops.add(branch_backward(du), shortcut_backward(dr))[0]

        return y, backward

    def join(self, u: Array, r: Array, training: bool = True) -> tuple[Array, JoinBackward]:
        """y = relu(u + r), where branch and shortcut meet."""
        total, _ = ops.add(u, r)
        y, saved = ops.relu(total)

        def backward(dy: Array) -> tuple[Array, Array]:
            return ops.add_backward(ops.relu_backward(dy, saved))

        return y, backward


class SEResidual(Residual):
    """A basic residual block with squeeze-and-excitation at the end of its branch.

    The options of the SE are those of `SEBlock`.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        stride: int = 1,
        reduction: float = 16,
        *,
        squeeze: str = "avg",
        gate: str = "sigmoid",
        bias: bool = True,
        hidden: int | None = None,
        rng: np.random.Generator | None = None,
        dtype: npt.DTypeLike = np.float32,
    ) -> None:
        rng = generator(rng)
        super().__init__(in_channels, out_channels, stride, rng=rng, dtype=dtype)
        self.se = SEBlock(
            out_channels,
            reduction,
            squeeze=squeeze,
            gate=gate,
            bias=bias,
            hidden=hidden,
            rng=rng,
            dtype=dtype,
        )
        self.shortcut = vars(self).pop("shortcut")  # the state is listed in forward order

    def join(self, u: Array, r: Array, training: bool = True) -> tuple[Array, JoinBackward]:
        """y = relu(s · u + r) with the gates s of u."""
        s, gates_backward = self.se.gates(u, training)  # (N, out)
        y, saved = ops.scale_add_relu(u, s, r)

        def backward(dy: Array) -> tuple[Array, Array]:
            du, ds, dr = ops.scale_add_relu_backward(dy, saved)
            return gates_backward(ds, add_to=du), dr  # u went two ways as well

        return y, backward
