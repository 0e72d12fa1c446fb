"""What was seen of one image on its way through a net, and of its gradient back."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from minise import ops
from minise.arrays import Array, array_module
from minise.nn import Backward, Layer


@dataclass
class Part:
    """A layer in one pass: what came out of it, and the loss's gradient of that."""

    name: str
    layer: Layer
    y: Array  # (1, C, H, W) or (1, C)
    dy: Array | None = None


@dataclass
class Block:
    """An SE block in one pass: y = s · x, where the gates s come from z, squeezed from x.

    Going back, x has a gradient along two paths: `scaled` is s · dy, `squeezed` came through the
    gates, and dx is their sum. Gates of pixels are (1, C, H, W) or (1, 1, H, W), and have no z.

    A block of one's own may compute another y than s · x. What came out is shown, and of the paths
    none, where the two that were seen do not sum to dx.
    """

    name: str
    layer: Layer
    x: Array  # (1, C, H, W)
    s: Array = field(default_factory=lambda: np.ones((1, 1)))  # (1, C)
    own: Array = field(default_factory=lambda: np.ones((1, 1)))  # the gates before any was changed
    z: Array | None = None  # (1, C)
    hidden: Array | None = None  # (1, hidden)
    ds: Array | None = None
    dhidden: Array | None = None
    dz: Array | None = None
    scaled: Array | None = None
    squeezed: Array | None = None
    dx: Array | None = None
    dy: Array | None = None
    out: Array | None = None  # (1, C, H, W), where the block itself computes y
    reader: str = ""  # the part at which the gates' path begins

    @property
    def gates_pixels(self) -> bool:
        """Whether each pixel has a gate, not each channel."""
        return self.s.ndim == 4

    @property
    def y(self) -> Array:
        """(1, C, H, W)."""
        return self.x * over_maps(self.s) if self.out is None else self.out

    @property
    def scales(self) -> bool:
        """Whether y is s · x, but for rounding."""
        return self.out is None or np.allclose(self.out, self.x * over_maps(self.s))


@dataclass
class Watched:
    """What `Watcher.watch` saw. `parts` are in the order in which they ended."""

    parts: dict[str, Part] = field(default_factory=dict)
    blocks: dict[str, Block] = field(default_factory=dict)
    scores: Array = field(default_factory=lambda: np.empty((1, 0)))
    loss: float | None = None
    inside: set[str] = field(default_factory=set)  # the parts that are within blocks
    joins: dict[str, str] = field(default_factory=dict)  # of blocks: the part r of relu(s·u + r)
    _backward: Backward | None = None
    _scores: Any = None

    def backward(self, label: int) -> None:
        """Write down the gradient of the loss for this label; adds to the net's `grad`s."""
        assert self._backward is not None
        xp = array_module(self._scores)
        loss, saved = ops.softmax_cross_entropy(self._scores, xp.asarray([label]))
        self._backward(ops.softmax_cross_entropy_backward(1.0, saved))
        self.loss = float(loss) + 0.0  # −0 is 0
        for name, other in self.joins.items():
            self.blocks[name].dy = self.parts[other].dy  # both terms of a sum have the same

    def shown(self) -> Iterator[Part | Block]:
        """In order, each SE block and each layer outside of one; of layers in layers the inner."""
        seen: set[int] = set()
        for name, part in self.parts.items():
            outer, _, last = name.rpartition(".")
            if name in self.blocks:
                yield self.blocks[name]
            elif last == "gate" and outer in self.joins:
                yield self.blocks[outer]
            elif name not in self.inside and id(part.y) not in seen:
                yield part
            seen.add(id(part.y))  # a chain's output is that of its last layer


def over_maps(s: Array) -> Array:
    """Gates of channels (N, C) as (N, C, 1, 1), those of pixels as they are."""
    return s if s.ndim == 4 else s[:, :, None, None]


def part_of(block: str, role: str) -> str:
    """The name of a part in a block, in the same use: "se.gate#2" in "se#2"."""
    name, number, use = block.partition("#")
    return f"{name}.{role}{number}{use}" if name else f"{role}{number}{use}"
