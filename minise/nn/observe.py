"""Watching a net at work without hooks in its layers."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import TypeAlias

from minise.backend import Array
from minise.nn.layer import Backward, Layer

Observer: TypeAlias = Callable[[Layer, Array, bool], tuple[Array, Backward]]


def observed(layer: Layer, observer: Observer) -> Layer:
    """A twin of `layer` with the same parameters whose every part runs through `observer`.

    `observer(part, x, training)` is called in the place of `part.forward(x, training)` for the
    layer and all layers in it, and returns what that returns. `layer` itself stays as it is.
    """
    twin = copy.copy(layer)
    for name, child in layer.children():
        setattr(twin, name, observed(child, observer))
    inside = copy.copy(twin)  # runs the true forward, over the observed children

    def forward(x: Array, training: bool = True) -> tuple[Array, Backward]:
        return observer(inside, x, training)

    vars(twin)["forward"] = forward
    return twin
