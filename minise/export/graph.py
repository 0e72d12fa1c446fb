"""The graph of an ONNX model while it grows: nodes, and the arrays that they read."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from minise.arrays import Array
from minise.errors import InputError
from minise.shapes import Pair

if TYPE_CHECKING:
    import onnx

INPUT, OUTPUT, BATCH = "x", "scores", "N"
# The oldest pair that has all that is needed, for runtimes since 2022. From opset 19 on,
# AveragePool is another one, which runtimes do not agree on at the edges.
OPSET, IR_VERSION = 17, 8


class Graph:
    """Values are known by their names. `sizes` are those of the maps that came to each layer."""

    def __init__(
        self, state_names: Iterable[str], sizes: Mapping[str, set[Pair]], dtype: np.dtype[Any]
    ) -> None:
        self._nodes: list[onnx.NodeProto] = []
        self._initialisers: dict[str, onnx.TensorProto] = {}
        self._taken = {INPUT, OUTPUT, *state_names}
        self._sizes, self._dtype = sizes, dtype

    def node(self, op: str, name: str, *inputs: str, **attributes: Any) -> str:
        """Add a node; its output has its name, with a number where that is taken."""
        from onnx import helper

        output = self._free(name or op)  # a net that is one layer has no name
        self._nodes.append(helper.make_node(op, inputs, [output], name=output, **attributes))
        return output

    def integers(self, name: str, values: Iterable[int]) -> str:
        """A constant, for what an operator takes as an input and not as an attribute."""
        from onnx import numpy_helper

        return self.node(
            "Constant", name, value=numpy_helper.from_array(np.array([*values], np.int64))
        )

    def numbers(self, name: str, value: Array) -> str:
        """An array that is not of the net's state, in the net's dtype."""
        return self.state(self._free(name), value.astype(self._dtype))

    def state(self, name: str, value: Array) -> str:
        """A copy of an array of the net's state, under its name."""
        from onnx import numpy_helper

        if name not in self._initialisers:
            self._initialisers[name] = numpy_helper.from_array(value, name)
        return name

    def size_before(self, name: str) -> Pair:
        """(H, W) of the maps that a layer is given. Raises `InputError` where they differ."""
        if len(self._sizes[name]) != 1:
            raise InputError(f"export: {name} pools maps of several sizes")
        (size,) = self._sizes[name]
        return size

    def _free(self, name: str) -> str:
        free, number = name, 1
        while free in self._taken:
            number += 1
            free = f"{name}_{number}"
        self._taken.add(free)
        return free

    def model(self, y: str, x_shape: tuple[int, ...], y_shape: tuple[int, ...]) -> onnx.ModelProto:
        """The model whose output is the value y; the shapes are those of one image."""
        from onnx import helper

        if y == INPUT:
            y = self.node("Identity", "identity", y)
        for node in self._nodes:
            for names in (node.input, node.output):
                names[:] = [OUTPUT if name == y else name for name in names]
        kind = helper.np_dtype_to_tensor_dtype(self._dtype)
        graph = helper.make_graph(
            self._nodes,
            "minise",
            [helper.make_tensor_value_info(INPUT, kind, [BATCH, *x_shape])],
            [helper.make_tensor_value_info(OUTPUT, kind, [BATCH, *y_shape])],
            list(self._initialisers.values()),
        )
        return helper.make_model(
            graph,
            producer_name="minise",
            opset_imports=[helper.make_operatorsetid("", OPSET)],
            ir_version=IR_VERSION,
        )
