"""What was watched, as the parts of an answer."""

from __future__ import annotations

import math
from typing import Any

from minise.arrays import Array
from minise.nn.se import SQUEEZES
from minise.play.messages import MOST_MAPS, Numbers
from minise.play.watched import Block, Part, Watched

MOST_ROW = 1024  # numbers of a layer without maps
MOST_NUMBERS = 2**20  # of maps in one answer
MAPS = ("x", "y", "dy", "scaled", "squeezed", "dx")
GATES = ("z", "hidden", "s", "own", "dz", "dhidden", "ds")


def about(layer: Part | Block) -> dict[str, Any]:
    """What does not change from image to image."""
    shape = list((layer.x if isinstance(layer, Block) else layer.y).shape[1:])
    found = {"name": layer.name, "type": type(layer.layer).__name__, "shape": shape}
    if not isinstance(layer, Block):
        return found | {"kind": "maps" if len(shape) == 3 else "numbers"}
    squeeze = type(getattr(layer.layer, "squeeze", None))
    names = [name for name, kind in SQUEEZES.items() if kind is squeeze]
    return found | {
        "kind": "block",
        "gates": "pixels" if layer.gates_pixels else "channels",
        "squeeze": names[0] if names else None,
    }


def layers_shown(
    watched: Watched, opened: set[str] | None, numbers: Numbers
) -> list[dict[str, Any]]:
    """Each SE block and each layer outside of one, with the maps of those that are `opened`.

    None stands for all of them, if they have at most `MOST_NUMBERS`, or else for no maps at all.
    Named ones are open as long as no more than these come together; the first always is.
    """
    layers = list(watched.shown())
    if opened is None:
        all_of_them = sum(map(_size, layers)) <= MOST_NUMBERS
        opened = {layer.name for layer in layers} if all_of_them else set()
    shown, used = [], 0
    for layer in layers:
        is_open = layer.name in opened and (not used or used + _size(layer) <= MOST_NUMBERS)
        used += _size(layer) if is_open else 0
        shown.append(about(layer) | _arrays(layer, numbers, is_open))
    return shown


def row(array: Array) -> list[float | None]:
    """The numbers of an array (1, C)."""
    return [value if math.isfinite(value) else None for value in array[0].astype(float).tolist()]


def _arrays(layer: Part | Block, numbers: Numbers, is_open: bool) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name in _names(layer):
        array = getattr(layer, name)
        if isinstance(layer, Block) and name in GATES and array is not None and array.ndim == 2:
            found[name] = row(array)
        else:
            shown = is_open and array is not None
            found[name] = numbers.put(_some(array)) if shown else None
    return found


def _names(layer: Part | Block) -> tuple[str, ...]:
    return (*MAPS, *GATES) if isinstance(layer, Block) else ("y", "dy")


def _some(array: Array) -> Array:
    """The first maps or numbers of an array (1, C, …)."""
    some: Array = array[0, : MOST_MAPS if array.ndim == 4 else MOST_ROW]
    return some


def _size(layer: Part | Block) -> int:
    """The numbers of its maps."""
    arrays = [getattr(layer, name) for name in _names(layer)]
    return sum(_some(array).size for array in arrays if array is not None)
