"""The Inception module: convolutions of several sizes side by side, and SE on their joined maps.

u = [b₁(x), b₂(x), b₃(x), b₄(x)]     joined along the channels      (Szegedy et al. 2015)
y = se(u)                            SE weighs the whole module           (Hu et al., figure 2)
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from minise import ops
from minise.arrays import Array
from minise.errors import InputError
from minise.nearest import nearest
from minise.nn.conv_norm import conv_norm_act
from minise.nn.init import generator
from minise.nn.layer import Backward, Layer, Sequential
from minise.nn.pooling import AvgPool2d, MaxPool2d
from minise.nn.se import MakeSE

__all__ = ["Inception"]

POOLS: dict[str, type[AvgPool2d | MaxPool2d]] = {"avg": AvgPool2d, "max": MaxPool2d}


class Inception(Layer):
    """x (N, in, H, W) -> y (N, out, ⌈H/stride⌉, ⌈W/stride⌉), each convolution with batch norm.

    The numbers are the channels of the four branches:

    `ones`      1×1
    `threes`    1×1, 3×3
    `fives`     1×1, 5×5; or with `factored` two 3×3 in its place (Ioffe & Szegedy 2015)
    `pooled`    pooling of 3×3, "avg" or "max" as `pool` says, 1×1

    `ones=0` leaves that branch out; `pooled=0` only its convolution, so that all of x passes.
    `stride` is that of the larger convolutions and of the pooling; above 1, both must be 0. `se`
    makes the block that weighs the joined channels, given their number: see `Residual`.

    Raises `InputError` for an unknown pooling, and for a stride that a branch cannot have.
    """

    def __init__(
        self,
        in_channels: int,
        ones: int,
        threes: tuple[int, int],
        fives: tuple[int, int],
        pooled: int,
        *,
        stride: int = 1,
        factored: bool = False,
        pool: str = "max",
        se: MakeSE | None = None,
        rng: np.random.Generator | None = None,
        dtype: npt.DTypeLike = np.float32,
    ) -> None:
        if pool not in POOLS:
            raise InputError(f"Inception: {nearest('pool', pool, list(POOLS))}")
        if stride > 1 and (ones or pooled):
            raise InputError(
                f"Inception: stride {stride} with ones={ones}, pooled={pooled}, expected 0 and 0"
            )
        rng = generator(rng)

        def conv(channels: int, filters: int, size: int, stride: int = 1) -> Layer:
            return conv_norm_act(channels, filters, size, stride, rng=rng, dtype=dtype)

        if ones:
            self.branch1x1 = conv(in_channels, ones, 1)
        self.branch3x3 = Sequential(conv(in_channels, threes[0], 1), conv(*threes, 3, stride))
        reduced, filters = fives
        large = [conv(reduced, filters, 5, stride)]
        if factored:
            large = [conv(reduced, filters, 3), conv(filters, filters, 3, stride)]
        self.branch5x5 = Sequential(conv(in_channels, reduced, 1), *large)
        projection = [conv(in_channels, pooled, 1)] if pooled else []
        self.branch_pool = Sequential(POOLS[pool](3, stride, padding=1), *projection)
        self.out_channels = ones + threes[1] + filters + (pooled or in_channels)
        self.se = Sequential() if se is None else se(self.out_channels)

    def branches(self) -> list[Layer]:
        """The layers that x goes through side by side, in the order of their channels in u."""
        return [layer for name, layer in self.children() if name.startswith("branch")]

    def forward(self, x: Array, training: bool = True) -> tuple[Array, Backward]:
        """(N, in, H, W) -> (N, out, OH, OW)."""
        ways = [branch.forward(x, training) for branch in self.branches()]
        u, saved = ops.concat(*(maps for maps, _ in ways))  # (N, out, OH, OW)
        y, se_backward = self.se.forward(u, training)

        def backward(dy: Array) -> Array:
            du = se_backward(dy)
            dmaps = ops.concat_backward(du, saved)  # each branch its own channels
            dx, *others = (
                branch_backward(d) for (_, branch_backward), d in zip(ways, dmaps, strict=True)
            )
            for other in others:  # x went four ways: its gradient is the sum of all
                dx, _ = ops.add(dx, other)
            return dx

        return y, backward
