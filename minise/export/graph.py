"""The graph of a net: operators, and the arrays that they read; every format is written from it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from minise.arrays import Array
from minise.errors import InputError
from minise.export.operators import OPERATORS
from minise.nearest import nearest


class Node(NamedTuple):
    """One operator. Its output has its name."""

    op: str  # one of `OPERATORS`
    name: str
    inputs: tuple[str, ...]  # names of nodes, of constants, or of the graph's input
    options: Mapping[str, Any]  # as the operator has them


class Graph:
    """Operators in the order in which they run, and their constants, by name.

    It is built along one image, so that the shape of each value is known as soon as it is made.
    What is (N, C) in the net is (N, C, 1, 1) here: all runtimes can multiply maps with that.
    """

    def __init__(
        self, input_name: str, image: Array, names: Iterable[str] = (), *, keep_names: bool = False
    ) -> None:
        """`image` is (1, ...). The `names` are kept for the net's state."""
        self.keep_names = keep_names  # the state stays as it is, for those who load it by name
        self.input = self.output = input_name
        self.nodes: list[Node] = []
        self.constants: dict[str, Array] = {}
        self._states: dict[str, str] = {}
        self._along: dict[str, Array] = {input_name: image}
        self._taken = {input_name, *names}

    def node(self, op: str, name: str, *inputs: str, **options: Any) -> str:
        """Add a node, and return its name: the given one, with a number where that is taken.

        Raises `InputError` for an operator that is not of the list, and for inputs that it cannot
        take.
        """
        if op not in OPERATORS:
            raise InputError(f"export: {name}: {nearest('operator', op, list(OPERATORS))}")
        known = {**self.constants, **self._along}
        for missing in [x for x in inputs if not isinstance(x, str) or x not in known]:
            raise InputError(f"export: {name}: there is no value {missing!r}")
        node = Node(op, self.free(name or op.lower()), inputs, options)
        try:
            self._along[node.name] = _run(node, known)
        except (TypeError, ValueError) as error:
            raise InputError(f"export: {name}: {op} cannot take its inputs: {error}") from None
        self.nodes.append(node)
        return node.name

    def state(self, name: str, value: Array) -> str:
        """A copy of an array of the net's state; under its name with `keep_names`.

        Else under another: a tool that loads weights by their names would put some of a file in,
        and pass over what is folded here, without a word.
        """
        if name not in self._states:
            own, dot, part = name.rpartition(".")
            self._states[name] = name if self.keep_names else self.free(f"{own}{dot and '_'}{part}")
            self.constants[self._states[name]] = value.copy()
        return self._states[name]

    def constant(self, name: str, value: npt.ArrayLike, x: str) -> str:
        """Numbers to compute with the value x, in its dtype: one, or one for each channel."""
        name, ndim = self.free(name), self._along[x].ndim
        numbers = np.array(value, self._along[x].dtype)
        if numbers.ndim < 2:
            numbers = numbers.reshape(1, -1, *(1,) * (ndim - 2))
        self.constants[name] = numbers
        return name

    def has(self, name: Any) -> bool:
        """Whether that is the name of a value, the graph's input or a node's."""
        return isinstance(name, str) and name in self._along

    def along(self, name: str) -> Array:
        """A value, (1, ...), of the image that the graph was built along."""
        return self._along[name]

    def shape(self, name: str) -> tuple[int, ...]:
        """The shape of a value, of one image: (C, H, W), (C, 1, 1) or (C,)."""
        return self._along[name].shape[1:]

    def dtype(self, name: str) -> np.dtype[Any]:
        """The dtype of a value."""
        return self._along[name].dtype

    def run(self, x: Array, dtype: npt.DTypeLike | None = None) -> dict[str, Array]:
        """All values for the images x (N, ...), by name: what the graph means."""
        values = {
            name: value.astype(dtype or value.dtype) for name, value in self.constants.items()
        }
        values[self.input] = x
        for node in self.nodes:
            values[node.name] = _run(node, values)
        return values

    def named(self, name: str) -> Node:
        """The node of this name."""
        return next(node for node in self.nodes if node.name == name)

    def readers(self, name: str) -> list[Node]:
        """The nodes that read this value."""
        return [node for node in self.nodes if name in node.inputs]

    def replace(self, node: Node, others: Sequence[Node], *, instead: str = "") -> None:
        """Put others in a node's place, the last of its name; or let its readers read `instead`."""
        place = self.nodes.index(node)
        self.nodes[place : place + 1] = others
        for other in others:
            self._along[other.name] = self._along[node.name]
        if instead:
            self.nodes = [
                reader._replace(
                    inputs=tuple(instead if name == node.name else name for name in reader.inputs)
                )
                for reader in self.nodes
            ]
            self.output = instead if self.output == node.name else self.output

    def drop_unread(self) -> None:
        """Forget the constants that no node reads; the others come in the order of the nodes."""
        read = (name for node in self.nodes for name in node.inputs if name in self.constants)
        self.constants = {name: self.constants[name] for name in read}

    def free(self, name: str) -> str:
        """The name, or one like it where that is taken; it is taken from now on."""
        free, number = name, 1
        while free in self._taken:
            number += 1
            free = f"{name}_{number}"
        self._taken.add(free)
        return free


def _run(node: Node, values: Mapping[str, Array]) -> Array:
    y: Array = OPERATORS[node.op](*(values[name] for name in node.inputs), **node.options)
    return y
