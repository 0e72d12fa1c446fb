"""The basic residual block (He et al. 2016, figure 2), and the same with squeeze-and-excitation.

u = branch(x)       convolution, batch norm, relu, convolution, batch norm[, SE]
y = relu(u + x)     where the shape changes, x goes through a 1×1 convolution and batch norm
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from minise.backend import Array
from minise.nn.init import generator
from minise.nn.layer import Backward, Layer, Sequential, chain
from minise.nn.layers import BatchNorm2d, Conv2d, ReLU
from minise.nn.se import SEBlock


class Residual(Layer):
    """A basic residual block, x (N, in, H, W) -> y (N, out, ⌈H/stride⌉, ⌈W/stride⌉).

    `se`, if given, is a layer that follows the second batch norm, before the add.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        stride: int = 1,
        *,
        se: Layer | None = None,
        rng: np.random.Generator | None = None,
        dtype: npt.DTypeLike = np.float32,
    ) -> None:
        rng = generator(rng)
        self.conv1 = Conv2d(
            in_channels, out_channels, 3, stride, padding=1, bias=False, rng=rng, dtype=dtype
        )
        self.bn1 = BatchNorm2d(out_channels, dtype=dtype)
        self.relu1 = ReLU()
        self.conv2 = Conv2d(
            out_channels, out_channels, 3, padding=1, bias=False, rng=rng, dtype=dtype
        )
        self.bn2 = BatchNorm2d(out_channels, dtype=dtype)
        self.se = se if se is not None else Sequential()
        if stride == 1 and in_channels == out_channels:
            self.shortcut = Sequential()  # the identity
        else:
            self.shortcut = Sequential(
                Conv2d(in_channels, out_channels, 1, stride, bias=False, rng=rng, dtype=dtype),
                BatchNorm2d(out_channels, dtype=dtype),
            )
        self.relu2 = ReLU()

    def forward(self, x: Array, training: bool = True) -> tuple[Array, Backward]:
        """(N, in, H, W) -> (N, out, OH, OW)."""
        branch = [self.conv1, self.bn1, self.relu1, self.conv2, self.bn2, self.se]
        u, branch_backward = chain(branch, x, training)  # (N, out, OH, OW)
        r, shortcut_backward = self.shortcut.forward(x, training)  # (N, out, OH, OW)
        y, relu_backward = self.relu2.forward(u + r, training)

        def backward(dy: Array) -> Array:
            dsum = relu_backward(dy)  # a sum hands its gradient to both of its terms
            return branch_backward(dsum) + shortcut_backward(dsum)

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
        se = SEBlock(
            out_channels,
            reduction,
            squeeze=squeeze,
            gate=gate,
            bias=bias,
            hidden=hidden,
            rng=rng,
            dtype=dtype,
        )
        super().__init__(in_channels, out_channels, stride, se=se, rng=rng, dtype=dtype)
