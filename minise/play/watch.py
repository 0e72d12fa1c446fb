"""One image through a net and its gradient back, with all that passes by written down.

The layers know nothing of it: `nn.observed` runs a twin of the net. The net is in evaluation mode,
whose batch norm is that of the running statistics, in both passes: the gradient that is shown is
that of the scores that are shown.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from minise import ops
from minise.arrays import Array, array_module, asnumpy
from minise.backend import asarray
from minise.nn import Backward, Layer, observed
from minise.nn.se import SQUEEZES
from minise.play.changes import Change

NONE = Change()


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
    gates, and dx is their sum.
    """

    name: str
    layer: Layer
    x: Array  # (1, C, H, W)
    z: Array  # (1, C)
    s: Array  # (1, C)
    own: Array  # (1, C): the gates before any was changed
    hidden: Array | None = None  # (1, hidden)
    ds: Array | None = None
    dz: Array | None = None
    scaled: Array | None = None
    squeezed: Array | None = None
    dx: Array | None = None

    @property
    def y(self) -> Array:
        """(1, C, H, W)."""
        return self.x * self.s[:, :, None, None]


class Nudge(NamedTuple):
    """A number that is added to one entry of what comes out of a layer."""

    name: str
    entry: tuple[int, ...]  # (c, h, w) or (c,)
    step: float


@dataclass
class Watched:
    """What `watch` saw. `parts` are in the order in which they ended."""

    net: Layer
    parts: dict[str, Part] = field(default_factory=dict)
    blocks: dict[str, Block] = field(default_factory=dict)
    scores: Array = field(default_factory=lambda: np.empty((1, 0)))
    loss: float | None = None
    _backward: Backward | None = None
    _scores: Any = None

    def backward(self, label: int) -> None:
        """Write down the gradient of the loss for this label; adds to the net's `grad`s."""
        assert self._backward is not None
        xp = array_module(self._scores)
        loss, saved = ops.softmax_cross_entropy(self._scores, xp.asarray([label]))
        self._backward(ops.softmax_cross_entropy_backward(1.0, saved))
        self.loss = float(loss)

    def shown(self) -> list[Part | Block]:
        """In order, each SE block and each layer outside of one; of layers in layers the inner."""
        found: list[Part | Block] = []
        seen: set[int] = set()
        for name, part in self.parts.items():
            if id(part.y) in seen:
                continue  # a chain's output is that of its last layer
            seen.add(id(part.y))
            inside = next((b for b in self._se_names() if name.startswith(f"{b}.")), None)
            if inside is None and name not in self.blocks:
                found.append(part)
            elif name in self.blocks or name == f"{inside}.gate":
                block = self.blocks.get(name) or self.blocks.get(inside or "")
                if block is not None and not any(block is other for other in found):
                    found.append(block)
        return found

    def _se_names(self) -> list[str]:
        return [name for name, layer in self.net.named_layers() if layer.is_se]


def watch(
    net: Layer,
    x: Array,
    changes: Mapping[str, Change] | None = None,
    means: Mapping[str, Array] | None = None,
    nudge: Nudge | None = None,
) -> Watched:
    """Run the image x (1, C, H, W) through the net as `changes` say, by the names of its blocks.

    `means` are each block's mean gates (K, C) by class.
    """
    changes, means = changes or {}, means or {}
    watched = Watched(net)
    gated = {name for name, layer in net.named_layers() if layer.gates_channels}
    held: dict[int, Array] = {}

    def kept(array: Any) -> Array:
        """As NumPy has it, a copy: one for each array, so that the same are known again."""
        if id(array) not in held:
            held[id(array)] = asnumpy(array).copy()
            alive.append(array)
        return held[id(array)]

    alive: list[Any] = []  # else another array might get the id of one that died

    def observer(name: str, layer: Layer, x: Any, training: bool) -> tuple[Any, Backward]:
        block, _, role = name.rpartition(".")
        change = changes.get(block, NONE) if block in gated else NONE
        part = layer
        if role == "squeeze" and change.squeeze is not None:
            part = SQUEEZES[change.squeeze]()
        y, backward = part.forward(x, training)
        if nudge is not None and nudge.name == name:
            y = y.copy()
            y[(0, *nudge.entry)] += nudge.step
        if block in gated and role == "squeeze":
            watched.blocks[block] = Block(block, _layer(net, block), kept(x), kept(y), y, y)
        elif block in gated and role == "activation":
            watched.blocks[block].hidden = kept(y)
        elif block in gated and role == "gate":
            seen = watched.blocks[block]
            seen.own = kept(y)
            y, backward = _moved(y, backward, change.fixed(means.get(block), y.shape[1]))
            seen.s = kept(y)
        watched.parts[name] = Part(name, layer, kept(y))

        def backward_seen(dy: Any, /, **path: Any) -> Any:
            watched.parts[name].dy = asnumpy(dy).copy()
            if block in gated and role == "gate":
                watched.blocks[block].ds = asnumpy(dy).copy()
            if not (block in gated and role == "squeeze"):
                return backward(dy, **path)
            seen = watched.blocks[block]
            seen.dz = asnumpy(dy).copy()
            seen.scaled = _along_the_scale(path)
            seen.squeezed = asnumpy(backward(dy)).copy()
            dx = backward(dy, **path)
            seen.dx = asnumpy(dx).copy()
            return dx

        return y, backward_seen

    y, watched._backward = observed(net, observer).forward(asarray(x), training=False)
    watched.scores, watched._scores = kept(y), y
    return watched


def _layer(net: Layer, name: str) -> Layer:
    return dict(net.named_layers())[name]


def _moved(s: Any, backward: Backward, fixed: Array) -> tuple[Any, Backward]:
    """The gates s (1, C) with those of `fixed` that are not NaN, and the way back to the others."""
    if np.isnan(fixed).all():
        return s, backward
    xp = array_module(s)
    own = xp.asarray(np.isnan(fixed))
    s = xp.where(own, s, xp.asarray(np.nan_to_num(fixed).astype(s.dtype)))
    return s, lambda ds: backward(xp.where(own, ds, 0))


def _along_the_scale(path: Mapping[str, Any]) -> Array:
    """s · dy, from what the squeeze's backward is asked to add to."""
    dx, s = path["add_to"], path.get("scaled_by")
    return asnumpy(dx if s is None else ops.channel_scale(dx, s)[0]).copy()
