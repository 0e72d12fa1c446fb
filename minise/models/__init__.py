"""Named nets: `create("se-resnet8", seed=0)`."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from minise.errors import InputError
from minise.models.cnn import cnn
from minise.models.resnet import IMAGENET, imagenet, small
from minise.nearest import nearest
from minise.nn import Layer, unfilled

__all__ = ["about", "create", "image_shape", "names"]

MNIST, CIFAR, PHOTOS = (1, 28, 28), (3, 32, 32), (3, 224, 224)


class _Net(NamedTuple):
    make: Callable[..., Layer]
    about: str
    image: tuple[int, int, int]  # what it was made for
    classes: int


def _pair(name: str, make: Callable[..., Layer], about: str, *made_for: Any) -> dict[str, _Net]:
    """A net with SE, and the same without it."""
    return {
        f"se-{name}": _Net(partial(make, se=True), about, *made_for),
        name: _Net(partial(make, se=False), f"se-{name} without SE", *made_for),
    }


_NETS: dict[str, _Net] = {
    **_pair("cnn", cnn, "two convolutions, each with an SE block", MNIST, 10),
    **_pair("resnet8", partial(small, 1, reduction=4), "three residual blocks with SE", MNIST, 10),
}
for _depth in (14, 20, 32, 56, 110):
    _blocks = (_depth - 2) // 6
    _NETS |= _pair(
        f"resnet{_depth}",
        partial(small, _blocks),
        f"{3 * _blocks} residual blocks with SE",
        *((MNIST, 10) if _depth == 14 else (CIFAR, 10)),
    )
_NETS |= _pair(
    "resnet164", partial(small, 18, bottleneck=True), "54 bottlenecks with SE", CIFAR, 10
)
for _name, _stages in IMAGENET.items():
    _make = partial(imagenet, _name)
    _about = f"{sum(_stages.blocks)} {_stages.kind} blocks with SE"
    if _stages.kind == "senet":  # which is none without SE
        _NETS[_name] = _Net(partial(_make, se=True), _about, PHOTOS, 1000)
    else:
        _NETS |= _pair(_name, _make, _about, PHOTOS, 1000)


def names() -> list[str]:
    """The names that `create` knows."""
    return list(_NETS)


def about(name: str) -> str:
    """What the net of this name is, in a few words. Raises `InputError` for an unknown name."""
    return _net(name).about


def image_shape(name: str) -> tuple[int, int, int]:
    """The images (C, H, W) that the net was made for. Raises `InputError` for an unknown name."""
    return _net(name).image


def create(
    name: str,
    *,
    num_classes: int | None = None,
    in_channels: int | None = None,
    seed: int = 0,
    dtype: npt.DTypeLike = np.float32,
    filled: bool = True,
    **options: Any,
) -> Layer:
    """A new net, its weights drawn with `seed`: (N, in_channels, H, W) -> (N, num_classes).

    Channels and classes are those of the data that it was made for, unless given. With
    `filled=False` the weights have anything in them, which costs no time: for counting, or where a
    state is loaded next. `options` of residual nets are `reduction`, `placement` and `stages`, the
    numbers of the stages that have SE.

    The state of one net fits another of the same name. Raises `InputError` for an unknown name.
    """
    net = _net(name)
    with nullcontext() if filled else unfilled():
        return net.make(
            num_classes=net.classes if num_classes is None else num_classes,
            in_channels=net.image[0] if in_channels is None else in_channels,
            rng=np.random.default_rng(seed),
            dtype=dtype,
            **options,
        )


def _net(name: str) -> _Net:
    if name not in _NETS:
        raise InputError(nearest("model", name, names()))
    return _NETS[name]
