"""One image through a net and its gradient back, with all that passes by written down.

The layers know nothing of it: `nn.observed` runs a twin of the net. The net is in evaluation mode,
whose batch norm is that of the running statistics, in both passes: the gradient that is shown is
that of the scores that are shown.

A layer that is used again has its name and the number of the use, as in "conv#2".
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from minise import ops
from minise.arrays import Array, array_module, asnumpy
from minise.backend import asarray
from minise.errors import InputError
from minise.nn import Backward, Layer, Residual, observed
from minise.nn.se import SQUEEZES
from minise.play.changes import Change
from minise.play.watched import Block, Part, Watched, over_maps, part_of

NONE = Change()


class Nudge(NamedTuple):
    """A number that is added to one entry of what comes out of a layer, or goes into it."""

    name: str
    entry: tuple[int, ...]  # (c, h, w) or (c,)
    step: float
    into: bool = False


class Watcher:
    """Runs images through one net, whose weights may change in between, but not its layers.

    One image at a time: it is not to be used from two threads at once.
    """

    def __init__(self, net: Layer) -> None:
        self.layers = dict(net.named_layers())
        self.blocks = {name for name, layer in self.layers.items() if is_block(layer)}
        self.inside = {
            name for name in self.layers if any(name.startswith(_in(b, "")) for b in self.blocks)
        }
        self.joins = {
            _in(name, child_name): _in(name, "shortcut")
            for name, layer in self.layers.items()
            if isinstance(layer, Residual)
            for child_name, child in layer.children()
            if child is layer.scaled_by
        }
        self._twin = observed(net, lambda *args: self._pass.observe(*args))

    def watch(
        self,
        x: Array,
        changes: Mapping[str, Change] | None = None,
        means: Mapping[str, Array] | None = None,
        *,
        held: Mapping[str, Array] | None = None,
        nudge: Nudge | None = None,
    ) -> Watched:
        """Run the image x (1, C, H, W) through the net as `changes` say, by the names of blocks.

        `means` are the mean gates (K, C) of blocks by class. The gates of a block in `held` are
        those. Raises `InputError` for a change of what there is not, or scores of another shape
        than (1, K).
        """
        self._pass = _Pass(self, changes or {}, means or {}, held or {}, nudge)
        y, backward = self._twin.forward(asarray(x), training=False)
        seen = self._pass.seen
        if y.ndim != 2:
            raise InputError(f"play: the net gives {y.shape} for one image, expected scores (1, K)")
        assert nudge is None or self._pass.nudged, f"nothing is called {nudge.name!r}"
        for name in changes or {}:
            if name not in seen.blocks:
                raise InputError(f"changes: there is no block {name[:40]!r}")
        seen.scores, seen._scores, seen._backward = asnumpy(y), y, backward
        return seen


class _Pass:
    """One image on its way."""

    def __init__(
        self,
        watcher: Watcher,
        changes: Mapping[str, Change],
        means: Mapping[str, Array],
        held: Mapping[str, Array],
        nudge: Nudge | None,
    ) -> None:
        self._watcher, self._changes, self._means = watcher, changes, means
        self._held, self._nudge, self.nudged = held, nudge, False
        self.seen = Watched()
        self._uses: dict[str, int] = {}
        self._inputs: dict[str, Any] = {}  # of blocks
        self._fetched: dict[int, tuple[Any, Array]] = {}

    def observe(self, name: str, layer: Layer, x: Any, training: bool) -> tuple[Any, Backward]:
        watcher = self._watcher
        use = self._uses[name] = self._uses.get(name, 0) + 1
        key, block = used(name, use), _outer(name)
        x = self._nudged(x, key, into=True)
        if name in watcher.blocks:
            y, backward = self._whole(self._opened(name, use, x), layer, x, training)
        elif block in watcher.blocks:
            y, backward = self._within(self._opened(block, use, x), _last(name), layer, x, training)
        else:
            y, backward = layer.forward(x, training)
        y = self._nudged(y, key, into=False)
        part = self.seen.parts[key] = Part(key, watcher.layers[name], self._kept(y))
        if name in watcher.inside:
            self.seen.inside.add(key)

        def back(dy: Any, /, **path: Any) -> Any:
            part.dy = _copied(dy)
            return backward(dy, **path)

        return y, back

    def _opened(self, name: str, use: int, x: Any) -> Block:
        """The block of this name, which may be met only by what is in it."""
        key = used(name, use)
        if key not in self.seen.blocks:
            self._inputs[key] = x
            self.seen.blocks[key] = Block(key, self._watcher.layers[name], self._kept(x))
            if name in self._watcher.joins:
                self.seen.joins[key] = used(self._watcher.joins[name], use)
        return self.seen.blocks[key]

    def _whole(self, block: Block, layer: Layer, x: Any, training: bool) -> tuple[Any, Backward]:
        y, backward = layer.forward(x, training)
        block.out = self._kept(y)

        def back(dy: Any) -> Any:
            block.dy = _copied(dy)
            dx = backward(dy)
            block.dx = _copied(dx)
            if block.scaled is None:
                block.scaled = block.dy * over_maps(block.s)
            if not _is_sum(block.dx, block.scaled, block.squeezed):
                block.scaled = block.squeezed = None
            return dx

        return y, back

    def _within(
        self, block: Block, role: str, layer: Layer, x: Any, training: bool
    ) -> tuple[Any, Backward]:
        if role == "squeeze":
            return self._squeeze(block, layer, x, training)
        if role == "gate":
            return self._gate(block, layer, x, training)
        y, backward = layer.forward(x, training)
        reads_x = x is self._inputs[block.name]
        if reads_x:
            block.reader = part_of(block.name, role)
        if role == "activation":
            block.hidden = self._kept(y)

        def back(dy: Any) -> Any:
            if role == "activation":
                block.dhidden = _copied(dy)
            dx = backward(dy)
            if reads_x:
                block.squeezed = _copied(dx)
            return dx

        return y, back

    def _squeeze(self, block: Block, layer: Layer, x: Any, training: bool) -> tuple[Any, Backward]:
        other = self._changes.get(block.name, NONE).squeeze
        y, backward = (layer if other is None else SQUEEZES[other]()).forward(x, training)
        block.z, block.reader = self._kept(y), part_of(block.name, "squeeze")

        def back(dy: Any, /, **path: Any) -> Any:
            block.dz = _copied(dy)
            block.squeezed = _copied(backward(dy))
            if path:  # it is asked to add what came by the scale
                dx, s = path["add_to"], path.get("scaled_by")
                block.scaled = _copied(dx if s is None else ops.channel_scale(dx, s)[0])
            dx = backward(dy, **path)
            block.dx = _copied(dx)
            return dx

        return y, back

    def _gate(self, block: Block, layer: Layer, x: Any, training: bool) -> tuple[Any, Backward]:
        s, backward = layer.forward(x, training)
        block.own = self._kept(s)
        change = self._changes.get(block.name, NONE)
        fixed = self._held.get(block.name)
        if fixed is None:
            fixed = change.fixed(self._means.get(block.name), block.own.shape)
        s, backward = _moved(s, backward, fixed)
        block.s = self._kept(s)

        def back(ds: Any) -> Any:
            block.ds = _copied(ds)
            return backward(ds)

        return s, back

    def _kept(self, array: Any) -> Array:
        """As NumPy has it: one for each array, so that the same are known again."""
        if type(array) is np.ndarray:
            return array
        if id(array) not in self._fetched:  # and kept, or another might get its id
            self._fetched[id(array)] = array, asnumpy(array)
        return self._fetched[id(array)][1]

    def _nudged(self, array: Any, name: str, *, into: bool) -> Any:
        nudge = self._nudge
        if nudge is None or nudge.name != name or nudge.into != into:
            return array
        self.nudged = True
        array = array.copy()
        array[(0, *nudge.entry)] += nudge.step
        return array


def is_block(layer: Layer) -> bool:
    """Whether its gates can be seen: those of channels with what they come from, or of pixels."""
    parts = {name for name, _ in layer.children()}
    if layer.gates_channels:
        return {"squeeze", "gate"} <= parts
    return layer.is_se and layer.scales and "gate" in parts


def _moved(s: Any, backward: Backward, fixed: Array | None) -> tuple[Any, Backward]:
    """The gates s with those of `fixed` that are not NaN, and the way back to the others."""
    if fixed is None:
        return s, backward
    xp = array_module(s)
    own = xp.asarray(np.isnan(fixed))
    s = xp.where(own, s, xp.asarray(np.nan_to_num(fixed).astype(s.dtype)))
    return s, lambda ds: backward(xp.where(own, ds, xp.zeros_like(ds)))


def _is_sum(total: Array, a: Array, b: Array | None) -> bool:
    """Whether total = a + b but for rounding."""
    if b is None:
        return False
    size = np.abs(a).max() + np.abs(b).max()
    return bool(np.abs(a + b - total).max() <= 1e-4 * size) or not np.isfinite(size)


def _copied(array: Any) -> Array:
    return asnumpy(array).copy()


def _in(name: str, child: str) -> str:
    return f"{name}.{child}" if name else child


def _outer(name: str) -> str:
    return name.rpartition(".")[0]


def _last(name: str) -> str:
    return name.rpartition(".")[2]


def used(name: str, use: int) -> str:
    """The name of a layer in this use of it."""
    return name if use == 1 else f"{name}#{use}"
