"""Numbers, constants and helpers, as they stand in C."""

from __future__ import annotations

from collections.abc import Sequence

from minise.arrays import Array
from minise.export.c.quantise import Scale
from minise.export.c.text import Names, at, constant_array, flat, number, squeezed
from minise.export.plan import INPUT, OUTPUT, Operand, Step, Then, Value

Along = Sequence[str]  # an index for each axis
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
    """Numbers of a net in C, and the constants and the helpers that they turn out to need."""

    def __init__(self, prefix: str, source: str, scales: dict[str, Scale] | None) -> None:
        """`source` is what the input is called; with `scales` maps are bytes, and weights int8."""
        self.prefix, self.source, self.scales = prefix, source, scales or {}
        self.int8 = scales is not None
        self.locals, self.constants = Names(prefix), Names(prefix)
        self.values: dict[tuple[str, tuple[int, ...]], Value] = {}  # those that lie in memory
        self.arrays: list[str] = []
        self.helpers: dict[str, str] = {}
        self.bytes = 0  # of all constants
        self.stack = 0  # bytes of the largest array of sums

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
            real = self.done(name, then, real, channel)
        return real

    def done(self, name: str, then: Then, real: str, channel: str) -> str:
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


def _factor(text: str) -> str:
    """In parentheses where it is a sum."""
    depth = 0
    for place, letter in enumerate(text):
        depth += {"(": 1, ")": -1}.get(letter, 0)
        if depth == 0 and text[place : place + 3] in (" + ", " - "):
            return f"({text})"
    return text
