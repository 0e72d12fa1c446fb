"""Residual blocks, and the places where squeeze-and-excitation can go in them.

u = branch(x)      convolutions, each with batch norm, and relu between them
r = shortcut(x)    x itself; where the shape changes, a convolution and batch norm of it
y = relu(u + r)                                                       (He et al. 2016)

`placement` says where an SE block goes (Hu et al., figure 5 and tables 14 and 15):

standard    y = relu(se(u) + r)
activated   y = relu(se(relu(u)) + r), as timm's legacy_seresnet18 and 34 have it
pre         u = branch(se(x))
post        y = se(relu(u + r))
identity    r = se(shortcut(x))
3x3         within the branch, after its first 3×3 convolution
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from minise import ops
from minise.arrays import Array
from minise.errors import InputError
from minise.nearest import nearest
from minise.nn.init import generator
from minise.nn.layer import Backward, Layer, Sequential, chain
from minise.nn.layers import BatchNorm2d, BatchNormReLU2d, Conv2d
from minise.nn.se import MakeSE, SEBlock

__all__ = ["PLACEMENTS", "Bottleneck", "Residual"]

JoinBackward: TypeAlias = Callable[[Array], tuple[Array, Array]]  # dy -> (du, dr)

PLACEMENTS = ("standard", "activated", "pre", "post", "identity", "3x3")
AT_THE_JOIN = ("standard", "activated")  # at the end of the branch, where it meets the shortcut


class Residual(Layer):
    """A basic residual block, x (N, in, H, W) -> y (N, out, ⌈H/stride⌉, ⌈W/stride⌉).

    `se` makes the block that weighs channels, given their number: `partial(SEBlock, reduction=4)`,
    or one of its relatives; None gives a plain residual block. `placement` is one of `PLACEMENTS`.

    Raises `InputError` for an unknown placement.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        stride: int = 1,
        *,
        se: MakeSE | None = None,
        placement: str = "standard",
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
        self.bn2 = _last_norm(se, placement)(out_channels, dtype=dtype)
        self._place(se, placement, in_channels, out_channels, within=out_channels)
        self.shortcut = _shortcut(in_channels, out_channels, stride, 1, rng, dtype)

    def _place(
        self, se: MakeSE | None, placement: str, in_channels: int, out_channels: int, within: int
    ) -> None:
        if placement not in PLACEMENTS:
            raise InputError(
                f"{type(self).__name__}: {nearest('placement', placement, PLACEMENTS)}"
            )
        self.placement = placement if se is not None else None
        if se is not None:
            channels = {"pre": in_channels, "3x3": within}.get(placement, out_channels)
            self.se = se(channels)

    def branch(self) -> list[Layer]:
        """The layers of the branch without an SE block at either end."""
        return [self.conv1, self.bn1, *self._se_at("3x3"), self.conv2, self.bn2]

    @property
    def scales(self) -> bool:  # type: ignore[override]  # a plain attribute of other layers
        """Whether gates are multiplied in where branch and shortcut meet."""
        return self.scaled_by is not None

    @property
    def scaled_by(self) -> SEBlock | None:
        """The block whose gates are multiplied in where branch and shortcut meet, if any."""
        if self.placement in AT_THE_JOIN and isinstance(self.se, SEBlock):
            # a subclass with a forward of its own may do more than scale
            return self.se if type(self.se).forward is SEBlock.forward else None
        return None

    def forward(self, x: Array, training: bool = True) -> tuple[Array, Backward]:
        """(N, in, H, W) -> (N, out, OH, OW)."""
        branch = [*self._se_at("pre"), *self.branch()]
        if self.scaled_by is None:
            branch += self._se_at(*AT_THE_JOIN)
        u, branch_backward = chain(branch, x, training)  # (N, out, OH, OW)
        around = [self.shortcut, *self._se_at("identity")]
        r, shortcut_backward = chain(around, x, training)  # (N, out, OH, OW)
        v, join_backward = self.join(u, r, training)
        y, post_backward = chain(self._se_at("post"), v, training)

        def backward(dy: Array) -> Array:
            du_dr = list(join_backward(post_backward(dy)))
            del dy  # and each of the two is handed over, as in `chain`
            dx = shortcut_backward(du_dr.pop())
            # x went along two paths: its gradient is the sum of both
            return ops.add(branch_backward(du_dr.pop()), dx)[0]

        return y, backward

    def join(self, u: Array, r: Array, training: bool = True) -> tuple[Array, JoinBackward]:
        """relu(u + r) where branch and shortcut meet, or relu(s · u + r) with the gates s of u."""
        if self.scaled_by is not None:
            return _join_with_gates(self.scaled_by, u, r, training)
        total, _ = ops.add(u, r)
        y, saved = ops.relu(total)

        def backward(dy: Array) -> tuple[Array, Array]:
            return ops.add_backward(ops.relu_backward(dy, saved))

        return y, backward

    def _se_at(self, *places: str) -> list[Layer]:
        return [self.se] if self.placement in places else []


class Bottleneck(Residual):
    """A bottleneck: 1×1, 3×3 and 1×1 convolutions, with `width` channels inside (He et al. 2016).

    With `groups` it is ResNeXt's (Xie et al. 2017). `first_width` is the number of channels
    after the first convolution, where it differs. The stride is the 3×3 convolution's, or with
    `stride_first` the first one's, as in the original. `shortcut_kernel` is the size of the
    shortcut's convolution where there is a stride. The rest is as for `Residual`.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        stride: int = 1,
        *,
        width: int,
        first_width: int | None = None,
        groups: int = 1,
        stride_first: bool = False,
        shortcut_kernel: int = 1,
        se: MakeSE | None = None,
        placement: str = "standard",
        rng: np.random.Generator | None = None,
        dtype: npt.DTypeLike = np.float32,
    ) -> None:
        rng, first_width = generator(rng), first_width or width
        strides = (stride, 1) if stride_first else (1, stride)
        self.conv1 = Conv2d(
            in_channels, first_width, 1, strides[0], bias=False, rng=rng, dtype=dtype
        )
        self.bn1 = BatchNormReLU2d(first_width, dtype=dtype)
        self.conv2 = Conv2d(
            first_width, width, 3, strides[1], padding=1, groups=groups, bias=False,
            rng=rng, dtype=dtype,
        )  # fmt: skip
        self.bn2: BatchNorm2d = BatchNormReLU2d(width, dtype=dtype)
        self.conv3 = Conv2d(width, out_channels, 1, bias=False, rng=rng, dtype=dtype)
        self.bn3 = _last_norm(se, placement)(out_channels, dtype=dtype)
        self._place(se, placement, in_channels, out_channels, within=width)
        kernel = shortcut_kernel if stride > 1 else 1
        self.shortcut = _shortcut(in_channels, out_channels, stride, kernel, rng, dtype)

    def branch(self) -> list[Layer]:
        """The layers of the branch without an SE block at either end."""
        to_3x3 = [self.conv1, self.bn1, self.conv2, self.bn2]
        return [*to_3x3, *self._se_at("3x3"), self.conv3, self.bn3]


def _last_norm(se: MakeSE | None, placement: str) -> type[BatchNorm2d]:
    return BatchNormReLU2d if se is not None and placement == "activated" else BatchNorm2d


def _join_with_gates(se: SEBlock, u: Array, r: Array, training: bool) -> tuple[Array, JoinBackward]:
    s, gates_backward = se.gates(u, training)  # (N, out)
    y, saved = ops.scale_add_relu(u, s, r)

    def backward(dy: Array) -> tuple[Array, Array]:
        du, ds, dr = ops.scale_add_relu_backward(dy, saved)
        return gates_backward(ds, add_to=du), dr  # u went along two paths as well

    return y, backward


def _shortcut(
    in_channels: int,
    out_channels: int,
    stride: int,
    kernel: int,
    rng: np.random.Generator,
    dtype: npt.DTypeLike,
) -> Sequential:
    if stride == 1 and in_channels == out_channels:
        return Sequential()  # the identity
    return Sequential(
        Conv2d(
            in_channels, out_channels, kernel, stride, padding=kernel // 2, bias=False,
            rng=rng, dtype=dtype,
        ),
        BatchNorm2d(out_channels, dtype=dtype),
    )  # fmt: skip
