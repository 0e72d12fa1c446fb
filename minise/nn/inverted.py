"""The inverted residual block of MobileNetV3 and EfficientNet: wide inside, narrow at its ends.

u = act(expand(x))        1×1, from `in` to `width` channels, where these differ
v = se(act(depthwise(u)))     k×k, each channel by itself; SE weighs the wide maps
y = drop_path(project(v)) + x     1×1 to `out` channels, without an activation; + x where it fits

Each convolution has batch norm (Sandler et al., arXiv 1801.04381; with SE inside: Howard et al.,
arXiv 1905.02244; Tan & Le, arXiv 1905.11946).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from minise import ops
from minise.arrays import Array
from minise.nn.conv_norm import conv_norm_act
from minise.nn.init import generator
from minise.nn.layer import Backward, Layer, Sequential, chain
from minise.nn.layers import DropPath
from minise.nn.se import MakeSE

__all__ = ["InvertedResidual"]


class InvertedResidual(Layer):
    """x (N, in, H, W) -> y (N, out, ⌈H/stride⌉, ⌈W/stride⌉), with `width` channels inside.

    x is added where the shape is kept; only there has `drop_path` a meaning, the probability of a
    `DropPath`. `activation` is one of `ACTIVATIONS`; `eps` and `momentum` are those of batch norm.
    `se` makes the block that weighs the `width` channels, as for `Residual`; to let it reduce the
    block's input instead, as EfficientNet does: `partial(SEBlock, reduced_from=in_channels)`.

    Raises `InputError` for an unknown activation.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        stride: int = 1,
        *,
        width: int,
        kernel_size: int = 3,
        activation: str = "relu",
        se: MakeSE | None = None,
        drop_path: float = 0,
        eps: float = 1e-5,
        momentum: float = 0.1,
        rng: np.random.Generator | None = None,
        dtype: npt.DTypeLike = np.float32,
    ) -> None:
        rng = generator(rng)

        def conv(
            channels: int, filters: int, size: int, stride: int = 1, groups: int = 1,
            activation: str = activation,
        ) -> Sequential:  # fmt: skip
            return conv_norm_act(
                channels, filters, size, stride, groups=groups, activation=activation, eps=eps,
                momentum=momentum, rng=rng, dtype=dtype,
            )  # fmt: skip

        self.adds_input = stride == 1 and in_channels == out_channels
        if width != in_channels:
            self.expand = conv(in_channels, width, 1)
        self.depthwise = conv(width, width, kernel_size, stride, groups=width)
        if se is not None:
            self.se = se(width)
        self.project = conv(width, out_channels, 1, activation="none")
        if drop_path and self.adds_input:
            self.drop_path = DropPath(drop_path, rng=rng)

    def forward(self, x: Array, training: bool = True) -> tuple[Array, Backward]:
        """(N, in, H, W) -> (N, out, OH, OW)."""
        u, branch_backward = chain([layer for _, layer in self.children()], x, training)
        if not self.adds_input:
            return u, branch_backward
        y, _ = ops.add(u, x)  # (N, out, H, W)

        def backward(dy: Array) -> Array:
            du, dx = ops.add_backward(dy)
            # x went along two paths: its gradient is the sum of both
            return ops.add(branch_backward(du), dx)[0]

        return y, backward
