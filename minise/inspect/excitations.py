"""What the SE blocks of a net do with given images, as arrays.

The layers know nothing of it: `nn.observed` runs a twin of the net, and what goes through the
squeeze and the gate of each block is written down on the way.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from minise.arrays import Array, asnumpy
from minise.backend import asarray
from minise.errors import InputError
from minise.nn import Backward, Layer, observed


class Excitation(NamedTuple):
    """What one block does: its gates come from what it squeezed, and scale the maps."""

    before: Array  # (N, C, H, W)
    squeezed: Array  # (N, C)
    gates: Array  # (N, C)
    hidden: Array | None = None  # (N, hidden), behind the relu; a block may have none

    @property
    def after(self) -> Array:
        """The maps (N, C, H, W), each times its gate."""
        return self.before * self.gates[:, :, None, None]


class ByClass(NamedTuple):
    """The gates of each class's images: their mean, and their standard deviation around it."""

    mean: Array  # (K, C)
    deviation: Array  # (K, C)


def excitations(net: Layer, x: Array) -> dict[str, Excitation]:
    """By its name, as in "block1.se", what each SE block does with the images x (N, C, H, W).

    The net is in evaluation mode. Raises `InputError` for a net without such a block.
    """
    blocks = [name for name, layer in net.named_layers() if layer.gates_channels]
    if not blocks:
        others = sorted({type(layer).__name__ for _, layer in net.named_layers() if layer.is_se})
        raise InputError(
            f"the net has no SE block to look into{': ' if others else ''}"
            + " and ".join(f"{kind} has no gates of channels" for kind in others)
        )
    for name, layer in net.named_layers():
        missing = {"squeeze", "gate"} - {part for part, _ in layer.children()}
        if name in blocks and missing:
            raise InputError(
                f"{name or 'the net'} ({type(layer).__name__}) sets gates_channels, but has no "
                f"layer called {' or '.join(sorted(missing))}"
            )
    maps: dict[str, Array] = {}
    squeezed: dict[str, Array] = {}
    hidden: dict[str, Array] = {}
    opened: dict[str, Array] = {}

    def watch(name: str, layer: Layer, x: Array, training: bool) -> tuple[Array, Backward]:
        y, backward = layer.forward(x, training)
        block, _, part = name.rpartition(".")
        if block in blocks and part == "squeeze":
            maps[block], squeezed[block] = asnumpy(x), asnumpy(y)
        elif block in blocks and part == "activation":
            hidden[block] = asnumpy(y)
        elif block in blocks and part == "gate":
            opened[block] = asnumpy(y)
        return y, backward

    observed(net, watch)(asarray(x))
    return {
        name: Excitation(maps[name], squeezed[name], s, hidden.get(name))
        for name, s in opened.items()
    }


def gates(net: Layer, x: Array, *, batch_size: int = 256) -> dict[str, Array]:
    """By its name, the gates (N, C) that each SE block gives the images x (N, C, H, W).

    The net is in evaluation mode, and sees `batch_size` images at a time. Raises `InputError` for a
    net without such a block, and where x has no image.
    """
    if not len(x):
        raise InputError("gates: x has no image")
    batches = [
        {name: found.gates for name, found in excitations(net, part).items()}
        for part in _parts(x, batch_size)
    ]
    return {name: np.concatenate([batch[name] for batch in batches]) for name in batches[0]}


def dead_units(net: Layer, x: Array, *, batch_size: int = 256) -> dict[str, Array]:
    """By its name, which hidden units (hidden,) of each SE block are 0 for all images x.

    Such a unit tells a gate nothing, and no gradient comes through its relu to wake it; where all
    are dead, the gates are the same for every image. Blocks without hidden units are left out.
    Raises as `gates` does.
    """
    if not len(x):
        raise InputError("dead_units: x has no image")
    dead: dict[str, Array] = {}
    for part in _parts(x, batch_size):
        for name, found in excitations(net, part).items():
            if found.hidden is not None:
                dead[name] = dead.get(name, True) & (found.hidden == 0).all(axis=0)
    return dead


def _parts(x: Array, size: int) -> Iterator[Array]:
    return (x[n : n + size] for n in range(0, len(x), size))


def by_class(s: Array, labels: npt.NDArray[np.int64]) -> ByClass:
    """The gates s (N, C) of images with these labels (N,), by class: figures 6 and 7 of the paper.

    K is one more than the largest label; a class without images has NaN. Raises `InputError` where
    there are not as many labels as rows of gates.
    """
    if labels.shape != s.shape[:1]:
        raise InputError(f"by_class: labels have shape {labels.shape}, expected {s.shape[:1]}")
    K = int(labels.max()) + 1
    mean, deviation = np.full((2, K, s.shape[1]), np.nan)
    for k in np.unique(labels):
        mean[k], deviation[k] = s[labels == k].mean(axis=0), s[labels == k].std(axis=0)
    return ByClass(mean, deviation)
