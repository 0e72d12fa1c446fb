"""What decides which function a net of given weights is, and where two nets differ in it."""

from __future__ import annotations

from typing import Any

import numpy as np

from minise.nn import Buffer, Layer, Parameter
from minise.shapes import Window

PLAIN = (bool, int, float, str, tuple, type(None), np.generic)
# of training alone, or about the net as a whole
OF_NO_SCORE = {"momentum", "p", "image_shape", "made_as"}


def facts(net: Layer) -> dict[str, Any]:
    """The types of all layers, their options and the shapes of their arrays, by name."""
    found: dict[str, Any] = {}
    for name, layer in net.named_layers():
        before = f"{name}." if name else ""
        if layer is not net:
            found[name] = type(layer).__name__ if _is_ours(layer) else f"a {type(layer)}"
        for option, value in vars(layer).items():
            if isinstance(value, Parameter | Buffer):
                found[before + option] = tuple(value.value.shape)
            elif isinstance(value, Window):
                found |= {f"{before}{option}.{k}": v for k, v in value._asdict().items()}
            elif isinstance(value, PLAIN) and option not in OF_NO_SCORE:
                found[before + option] = value
            elif callable(value) and not isinstance(value, Layer):  # a method of its own
                found[before + option] = repr(value)
    return found


def difference(net: Layer, other: Layer) -> str:
    """Where they differ, in words; "" where both give the same scores for the same weights."""
    ours, theirs = facts(net), facts(other)
    names = dict.fromkeys([*ours, *theirs])
    told = [
        _told(name, ours, theirs)
        for name in names
        if (name in ours, ours.get(name)) != (name in theirs, theirs.get(name))
    ]
    if not told:
        same_order = list(ours) == list(theirs)
        return "" if same_order else "its layers are in another order"
    # a whole layer that only one has is told once, not by each of its parts
    return told[0] + (f"; and {len(told) - 1} more" if len(told) > 1 else "")


def _told(name: str, ours: dict[str, Any], theirs: dict[str, Any]) -> str:
    if name not in theirs:
        return f"it has {name}, theirs has not"
    if name not in ours:
        return f"theirs has {name}, it has not"
    return f"{name} is {ours[name]!r}, theirs {theirs[name]!r}"


def _is_ours(layer: Layer) -> bool:
    return type(layer).__module__.startswith("minise.")
