"""The steps in which a graph is computed for one image, and where in memory each value lives.

C and JavaScript are written from it. What is (C, H, W) in the graph lies as (H, W, C) in memory, so
that the innermost loop runs along channels that are neighbours; all else lies as it is.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from minise.arrays import Array
from minise.errors import InputError
from minise.export.graph import Graph, Node
from minise.export.memory import offsets

MEMORY, INPUT, OUTPUT = "memory", "input", "output"
ACTIVATIONS = ("Relu", "LeakyRelu", "Clip", "Sigmoid", "Sqrt", "Tanh")
_WITH_ACTIVATION = (
    *ACTIVATIONS, "Add", "AveragePool", "Conv", "Gemm", "GlobalAveragePool", "GlobalMaxPool", "Max",
    "MaxPool", "Mul",
)  # fmt: skip
_BROADCAST = ("Add", "Max", "Mul")
_IN_PLACE = (*ACTIVATIONS, *_BROADCAST)  # an element of y needs that element of x alone
_IMAGE, _BACK = (1, 2, 0), (2, 0, 1)  # (C, H, W) as (H, W, C), and the other way


class Value(NamedTuple):
    """Numbers in memory."""

    name: str
    shape: tuple[int, ...]  # as it lies there: (H, W, C), or (C,)
    place: str = MEMORY  # or the caller's: INPUT, OUTPUT
    offset: int = 0  # in floats, unless the plan was made in another unit


Operand: TypeAlias = Value | Array  # an array is a constant, of as many axes as the result


class Then(NamedTuple):
    """Done to each number before it is stored: an activation, or Add or Mul by constants."""

    op: str
    options: Mapping[str, Any]
    constant: Array | None = None  # one number (1,), or one for each channel (C,)


class Step(NamedTuple):
    """One operator for one image.

    Of "Conv" the weight is (KH, KW, C / groups, F), of "Gemm" (in, out), and a 1×1 convolution of a
    1×1 map is a "Gemm" too. Operands of Add, Mul and Max are broadcast to the result, which has as
    many axes. Axes in options are those of memory, which have no N.
    """

    op: str
    names: tuple[str, ...]  # of the nodes that it computes: the operator's, then those of `then`
    inputs: tuple[Operand, ...]
    options: Mapping[str, Any]
    weight: Array | None
    bias: Array | None
    then: tuple[Then, ...]
    output: Value


class Plan(NamedTuple):
    """Steps in order, from the input to the output, and the size of the memory."""

    steps: tuple[Step, ...]
    input: Value
    output: Value
    memory: int  # in floats, as offsets are


def is_map(value: Value) -> bool:
    """Whether it has more than one place: (H, W, C), and not (1, 1, C)."""
    return len(value.shape) == 3 and value.shape[:2] != (1, 1)


def numbers(value: Value) -> int:
    """How many there are."""
    return math.prod(value.shape)


def plan(graph: Graph, *, size: Callable[[Value], int] = numbers) -> Plan:
    """`size` is what a value needs of the memory: offsets are in the same unit.

    Raises `InputError` for what only ONNX is written for.
    """
    planner = _Planner(graph)
    for node in graph.nodes:
        planner.add(node)
    output = planner.finish()
    return _placed(_fused(planner.steps, output), planner.lies[graph.input], output, size)


class _Planner:
    """Follows the graph. `lies[name]` says what a value of the graph is in memory."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.steps: list[Step] = []
        self.lies = {graph.input: Value(graph.input, _in_memory(graph.shape(graph.input)))}
        self.maps: dict[str, tuple[int, ...]] = {}  # of rows that lie as these (H, W, C)

    def add(self, node: Node) -> None:
        if all(name in self.graph.constants for name in node.inputs):
            raise _refused(node, "it reads no value of the image")
        x = node.inputs[0]
        match node.op:
            case "Identity" | "Cast" if self.graph.dtype(node.name).kind == "f":
                self.alias(node.name, x)
            case "Flatten" | "Reshape":
                self.reshape(node)
            case "Transpose":
                self.transpose(node)
            case "Conv" | "Gemm":
                self.map(node)
            case op if op in ACTIVATIONS:
                self.step(op, node.name, [self.lies[x]], node.options)
                if x in self.maps:
                    self.maps[node.name] = self.maps[x]
            case "Add" | "Max" | "Mul":
                inputs = [self.operand(node, name) for name in node.inputs]
                inputs.sort(key=lambda x: isinstance(x, np.ndarray))  # a constant comes second
                self.step(node.op, node.name, inputs)
            case "Concat":
                ndim = len(self.graph.shape(node.name)) + 1
                axis = node.options["axis"] % ndim
                if axis == 0:
                    raise _refused(node, "it joins images")
                inputs = [self.operand(node, name) for name in node.inputs]
                self.step(node.op, node.name, inputs, {"axis": _order(ndim - 1).index(axis - 1)})
            case "MaxPool" | "AveragePool" | "GlobalAveragePool" | "GlobalMaxPool":
                self.step(node.op, node.name, [self.value(x)], node.options)
            case _:
                raise _refused(node, "batch norm has to be folded, and casts are to floats")

    def step(
        self,
        op: str,
        name: str,
        inputs: Sequence[Operand],
        options: Mapping[str, Any] | None = None,
        weight: Array | None = None,
        bias: Array | None = None,
        shape: tuple[int, ...] | None = None,
    ) -> Value:
        y = Value(name, _in_memory(self.graph.shape(name)) if shape is None else shape)
        w, b = (None if array is None else array.astype(np.float32) for array in (weight, bias))
        self.steps.append(Step(op, (name,), tuple(inputs), options or {}, w, b, (), y))
        self.lies[name] = y
        return y

    def alias(self, name: str, x: str) -> None:
        self.lies[name] = self.lies[x]
        if x in self.maps:
            self.maps[name] = self.maps[x]

    def value(self, name: str) -> Value:
        """A value, in the order that its shape has in memory."""
        if name in self.maps:
            self.lies[name] = self.in_rows(self.lies[name]._replace(shape=self.maps.pop(name)))
        return self.lies[name]

    def in_rows(self, x: Value) -> Value:
        """Numbers (H, W, C) in the order of (C, H, W), as a row."""
        C_H_W = tuple(x.shape[axis] for axis in _BACK)
        name = self.graph.free(f"{x.name}.rows")
        y = self.step("Transpose", name, [x], {"perm": _BACK}, shape=C_H_W)
        return y._replace(shape=(math.prod(C_H_W),))

    def operand(self, node: Node, name: str) -> Operand:
        """A value or a constant, with as many axes as the node's result."""
        shape = self.graph.shape(node.name)
        if name not in self.graph.constants:
            x = self.value(name)
            if len(x.shape) != len(shape):
                raise _refused(node, f"it joins {self.graph.shape(name)} and {shape}")
            return x
        constant = self.graph.constants[name].astype(np.float32)
        constant = constant.reshape((1,) * (len(shape) + 1 - constant.ndim) + constant.shape)
        if len(constant) != 1 or constant.ndim != len(shape) + 1:
            raise _refused(node, f"its constant {constant.shape} is not that of one image")
        in_memory: Array = constant[0].transpose(_order(len(shape)))
        return in_memory

    def reshape(self, node: Node) -> None:
        """A row of a map stays in the order of (H, W, C) as long as nobody minds."""
        x, name = node.inputs[0], node.name
        was, shape = self.graph.shape(x), self.graph.shape(name)
        if was == shape or (len(shape) == 1 and x not in self.maps):
            self.alias(name, x)
            self.lies[name] = self.lies[x]._replace(shape=_in_memory(shape))
            if was != shape and _lies_otherwise(was):
                self.maps[name] = self.lies[x].shape
            return
        row = self.value(x)
        if _lies_otherwise(was):
            row = self.in_rows(row)
        if _lies_otherwise(shape):
            self.step("Transpose", name, [row._replace(shape=shape)], {"perm": _IMAGE})
        else:
            self.lies[name] = row._replace(shape=_in_memory(shape))

    def transpose(self, node: Node) -> None:
        x, perm = self.value(node.inputs[0]), node.options["perm"]
        if perm[0] != 0:
            raise _refused(node, f"perm {perm} moves the images")
        order = _order(len(perm) - 1)
        axes = tuple(order.index(perm[axis + 1] - 1) for axis in order)
        moved = [axis for axis in axes if x.shape[axis] != 1]
        if moved == sorted(moved):
            shape = tuple(x.shape[axis] for axis in axes)
            self.lies[node.name] = x._replace(shape=shape)
        else:
            self.step("Transpose", node.name, [x], {"perm": axes})

    def map(self, node: Node) -> None:
        x, weight, *bias = node.inputs
        if x in self.graph.constants or any(n not in self.graph.constants for n in (weight, *bias)):
            raise _refused(node, "its weights have to be constants, and its input none")
        w = self.graph.constants[weight]
        b = self.graph.constants[bias[0]].reshape(-1) if bias else None
        if node.op == "Gemm":
            w = w if node.options["transB"] else w.T  # (out, in)
            if x in self.maps:
                H, W, C = self.maps[x]
                w = w.reshape(-1, C, H, W).transpose(0, 2, 3, 1).reshape(len(w), -1)
            self.step("Gemm", node.name, [self.lies[x]], {}, w.T, b)
            return
        w = w.transpose(2, 3, 1, 0)  # (KH, KW, C / groups, F)
        image = self.value(x)
        padded = any(node.options["pads"])  # a place may be of padding alone
        one_by_one = w.shape[:2] == node.options["strides"] == (1, 1) and not padded
        spread = one_by_one and image.shape[2] == 1 and b is None and (w == 1).all()
        readers = self.graph.readers(node.name)
        if spread and readers and all(reader.op in _BROADCAST for reader in readers):
            self.alias(node.name, x)  # one channel for all
            return
        at_one_place = image.shape[:2] == self.graph.shape(node.name)[1:] == (1, 1)
        if one_by_one and at_one_place and node.options["group"] == 1:
            row = image._replace(shape=image.shape[2:])
            self.step("Gemm", node.name, [row], {}, w[0, 0], b)
        else:
            self.step("Conv", node.name, [image], node.options, w, b)

    def finish(self) -> str:
        """The name of the output, in the order of (C, H, W), which is not that of the input."""
        y = self.value(self.graph.output)
        if _lies_otherwise(self.graph.shape(self.graph.output)):
            y = self.in_rows(y)
        if y.name == self.graph.input:
            y = self.step("Identity", self.graph.free("scores"), [y], shape=y.shape)
        return y.name


def _refused(node: Node, why: str) -> InputError:
    return InputError(f"export: {node.name}: {node.op} can be written as ONNX alone: {why}")


def _order(ndim: int) -> tuple[int, ...]:
    return _IMAGE if ndim == 3 else tuple(range(ndim))


def _in_memory(shape: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(shape[axis] for axis in _order(len(shape)))


def _lies_otherwise(shape: tuple[int, ...]) -> bool:
    return len(shape) == 3 and shape[0] != 1 and shape[1:] != (1, 1)


def _fused(steps: Sequence[Step], output: str) -> list[Step]:
    """Activations, and Add and Mul by constants, in the step before where nobody else reads it."""
    fused: list[Step] = []
    for step in steps:
        then, x = _as_then(step), step.inputs[0]
        last = fused[-1] if fused else step
        if then and isinstance(x, Value) and last.op in _WITH_ACTIVATION:
            alone = _readers(steps, x) == 1 and x.name != output
            if alone and (last.output.name, last.output.shape) == (x.name, step.output.shape):
                fused[-1] = last._replace(
                    names=(*last.names, *step.names),
                    then=(*last.then, then),
                    output=step.output,
                )
                continue
        fused.append(step)
    return fused


def _readers(steps: Sequence[Step], x: Value) -> int:
    return sum(other.name == x.name for step in steps for other in _values(step))


def _as_then(step: Step) -> Then | None:
    if step.op in ACTIVATIONS:
        return Then(step.op, step.options)
    if step.op in ("Add", "Mul"):
        _, constant = step.inputs
        of_channels = isinstance(constant, np.ndarray) and constant.size == constant.shape[-1]
        if of_channels and step.inputs[0].shape == step.output.shape:
            return Then(step.op, {}, np.ravel(constant))
    return None


def _placed(
    steps: Sequence[Step], source: Value, output: str, size: Callable[[Value], int]
) -> Plan:
    """Values get their places. What needs x no more and has its size takes its place."""
    last = {x.name: i for i, step in enumerate(steps) for x in _values(step)}
    of = {step.output.name: step.output.name for step in steps}  # the first in that place
    alive: dict[str, tuple[int, int]] = {}  # from the step that makes it to the last that reads it
    sizes: dict[str, int] = {}
    for i, step in enumerate(steps):
        y = step.output
        if y.name == output:
            continue
        for x in _values(step) if step.op in _IN_PLACE else ():
            room = sizes.get(of.get(x.name, ""), 0)  # the input and the output have none here
            if last[x.name] == i and room == size(y) and numbers(x) == numbers(y):
                of[y.name] = of[x.name]
        alive[of[y.name]] = alive.get(of[y.name], (i, i))[0], last.get(y.name, i)
        sizes[of[y.name]] = size(y)
    starts, memory = offsets(sizes, alive)

    def place(value: Value) -> Value:
        if value.name == source.name:
            return value._replace(place=INPUT)
        if value.name == output:
            return value._replace(place=OUTPUT)
        return value._replace(offset=starts[of[value.name]])

    placed = tuple(
        step._replace(
            inputs=tuple(place(x) if isinstance(x, Value) else x for x in step.inputs),
            output=place(step.output),
        )
        for step in steps
    )
    (y,) = (step.output for step in placed if step.output.name == output)
    return Plan(placed, place(source), y, memory)


def _values(step: Step) -> list[Value]:
    return [x for x in step.inputs if isinstance(x, Value)]
