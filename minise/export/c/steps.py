"""Each step of a plan as loops in C."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from minise.arrays import Array
from minise.export.c.quantise import Scale, as_int8
from minise.export.c.text import (
    Names,
    Statement,
    at,
    constant_array,
    flat,
    linear,
    loops,
    number,
    squeezed,
)
from minise.export.plan import INPUT, MEMORY, OUTPUT, Operand, Step, Then, Value

Along = Sequence[str]  # an index for each axis
SHORT = 64  # numbers of a row
HELPERS = {
    "relu": "(float x) {\n    return x < 0 ? 0 : x;\n}",
    "leaky_relu": "(float x, float slope) {\n    return x < 0 ? slope * x : x;\n}",
    "clip": "(float x, float low, float high) {\n"
    "    return x < low ? low : x > high ? high : x;\n}",
    "sigmoid": "(float x) {\n    return 1 / (1 + expf(-x));\n}",
    "byte": "(float x) {\n    return (unsigned char)(x < 0 ? 0 : x > 255 ? 255 : x + 0.5f);\n}",
    "max": "(float a, float b) {\n    return a > b ? a : b;\n}",
}


class Writer:
    """The loops of steps, and the constants and the helpers that they turn out to need."""

    def __init__(self, prefix: str, source: str, scales: dict[str, Scale] | None) -> None:
        """`source` is what the input is called; with `scales` maps are bytes, and weights int8."""
        self.prefix, self.source, self.scales = prefix, source, scales or {}
        self.int8 = scales is not None
        self.locals, self.constants = Names(), Names()
        self.values: dict[tuple[str, tuple[int, ...]], Value] = {}  # those that lie in memory
        self.arrays: list[str] = []
        self.helpers: dict[str, str] = {}
        self.bytes = 0  # of all constants

    def step(self, step: Step) -> list[Statement]:
        match step.op:
            case "Conv":
                return self.conv(step)
            case "Gemm":
                return self.gemm(step)
            case "MaxPool" | "AveragePool":
                return self.pool(step)
            case "GlobalAveragePool" | "GlobalMaxPool":
                return self.global_pool(step)
            case "Concat":
                return self.concat(step)
            case "Transpose":
                return self.transpose(step)
            case _:
                return self.elementwise(step)

    # Numbers

    def value(self, value: Value, along: Along) -> str:
        """The number as it is stored."""
        if value.place == INPUT:
            return flat(self.source, value.shape, along)
        if value.place == OUTPUT:
            return flat("scores", value.shape, along)
        self.values[value.name, squeezed(value.shape)] = value
        return at(self.local(value), value.shape, along)

    def local(self, value: Value) -> str:
        first = next(v for (name, _), v in self.values.items() if name == value.name)
        if squeezed(first.shape) == squeezed(value.shape):
            return self.locals(value.name)
        return self.locals(value.name, "row" if len(value.shape) == 1 else "map")

    def read(self, x: Operand, along: Along, name: str = "") -> str:
        """The number that is meant. Of a constant, `name` is what it is called."""
        along = [index if size != 1 else "0" for index, size in zip(along, x.shape, strict=True)]
        if not isinstance(x, Value):
            if x.size == 1:
                return number(x.reshape(-1)[0])
            return at(self.array(name, x), x.shape, along)
        text = self.value(x, along)
        if x.name in self.scales:
            scale, zero = self.scales[x.name]
            return f"{number(scale)} * (float)({text} - {zero})"  # of ints: bytes are promoted
        return f"(float){text}" if x.place == INPUT and self.source == "pixels" else text

    def store(self, y: Value, along: Along, real: str) -> str:
        text = self.value(y, along)
        if y.name not in self.scales:
            return f"{text} = {real};"
        scale, zero = self.scales[y.name]
        real = f"{_factor(real)} * {number(1 / scale)}" + (f" + {number(zero)}" if zero else "")
        return f"{text} = {self.need('byte', 'unsigned char')}({real});"

    def copied(self, y: Value, y_along: Along, x: Value, x_along: Along) -> str:
        if self.scales.get(x.name) == self.scales.get(y.name):
            return f"{self.value(y, y_along)} = {self.value(x, x_along)};"
        return self.store(y, y_along, self.read(x, x_along))

    def array(self, name: str, value: Array) -> str:
        """A constant array at the top of the file."""
        known = self.constants(name)
        text = f"{self.prefix}_{known}"
        kinds = {"float32": "float", "int8": "signed char"}
        written = constant_array(kinds[value.dtype.name], text, value)
        if written not in self.arrays:
            self.arrays.append(written)
            self.bytes += value.nbytes
        return text

    def need(self, helper: str, kind: str = "float") -> str:
        name = f"{self.prefix}_{helper}"
        self.helpers[helper] = f"static inline {kind} {name}{HELPERS[helper]}"
        return name

    def then(self, step: Step, real: str, channel: str) -> str:
        """What is done to a number before it is stored."""
        for name, then in zip(step.names[-len(step.then) :], step.then, strict=False):
            real = self._then(name, then, real, channel)
        return real

    def _then(self, name: str, then: Then, real: str, channel: str) -> str:
        match then.op, then.options:
            case "Relu", _:
                return f"{self.need('relu')}({real})"
            case "LeakyRelu", {"alpha": slope}:
                return f"{self.need('leaky_relu')}({real}, {number(slope)})"
            case "Clip", {"min": low, "max": high}:
                return f"{self.need('clip')}({real}, {number(low)}, {number(high)})"
            case "Sigmoid", _:
                return f"{self.need('sigmoid')}({real})"
            case "Sqrt", _:
                return f"sqrtf({real})"
            case "Tanh", _:
                return f"tanhf({real})"
        assert then.constant is not None
        constant = self.read(then.constant, [channel], f"{name}_constant")
        if then.op == "Add":
            return f"{real} + {constant}"
        return f"{_factor(real)} * {constant}"

    # Steps

    def elementwise(self, step: Step) -> list[Statement]:
        y, along = step.output, _letters(step.output.shape)
        reals = [self.read(x, along, f"{step.names[0]}_constant") for x in step.inputs]
        match step.op:
            case "Add":
                real = " + ".join(reals)
            case "Mul":
                real = " * ".join(reals)
            case "Max":
                real = f"{self.need('max')}({', '.join(reals)})"
            case "Identity":
                (real,) = reals
            case op:
                real = self._then(step.names[0], Then(op, step.options), reals[0], along[-1])
        return self.loops(y, along, self.store(y, along, self.then(step, real, along[-1])))

    def transpose(self, step: Step) -> list[Statement]:
        (x,), y, perm = step.inputs, step.output, step.options["perm"]
        assert isinstance(x, Value)
        along = _letters(y.shape)
        of_x = [along[perm.index(axis)] for axis in range(len(perm))]
        return self.loops(y, along, self.copied(y, along, x, of_x))

    def concat(self, step: Step) -> list[Statement]:
        y, axis, start = step.output, step.options["axis"], 0
        statements: list[Statement] = []
        for n, x in enumerate(step.inputs):
            along, of_y = _letters(x.shape), _letters(x.shape)
            of_y[axis] = linear((1, along[axis] if x.shape[axis] != 1 else ""), plus=start)
            if isinstance(x, Value):
                body = self.copied(y, of_y, x, along)
            else:
                body = self.store(y, of_y, self.read(x, along, f"{step.names[0]}_constant_{n}"))
            statements += self.loops(x, along, body)
            start += x.shape[axis]
        return statements

    def gemm(self, step: Step) -> list[Statement]:
        assert step.weight is not None
        C, F = step.weight.shape
        y = step.output._replace(shape=(F,))
        maps = _Maps(self, step, "f")
        if C <= SHORT:  # simpler, and as fast
            body = [
                *maps.sums(alone=True),
                *loops([("c", C)], maps.product(["c"], ["c", "f"], alone=True)),
                self.store(y, ["f"], self.then(step, maps.real(alone=True), "f")),
            ]
            return loops([("f", F)], body)
        return [
            *maps.sums(),
            *self.unrolled([("c", C), ("f", F)], maps.product(["c"], ["c", "f"])),
            *loops([("f", F)], [self.store(y, ["f"], self.then(step, maps.real(), "f"))]),
        ]

    def conv(self, step: Step) -> list[Statement]:
        (x,), y, w = step.inputs, step.output, step.weight
        assert w is not None
        (OH, OW, F), C, groups = y.shape, x.shape[2], step.options["group"]
        f = c = "c"  # each channel has its filter
        axes = [("c", C)]
        if groups == 1:
            f, axes = "f", [("c", C), ("f", F)]
        elif not groups == C == F:
            sizes = (C // groups, F // groups)
            axes = [("g", groups), ("c", sizes[0]), ("f", sizes[1])]
            c, f = (
                linear((size, "g"), (1, along if size != 1 else ""))
                for size, along in zip(sizes, "cf", strict=True)
            )
        last = "c" if axes == [("c", C)] and groups != 1 else "f"
        maps = _Maps(self, step, last)
        row, col = self.window(step, 0), self.window(step, 1)
        product = maps.product([row.at, col.at, c], ["ki", "kj", "c", f], f)
        along = ["i", "j", last]
        stored = self.store(y, along, self.then(step, maps.real(), last))
        body: list[Statement] = [
            *maps.sums(),
            *row.repeat(col.repeat(self.unrolled(axes, product))),
            *loops([(last, F)], [stored]),
        ]
        return loops([("i", OH), ("j", OW)], body)

    def pool(self, step: Step) -> list[Statement]:
        (x,), y, along = step.inputs, step.output, _letters(step.output.shape)
        assert isinstance(x, Value)
        row, col = self.window(step, 0), self.window(step, 1)
        place = [row.at, col.at, "c"]
        if step.op == "MaxPool":
            same = self.scales.get(x.name) == self.scales.get(y.name) and not step.then
            kind = "unsigned char" if same and x.name in self.scales else "float"
            v = self.value(x, place) if same and x.place == MEMORY else self.read(x, place)
            start = f"{kind} largest = {'0' if kind != 'float' else '-INFINITY'};"
            inner = [f"const {kind} v = {v};", "if (v > largest) largest = v;"]
            if kind == "float":
                stored = self.store(y, along, self.then(step, "largest", "c"))
            else:
                stored = f"{self.value(y, along)} = largest;"
            body = [start, *row.repeat(col.repeat(inner)), stored]
        else:
            inner, count = [f"sum += {self.read(x, place)};"], "(float)count"
            if row.inside and col.inside:
                body, count = ["float sum = 0;"], number(np.prod(step.options["kernel_shape"]))
            else:
                body, inner = ["float sum = 0;", "int count = 0;"], [*inner, "count++;"]
            stored = self.store(y, along, self.then(step, f"sum / {count}", "c"))
            body += [*row.repeat(col.repeat(inner)), stored]
        return self.loops(y, along, *body)

    def global_pool(self, step: Step) -> list[Statement]:
        (x,), y = step.inputs, step.output
        assert isinstance(x, Value)
        H, W, C = x.shape
        along, channels, pixels = ["i", "j", "c"], [("c", C)], number(H * W)
        if step.op == "GlobalMaxPool":
            largest = at("largest", (C,), ["c"]) if C != 1 else "largest"
            start = [
                f"float {_sized('largest', C)};",
                *loops(channels, [f"{largest} = -INFINITY;"]),
            ]
            each = f"{largest} = {self.need('max')}({largest}, {self.read(x, along)});"
            real = largest
        else:
            total = "sum[c]" if C != 1 else "sum"
            kind, each = "float", f"{total} += {self.read(x, along)};"
            real = f"{total} / {pixels}"
            if x.name in self.scales:
                scale, zero = self.scales[x.name]
                kind, each = "int", f"{total} += {self.value(x, along)};"
                real = f"{number(scale)} * ((float){total} / {pixels} - {number(zero)})"
            start = [f"{kind} {_sized('sum', C)} = {'{0}' if C != 1 else '0'};"]
        stored = self.store(y, ["0", "0", "c"], self.then(step, real, "c"))
        return [*start, *loops([("i", H), ("j", W), ("c", C)], [each]), *loops(channels, [stored])]

    def loops(self, y: Operand, along: Along, *body: Statement) -> list[Statement]:
        return loops(list(zip(along, y.shape, strict=True)), list(body))

    def unrolled(
        self, axes: Sequence[tuple[str, int]], body: Sequence[Statement]
    ) -> list[Statement]:
        """The innermost loop as GCC makes vectors of it, within the others."""
        (letter, size), around = axes[-1], axes[:-1]
        if size == 1:
            return loops(around, body)
        head = f"for (int {letter} = 0; {letter} < {size}; {letter}++)"
        return loops(around, [(f"{self.prefix.upper()}_UNROLL\n{head}", body)])

    def window(self, step: Step, axis: int) -> _Window:
        """Rows, or columns, that a kernel sees."""
        options, size, places = step.options, step.inputs[0].shape[axis], step.output.shape[axis]
        K, stride, before = (options[key][axis] for key in ("kernel_shape", "strides", "pads"))
        dilation = options.get("dilations", (1, 1))[axis]
        last = (places - 1) * stride + (K - 1) * dilation - before
        out, k, name = (("i", "ki", "row"), ("j", "kj", "col"))[axis]
        guards = [f"{name} < 0"] * (before > 0) + [f"{name} >= {size}"] * (last >= size)
        moving = (stride, out if places != 1 else ""), (dilation, k if K != 1 or guards else "")
        index = linear(*moving, plus=-before)
        return _Window(k, K, name if guards else index, index, " || ".join(guards))


class _Window(NamedTuple):
    k: str
    size: int
    at: str  # of the row in x: its name, where it has one
    place: str  # how it is computed
    outside: str  # the condition for a place beyond the border, if there is any

    @property
    def inside(self) -> bool:
        return not self.outside

    def repeat(self, body: Sequence[Statement]) -> list[Statement]:
        if self.inside:
            return loops([(self.k, self.size)], body)
        start: list[Statement] = [
            f"const int {self.at} = {self.place};",
            f"if ({self.outside}) continue;",
        ]
        return [(f"for (int {self.k} = 0; {self.k} < {self.size}; {self.k}++)", [*start, *body])]


class _Maps:
    """Sums of products of a convolution or a linear map, one for each filter.

    With int8 weights, real = scale · sum + bias; the sums are integers where x is one of bytes.
    """

    def __init__(self, writer: Writer, step: Step, f: str) -> None:
        (x,), weight = step.inputs, step.weight
        assert isinstance(x, Value)
        assert weight is not None
        self.writer, self.x, self.f, self.F = writer, x, f, weight.shape[-1]
        self.kind = "int" if x.name in writer.scales else "float"
        self.w, self.scale = weight, ""
        name = step.names[0]
        if writer.int8:
            self.w, scale = as_int8(weight)
            if x.name in writer.scales:
                scale = scale * np.float32(writer.scales[x.name].scale)
            self.scale = at(writer.array(f"{name}_scale", scale), scale.shape, [f])
        self.weight = writer.array(f"{name}_weight", self.w)
        self.bias = ""
        if step.bias is not None:
            self.bias = at(writer.array(f"{name}_bias", step.bias), step.bias.shape, [f])

    def sums(self, alone: bool = False) -> list[Statement]:
        """`alone`: of one filter at a time."""
        alone = alone or self.F == 1
        start = f"{self.kind} {_sized('sum', 1 if alone else self.F)}"
        if self.scale or not self.bias:
            return [f"{start} = {'0' if alone else '{0}'};"]
        if alone:
            return [f"{start} = {self.bias};"]
        return [f"{start};", *loops([(self.f, self.F)], [f"sum[{self.f}] = {self.bias};"])]

    def product(
        self, of_x: Along, of_w: Along, f: str = "f", alone: bool = False
    ) -> list[Statement]:
        x, w = self.writer.value(self.x, of_x), at(self.weight, self.w.shape, of_w)
        if self.kind == "int":
            zero = self.writer.scales[self.x.name].zero
            x = f"({x} - {zero})" if zero else x
        else:
            x = self.writer.read(self.x, of_x)
            w = f"(float){w}" if self.scale else w
        return [f"{self.total(f, alone)} += {x} * {w};"]

    def total(self, f: str, alone: bool) -> str:
        return "sum" if alone or self.F == 1 else f"sum[{f}]"

    def real(self, alone: bool = False) -> str:
        total = self.total(self.f, alone)
        if not self.scale:
            return total
        total = f"(float){total}" if self.kind == "int" else total
        return f"{total} * {self.scale}" + (f" + {self.bias}" if self.bias else "")


def _sized(name: str, size: int) -> str:
    return f"{name}[{size}]" if size != 1 else name


def _letters(shape: Sequence[int]) -> list[str]:
    """i, j, c for a map, c for a row: an index for each axis."""
    return [*"ijkgf"[: len(shape) - 1], "c"]


def _factor(text: str) -> str:
    """In parentheses where it is a sum."""
    depth = 0
    for place, letter in enumerate(text):
        depth += {"(": 1, ")": -1}.get(letter, 0)
        if depth == 0 and text[place : place + 3] in (" + ", " - "):
            return f"({text})"
    return text
