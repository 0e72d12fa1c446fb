"""Named nets: `create("se-resnet8", seed=0)`."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
import numpy.typing as npt

from minise.errors import InputError
from minise.models.cnn import cnn
from minise.models.resnet import resnet8
from minise.nearest import nearest
from minise.nn import Layer

__all__ = ["about", "create", "names"]

_NETS: dict[str, Callable[..., Layer]] = {
    "se-cnn": partial(cnn, se=True),
    "se-resnet8": partial(resnet8, se=True),
    "cnn": partial(cnn, se=False),
    "resnet8": partial(resnet8, se=False),
}
_ABOUT = {
    "se-cnn": "two convolutions, each with an SE block",
    "se-resnet8": "three residual SE blocks",
    "cnn": "se-cnn without its SE blocks",
    "resnet8": "se-resnet8 without SE",
}


def names() -> list[str]:
    """The names that `create` knows."""
    return list(_NETS)


def about(name: str) -> str:
    """What the net of this name is, in a few words. Raises `InputError` for an unknown name."""
    _check(name)
    return _ABOUT[name]


def create(
    name: str,
    *,
    num_classes: int = 10,
    in_channels: int = 1,
    seed: int = 0,
    dtype: npt.DTypeLike = np.float32,
) -> Layer:
    """A new net, its weights drawn with `seed`: (N, in_channels, 28, 28) -> (N, num_classes).

    The state of one net fits another of the same name. Raises `InputError` for an unknown name.
    """
    _check(name)
    rng = np.random.default_rng(seed)
    return _NETS[name](
        num_classes=num_classes,
        in_channels=in_channels,
        rng=rng,
        dtype=dtype,
    )


def _check(name: str) -> None:
    if name not in _NETS:
        raise InputError(nearest("model", name, names()))
