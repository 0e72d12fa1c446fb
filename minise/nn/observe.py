"""Watching a net at work without hooks in its layers."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import TypeAlias

from minise.arrays import Array
from minise.nn.layer import Backward, Layer

__all__ = ["observed"]

Observer: TypeAlias = Callable[[str, Layer, Array, bool], tuple[Array, Backward]]


def observed(layer: Layer, observer: Observer, name: str = "") -> Layer:
    """A twin of `layer` with the same parameters whose every part runs through `observer`.

    `observer(name, part, x, training)` is called in place of `part.forward(x, training)` for
    the layer and all layers in it, and returns what the latter returns. The name is that of the
    attribute, as in "block1.conv1"; that of `layer` is "". `layer` itself stays as it is.
    """
    twin = copy.copy(layer)
    for child_name, child in layer.children():
        full = f"{name}.{child_name}" if name else child_name
        setattr(twin, child_name, observed(child, observer, full))
    inside = copy.copy(twin)  # runs the true forward, over the observed children

    def forward(x: Array, training: bool = True) -> tuple[Array, Backward]:
        return observer(name, inside, x, training)

    vars(twin)["forward"] = forward
    return twin
