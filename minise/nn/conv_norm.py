"""A convolution, batch norm and an activation, the unit that most nets are built of."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from minise.errors import InputError
from minise.nn.activations import activation_layer
from minise.nn.layer import Layer, Sequential
from minise.nn.layers import BatchNorm2d, BatchNormReLU2d, Conv2d

__all__ = ["conv_norm_act"]


def conv_norm_act(
    in_channels: int,
    out_channels: int,
    kernel_size: int,
    stride: int = 1,
    *,
    groups: int = 1,
    activation: str = "relu",
    eps: float = 1e-5,
    momentum: float = 0.1,
    rng: np.random.Generator | None = None,
    dtype: npt.DTypeLike = np.float32,
) -> Sequential:
    """act(norm(w ⋆ x)): (N, in, H, W) -> (N, out, ⌈H/stride⌉, ⌈W/stride⌉).

    Its layers are `conv`, `bn` and `act`; a relu is part of `bn`. The kernel size is odd, and half
    of it is padded. There is no bias: batch norm would subtract it again. `activation` is one of
    `ACTIVATIONS`, with "none" for none; `eps` and `momentum` are those of `BatchNorm2d`.

    Raises `InputError` for an unknown activation or an even kernel size.
    """
    if kernel_size % 2 == 0:
        raise InputError(f"conv_norm_act: kernel_size is {kernel_size}, expected an odd number")
    after = _norm_and_activation(out_channels, activation, eps, momentum, dtype)
    conv = Conv2d(
        in_channels, out_channels, kernel_size, stride, padding=kernel_size // 2, groups=groups,
        bias=False, rng=rng, dtype=dtype,
    )  # fmt: skip
    return Sequential(conv=conv, **after)


def _norm_and_activation(
    channels: int, activation: str, eps: float, momentum: float, dtype: npt.DTypeLike
) -> dict[str, Layer]:
    if activation == "relu":
        return {"bn": BatchNormReLU2d(channels, eps, momentum, dtype=dtype)}
    norm = BatchNorm2d(channels, eps, momentum, dtype=dtype)
    act = activation_layer(activation, "conv_norm_act")
    return {"bn": norm} if activation == "none" else {"bn": norm, "act": act}
