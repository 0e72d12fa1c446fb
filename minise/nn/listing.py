"""A net as text, a line for each of its layers, and as a table in a notebook.

    Sequential, 9,098 parameters
      conv1: Conv2d(weight (8, 1, 3, 3), bias (8,), padding=1)
      relu1: ReLU()

A layer tells the shapes of its parameters, and those of its attributes that are numbers or text,
unless they are what its class takes by default.
"""

from __future__ import annotations

import inspect
import itertools
import reprlib
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from minise import notebook
from minise.nn.layer import Layer, Parameter

MOST = 60  # lines: of a larger net the innermost layers are counted, not listed


class _Node(NamedTuple):
    """A layer, or several in a row that are the same but for their names."""

    name: str
    kind: str  # its class
    shapes: str  # of its own parameters
    options: str
    sizes: dict[int, int]  # of all parameters in it, by identity: shared ones count once
    children: list[_Node]
    times: int = 1

    @property
    def size(self) -> int:
        return sum(self.sizes.values())

    @property
    def layers(self) -> int:
        """How many are in it."""
        return sum(child.times * (1 + child.layers) for child in self.children)

    def like(self, other: _Node) -> bool:
        """Whether all but its own name is the same."""
        return (
            self[1:4] == other[1:4]
            and len(self.children) == len(other.children)
            and all(
                one.name == two.name and one.like(two)
                for one, two in zip(self.children, other.children, strict=True)
            )
        )


class Row(NamedTuple):
    """One line."""

    depth: int
    name: str
    kind: str
    shapes: str
    options: str
    size: int
    times: int
    inside: int  # how many layers are in it
    shown: bool  # whether they are listed

    @property
    def text(self) -> str:
        """As in "conv1: Conv2d(weight (8, 1, 3, 3), padding=1)"."""
        if not self.kind:
            return self.name
        given = ", ".join(filter(None, [self.shapes, self.options]))
        what = (f"{self.name}: " if self.name else "") + self.times_kind
        if not self.inside:
            return f"{what}({given})"
        what += f"({given})" if given else ""
        what += "" if self.shown else f", {self.inside} layers"
        return f"{what}, {self.size:,} parameters" + (" in all" if self.times > 1 else "")

    @property
    def times_kind(self) -> str:
        """As in "7 × Residual"."""
        return f"{self.times} × {self.kind}" if self.times > 1 else self.kind


def text(layer: Layer) -> str:
    """A line for each layer in it, indented."""
    return "\n".join("  " * row.depth + row.text for row in rows(layer))


def html(layer: Layer) -> str:
    """The same as a table."""
    listed, cells = rows(layer), []
    for row in listed:
        hidden = f"{row.inside} layers" if row.inside and not row.shown else ""
        what = ", ".join(filter(None, [row.options, hidden]))
        count = f"{row.size:,}" if row.size or row.kind else ""
        cells.append([row.name or row.kind, row.times_kind, what, row.shapes, count])
    root = listed[0]
    return notebook.page(
        notebook.title(
            root.kind, ", ".join(filter(None, [root.options, f"{root.size:,} parameters"]))
        ),
        notebook.table(
            ["layer", "type", "options", "shapes of parameters", "parameters"],
            cells[1:] or cells,
            left=(0, 1, 2, 3),
            indents=[row.depth - 1 for row in listed[1:]] or [0],
        ),
    )


def rows(layer: Layer) -> list[Row]:
    """Its lines: as deep as `MOST` of them reach."""
    node = _node("", layer, ())
    listed = list(_lines(node, 0, 1))
    if len(listed) > MOST:
        left_out = len(listed) - MOST + 1
        gap = Row(1, f"… and {left_out} more …", "", "", "", 0, 1, 0, False)
        return [*listed[: MOST // 2], gap, *listed[MOST // 2 + left_out :]]
    depth = 2
    while len(listed) < len(deeper := list(_lines(node, 0, depth))) <= MOST:
        listed, depth = deeper, depth + 1
    return listed


def _lines(node: _Node, depth: int, deepest: int) -> Iterator[Row]:
    shown = depth < deepest
    yield Row(depth, *node[:4], node.size, node.times, node.layers, shown)
    if shown:
        for child in node.children:
            yield from _lines(child, depth + 1, deepest)


def _node(name: str, layer: Layer, within: tuple[Layer, ...]) -> _Node:
    kind, attributes = type(layer).__name__, vars(layer)
    if any(layer is outer for outer in within):
        return _Node(name, f"{kind} again", "", "", {}, [])
    own = {
        n: entry.value
        for n, entry in attributes.items()
        # a layer may be shown when it is half made, in a debugger
        if isinstance(entry, Parameter) and hasattr(getattr(entry, "value", None), "shape")
    }
    sizes = {id(attributes[n]): int(value.size) for n, value in own.items()}
    children: list[_Node] = []
    for child_name, child in attributes.items():
        if isinstance(child, Layer):
            children.append(_node(child_name, child, (*within, layer)))
            sizes |= children[-1].sizes
    shapes = ", ".join(f"{n} {tuple(value.shape)}" for n, value in own.items())
    return _Node(name, kind, shapes, ", ".join(_options(layer)), sizes, _folded(children))


def _folded(nodes: list[_Node]) -> list[_Node]:
    """Three in a row that are alike, or more, become one."""
    folded: list[_Node] = []
    while nodes:
        run = list(itertools.takewhile(nodes[0].like, nodes))
        nodes = nodes[len(run) :]
        if len(run) > 2:
            sizes = {key: size for node in run for key, size in node.sizes.items()}
            name = f"{run[0].name} to {run[-1].name}"
            run = [run[0]._replace(name=name, sizes=sizes, times=len(run))]
        folded += run
    return folded


def _options(layer: Layer) -> Iterator[str]:
    usual = _usual(type(layer))
    for name, value in vars(layer).items():
        if name.startswith("_") or name == "made_as":
            continue
        fields: dict[str, Any] = {name: value}
        if hasattr(value, "_asdict"):  # a window's size, stride, …
            fields, usual = value._asdict(), value._field_defaults | usual
        for field, given in fields.items():
            if _is_plain(given) and not _is_usual(given, usual.get(field, inspect.Parameter.empty)):
                yield f"{field}={_short(given)}"


def _usual(kind: type[Layer]) -> dict[str, Any]:
    """What its class takes by default."""
    try:
        parameters = inspect.signature(kind).parameters
    except (TypeError, ValueError):  # it hides them
        return {}
    return {name: parameter.default for name, parameter in parameters.items()}


def _is_plain(value: Any) -> bool:
    if isinstance(value, tuple):
        return all(map(_is_plain, value))
    return type(value) in (bool, int, float, str) or isinstance(value, np.generic)


def _is_usual(value: Any, usual: Any) -> bool:
    if not _is_plain(usual):
        return False
    return bool(value == usual) or (isinstance(value, tuple) and value == (usual,) * len(value))


def _short(value: Any) -> str:
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, tuple) and len(value) == 2 and value[0] == value[1]:
        value = value[0]  # as people give it
    return reprlib.repr(value)
