"""Convolutions and linear maps as loops in C.

The sums of all filters are made at once, each of up to `BLOCK` products of neighbouring channels at
a time: a loop over filters around one over channels, which compilers turn into vectors over the
filters. GCC 12 does not where there are fewer than `FEW` channels, unless the sums of a whole row
stay in an array of their own.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TypeAlias

import numpy as np

from minise.export.c.quantise import as_int8
from minise.export.c.text import Statement, at, linear, loops, sized
from minise.export.c.window import window
from minise.export.c.writer import Along, Writer
from minise.export.plan import Step, Value

BLOCK, FEW = 8, 4  # channels
SHORT = 64  # numbers of a row

Axes: TypeAlias = Sequence[tuple[str, int]]  # the letter and the size of each loop


def gemm(writer: Writer, step: Step) -> list[Statement]:
    """A row (C,) to one of (F,)."""
    assert step.weight is not None
    C, F = step.weight.shape
    y = step.output._replace(shape=(F,))
    if C <= SHORT:  # simpler, and as fast
        sums = _Sums(writer, step, "f", [])
        body = [*sums.start(), *loops([("c", C)], sums.add(["c"], ["c", "f"], "f"))]
        return loops([("f", F)], [*body, writer.store(y, ["f"], writer.then(step, sums.real, "f"))])
    sums = _Sums(writer, step, "f", [("f", F)])
    c, within = _channels(C)
    products = within([("f", F)], sums.add([c], [c, "f"], "f"))
    stored = writer.store(y, ["f"], writer.then(step, sums.real, "f"))
    return [*sums.start(), *products, *loops([("f", F)], [stored])]


def conv(writer: Writer, step: Step) -> list[Statement]:
    """A map (H, W, C) to one of (OH, OW, F)."""
    (x,), y, groups = step.inputs, step.output, step.options["group"]
    (OH, OW, F), C = y.shape, x.shape[2] // groups
    row, col = window(step, 0), window(step, 1)
    c, within = _channels(C)
    of_x, f, filters, last = c, "f", [("f", F)], "f"
    if groups == F == x.shape[2] != 1:  # each channel has its filter
        of_x, f, filters, last = "c", "c", [("c", F)], "c"
    elif groups != 1:
        of_x = linear((C, "g"), (1, c if C != 1 else ""))
        f = linear((F // groups, "g"), (1, "f" if F != groups else ""))
        filters = [("g", groups), ("f", F // groups)]
    columns = [("j", OW)] if _block(C) < FEW else []
    sums = _Sums(writer, step, last, [*columns, (last, F)])
    products = within(filters, sums.add([row.at, col.at, of_x], ["ki", "kj", c, f], f))
    stored = writer.store(y, ["i", "j", last], writer.then(step, sums.real, last))
    places = [("i", OH)] if columns else [("i", OH), ("j", OW)]
    body = [
        *sums.start(),
        *row.repeat(col.each(loops(columns, col.guarded(products)))),
        *loops([*columns, (last, F)], [stored]),
    ]
    return loops(places, body)


def _block(C: int) -> int:
    return next(size for size in range(BLOCK, 0, -1) if C % size == 0)


def _channels(C: int) -> tuple[str, Callable[[Axes, list[Statement]], list[Statement]]]:
    """The index of a channel, and how loops over filters stand among those over channels."""
    block = _block(C)
    if block == C:
        return "c", lambda filters, body: loops([*filters, ("c", C)], body)
    if block == 1:
        return "c", lambda filters, body: loops([("c", C), *filters], body)
    head = f"for (int c = 0; c < {C}; c += {block})"
    return "c + k", lambda filters, body: [(head, loops([*filters, ("k", block)], body))]


class _Sums:
    """Sums of products, in an array along `axes`, of which the last is that of the filters.

    With int8 weights, real = scale · sum + bias; the sums are integers where x is one of bytes.
    """

    def __init__(self, writer: Writer, step: Step, f: str, axes: Axes) -> None:
        (x,), weight = step.inputs, step.weight
        assert isinstance(x, Value)
        assert weight is not None
        self.writer, self.x, self.axes = writer, x, axes
        self.kind = "int" if x.name in writer.scales else "float"
        self.w, self.scale, self.bias = weight, "", ""
        name = step.names[0]
        if writer.int8:
            self.w, scale = as_int8(weight)
            if x.name in writer.scales:
                scale = scale * np.float32(writer.scales[x.name].scale)
            self.scale = at(writer.array(f"{name}_scale", scale), scale.shape, [f])
        self.weight = writer.array(f"{name}_weight", self.w)
        if step.bias is not None:
            self.bias = at(writer.array(f"{name}_bias", step.bias), step.bias.shape, [f])
        writer.stack = max(writer.stack, 4 * math.prod(size for _, size in axes))

    def start(self) -> list[Statement]:
        start = f"{self.kind} {sized('sum', [size for _, size in self.axes])}"
        nested = sum(size != 1 for _, size in self.axes)
        if self.scale or not self.bias:
            return [f"{start} = {'{' * nested}0{'}' * nested};"]
        if not nested:
            return [f"{start} = {self.bias};"]
        return [f"{start};", *loops(self.axes, [f"{self.total()} = {self.bias};"])]

    def add(self, of_x: Along, of_w: Along, f: str) -> list[Statement]:
        x, w = self.writer.value(self.x, of_x), at(self.weight, self.w.shape, of_w)
        if self.kind == "int":
            zero = self.writer.scales[self.x.name].zero
            x = f"({x} - {zero})" if zero else x
        else:
            x = self.writer.read(self.x, of_x)
            w = f"(float){w}" if self.scale else w
        return [f"{self.total(f)} += {x} * {w};"]

    def total(self, f: str = "") -> str:
        indices = [letter for letter, _ in self.axes]
        indices[-1:] = [f or indices[-1]] if indices else []
        kept = [i for i, (_, size) in zip(indices, self.axes, strict=True) if size != 1]
        return "sum" + "".join(f"[{index}]" for index in kept)

    @property
    def real(self) -> str:
        total = self.total()
        if not self.scale:
            return total
        total = f"(float){total}" if self.kind == "int" else total
        return f"{total} * {self.scale}" + (f" + {self.bias}" if self.bias else "")
