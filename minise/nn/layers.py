"""The simple layers: each is one operation of `minise.ops` with its state."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from minise import backend, door, ops
from minise.arrays import Array, array_module
from minise.nn.init import Initialiser, generator, he_normal, lecun_normal
from minise.nn.layer import Backward, Buffer, Layer, Parameter
from minise.nn.widths import check_switch
from minise.shapes import Pair

__all__ = [
    "BatchNorm1d",
    "BatchNorm2d",
    "BatchNormReLU2d",
    "Conv2d",
    "DropPath",
    "Dropout",
    "Flatten",
    "Linear",
]


class Conv2d(Layer):
    """Convolution, x (N, C, H, W) -> y (N, F, OH, OW); see `ops.conv2d`.

    `weight` (F, C/groups, KH, KW) starts with the variance of `init`, `bias` (F,) at 0. Without
    an `rng` the weights are drawn with seed 0: pass one generator to all layers of a net.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int | Pair,
        stride: int | Pair = 1,
        padding: int | Pair = 0,
        dilation: int | Pair = 1,
        groups: int = 1,
        bias: bool = True,
        *,
        init: Initialiser = he_normal,
        rng: np.random.Generator | None = None,
        dtype: npt.DTypeLike = np.float32,
    ) -> None:
        check_switch("Conv2d", bias=bias)
        size = door.pair("Conv2d", "kernel_size", kernel_size, 1)
        self.stride = door.pair("Conv2d", "stride", stride, 1)
        self.padding = door.pair("Conv2d", "padding", padding, 0)
        self.dilation = door.pair("Conv2d", "dilation", dilation, 1)
        if groups < 1 or in_channels % groups or out_channels % groups:
            raise ValueError(
                f"Conv2d: {groups} groups must divide in_channels {in_channels} "
                f"and out_channels {out_channels}"
            )
        self.groups = groups
        shape = (out_channels, in_channels // groups, *size)
        self.weight = Parameter(init(generator(rng), shape, dtype))
        self.bias = Parameter(np.zeros(out_channels, dtype)) if bias else None

    def forward(self, x: Array, training: bool = True) -> tuple[Array, Backward]:
        """(N, C, H, W) -> (N, F, OH, OW)."""
        y, saved = ops.conv2d(
            x,
            self.weight.value,
            self.bias.value if self.bias else None,
            stride=self.stride,
            padding=self.padding,
            dilation=self.dilation,
            groups=self.groups,
        )

        def backward(dy: Array) -> Array:
            dx, dw, db = ops.conv2d_backward(dy, saved)
            self.weight.accumulate(dw)
            if self.bias is not None and db is not None:
                self.bias.accumulate(db)
            return dx

        return y, backward


class Linear(Layer):
    """A linear map of rows, x (N, in) -> y (N, out); `weight` (out, in), `bias` (out,)."""

    def __init__(
        self,
        in_features: int,
        out_features: int,
        bias: bool = True,
        *,
        init: Initialiser = lecun_normal,
        rng: np.random.Generator | None = None,
        dtype: npt.DTypeLike = np.float32,
    ) -> None:
        check_switch("Linear", bias=bias)
        self.weight = Parameter(init(generator(rng), (out_features, in_features), dtype))
        self.bias = Parameter(np.zeros(out_features, dtype)) if bias else None

    def forward(self, x: Array, training: bool = True) -> tuple[Array, Backward]:
        """(N, in) -> (N, out)."""
        y, saved = ops.linear(x, self.weight.value, self.bias.value if self.bias else None)

        def backward(dy: Array) -> Array:
            dx, dw, db = ops.linear_backward(dy, saved)
            self.weight.accumulate(dw)
            if self.bias is not None and db is not None:
                self.bias.accumulate(db)
            return dx

        return y, backward


class BatchNorm2d(Layer):
    """Batch normalisation of each channel, by the batch in training, else by running averages.

    A training pass moves `running_mean` and `running_var` (unbiased) by `momentum` towards the
    batch's: the one thing that any forward in minise changes.
    """

    def __init__(
        self,
        num_features: int,
        eps: float = 1e-5,
        momentum: float = 0.1,
        *,
        dtype: npt.DTypeLike = np.float32,
    ) -> None:
        self.eps, self.momentum = eps, momentum
        self.weight = Parameter(np.ones(num_features, dtype))
        self.bias = Parameter(np.zeros(num_features, dtype))
        self.running_mean = Buffer(np.zeros(num_features, dtype))
        self.running_var = Buffer(np.ones(num_features, dtype))

    def forward(self, x: Array, training: bool = True) -> tuple[Array, Backward]:
        """(N, C, H, W) -> (N, C, H, W)."""
        y, saved = ops.batch_norm(
            x,
            self.weight.value,
            self.bias.value,
            statistics=self._statistics(training),
            eps=self.eps,
        )
        if training:
            self._move_averages(saved)

        def backward(dy: Array) -> Array:
            dx, dw, db = ops.batch_norm_backward(dy, saved)
            self.weight.accumulate(dw)
            self.bias.accumulate(db)
            return dx

        return y, backward

    def _statistics(self, training: bool) -> tuple[Array, Array] | None:
        return None if training else (self.running_mean.value, self.running_var.value)

    def _move_averages(self, saved: ops.BatchNormSaved) -> None:
        M = saved.x.size // saved.x.shape[1]  # values in a channel, N·H·W
        mean, var = self.running_mean.value, self.running_var.value
        backend.current().compute(_move, mean, saved.mean, 1.0, self.momentum)
        backend.current().compute(_move, var, saved.var, M / (M - 1), self.momentum)


class BatchNorm1d(BatchNorm2d):
    """`BatchNorm2d` of rows, (N, C) -> (N, C): each counts as an image of one pixel."""

    def forward(self, x: Array, training: bool = True) -> tuple[Array, Backward]:
        """(N, C) -> (N, C)."""
        y, backward = super().forward(x[:, :, None, None], training)
        return y[:, :, 0, 0], lambda dy: backward(dy[:, :, None, None])[:, :, 0, 0]


class BatchNormReLU2d(BatchNorm2d):
    """`BatchNorm2d` and the `ReLU` that follows it as one layer, with the same state.

    It reads and writes its images once where two layers do so twice; see
    `ops.batch_norm_relu`.
    """

    def forward(self, x: Array, training: bool = True) -> tuple[Array, Backward]:
        """(N, C, H, W) -> (N, C, H, W)."""
        y, saved = ops.batch_norm_relu(
            x,
            self.weight.value,
            self.bias.value,
            statistics=self._statistics(training),
            eps=self.eps,
        )
        if training:
            self._move_averages(saved.norm)

        def backward(dy: Array) -> Array:
            dx, dw, db = ops.batch_norm_relu_backward(dy, saved)
            self.weight.accumulate(dw)
            self.bias.accumulate(db)
            return dx

        return y, backward


def _move(running: Array, new: Array, factor: float, momentum: float) -> None:
    running += momentum * (new * factor - running)


class Flatten(Layer):
    """All axes but the first become one, in row order."""

    def forward(self, x: Array, training: bool = True) -> tuple[Array, Backward]:
        """(N, C, H, W) -> (N, C·H·W)."""
        shape = x.shape
        features = x.size // len(x) if len(x) else int(np.prod(shape[1:]))
        return x.reshape(len(x), features), lambda dy: dy.reshape(shape)


class Dropout(Layer):
    """In training, each number is set to 0 with probability p and the others divided by 1 − p.

    The mask is drawn from `rng`, so two passes differ (Srivastava et al. 2014).
    """

    recordable = False

    def __init__(self, p: float = 0.5, *, rng: np.random.Generator) -> None:
        if not 0 <= p < 1:
            raise ValueError(f"Dropout: p is {p}, expected 0 <= p < 1")
        self.p, self.rng = p, rng

    def forward(self, x: Array, training: bool = True) -> tuple[Array, Backward]:
        """Any shape."""
        if not training or self.p == 0:
            return x, lambda dy: dy
        xp = array_module(x)
        keep = xp.empty_like(x)  # in the memory order of x
        keep[...] = xp.asarray(self.rng.random(x.shape) >= self.p)
        keep /= 1 - self.p  # 0 or 1 / (1 − p)
        return x * keep, lambda dy: dy * keep


class DropPath(Layer):
    """In training, an image is set to 0 with probability p, and the others divided by 1 − p.

    At the end of a residual block's branch it leaves the shortcut alone: nets of many depths learn
    at once ("stochastic depth", Huang et al., arXiv 1603.09382). Which images is drawn from `rng`.
    """

    recordable = False

    def __init__(self, p: float, *, rng: np.random.Generator) -> None:
        if not 0 <= p < 1:
            raise ValueError(f"DropPath: p is {p}, expected 0 <= p < 1")
        self.p, self.rng = p, rng

    def forward(self, x: Array, training: bool = True) -> tuple[Array, Backward]:
        """(N, …) -> (N, …)."""
        if not training or self.p == 0:
            return x, lambda dy: dy
        keep = array_module(x).asarray(self.rng.random(len(x)) >= self.p).astype(x.dtype)
        keep = keep.reshape(-1, *(1,) * (x.ndim - 1)) / (1 - self.p)  # 0 or 1 / (1 − p)
        return x * keep, lambda dy: dy * keep
