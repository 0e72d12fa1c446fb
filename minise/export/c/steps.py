"""Each step of a plan as loops in C."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from minise.export.c.maps import conv, gemm
from minise.export.c.text import Statement, at, linear, loops, number, sized
from minise.export.c.window import window
from minise.export.c.writer import Along, Writer
from minise.export.plan import MEMORY, Operand, Step, Then, Value


def loops_of(writer: Writer, step: Step) -> list[Statement]:
    """What a step does. `writer` gathers the constants and the helpers that it needs."""
    match step.op:
        case "Conv":
            return conv(writer, step)
        case "Gemm":
            return gemm(writer, step)
        case "MaxPool" | "AveragePool":
            return _pool(writer, step)
        case "GlobalAveragePool" | "GlobalMaxPool":
            return _global_pool(writer, step)
        case "Concat":
            return _concat(writer, step)
        case "Transpose":
            return _transpose(writer, step)
        case _:
            return _elementwise(writer, step)


def _elementwise(writer: Writer, step: Step) -> list[Statement]:
    y, along = step.output, _letters(step.output.shape)
    reals = [writer.read(x, along, f"{step.names[0]}_constant") for x in step.inputs]
    match step.op:
        case "Add":
            real = " + ".join(reals)
        case "Mul":
            real = " * ".join(reals)
        case "Max":
            real = f"{writer.need('max')}({', '.join(reals)})"
        case "Identity":
            (real,) = reals
        case op:
            real = writer.done(step.names[0], Then(op, step.options), reals[0], along[-1])
    return _over(y, along, writer.store(y, along, writer.then(step, real, along[-1])))


def _transpose(writer: Writer, step: Step) -> list[Statement]:
    (x,), y, perm = step.inputs, step.output, step.options["perm"]
    assert isinstance(x, Value)
    along = _letters(y.shape)
    of_x = [along[perm.index(axis)] for axis in range(len(perm))]
    return _over(y, along, writer.copied(y, along, x, of_x))


def _concat(writer: Writer, step: Step) -> list[Statement]:
    y, axis, start = step.output, step.options["axis"], 0
    statements: list[Statement] = []
    for n, x in enumerate(step.inputs):
        along, of_y = _letters(x.shape), _letters(x.shape)
        of_y[axis] = linear((1, along[axis] if x.shape[axis] != 1 else ""), plus=start)
        if isinstance(x, Value):
            body = writer.copied(y, of_y, x, along)
        else:
            body = writer.store(y, of_y, writer.read(x, along, f"{step.names[0]}_constant_{n}"))
        statements += _over(x, along, body)
        start += x.shape[axis]
    return statements


def _pool(writer: Writer, step: Step) -> list[Statement]:
    (x,), y, along = step.inputs, step.output, _letters(step.output.shape)
    assert isinstance(x, Value)
    row, col = window(step, 0), window(step, 1)
    place = [row.at, col.at, "c"]
    if step.op == "MaxPool":
        same = writer.scales.get(x.name) == writer.scales.get(y.name) and not step.then
        kind = "unsigned char" if same and x.name in writer.scales else "float"
        v = writer.value(x, place) if same and x.place == MEMORY else writer.read(x, place)
        start = f"{kind} largest = {'0' if kind != 'float' else '-INFINITY'};"
        inner = [f"const {kind} v = {v};", "if (v > largest) largest = v;"]
        if kind == "float":
            stored = writer.store(y, along, writer.then(step, "largest", "c"))
        else:
            stored = f"{writer.value(y, along)} = largest;"
        body = [start, *row.repeat(col.repeat(inner)), stored]
    else:
        inner, count = [f"sum += {writer.read(x, place)};"], "(float)count"
        if row.inside and col.inside:
            body, count = ["float sum = 0;"], number(np.prod(step.options["kernel_shape"]))
        else:
            body, inner = ["float sum = 0;", "int count = 0;"], [*inner, "count++;"]
        stored = writer.store(y, along, writer.then(step, f"sum / {count}", "c"))
        body += [*row.repeat(col.repeat(inner)), stored]
    return _over(y, along, *body)


def _global_pool(writer: Writer, step: Step) -> list[Statement]:
    (x,), y = step.inputs, step.output
    assert isinstance(x, Value)
    H, W, C = x.shape
    along, channels, pixels = ["i", "j", "c"], [("c", C)], number(H * W)
    if step.op == "GlobalMaxPool":
        largest = at("largest", (C,), ["c"]) if C != 1 else "largest"
        start = [
            f"float {sized('largest', (C,))};",
            *loops(channels, [f"{largest} = -INFINITY;"]),
        ]
        each = f"{largest} = {writer.need('max')}({largest}, {writer.read(x, along)});"
        real = largest
    else:
        total = "sum[c]" if C != 1 else "sum"
        kind, each = "float", f"{total} += {writer.read(x, along)};"
        real = f"{total} / {pixels}"
        if x.name in writer.scales:
            scale, zero = writer.scales[x.name]
            kind, each = "int", f"{total} += {writer.value(x, along)};"
            real = f"{number(scale)} * ((float){total} / {pixels} - {number(zero)})"
        start = [f"{kind} {sized('sum', (C,))} = {'{0}' if C != 1 else '0'};"]
    stored = writer.store(y, ["0", "0", "c"], writer.then(step, real, "c"))
    return [*start, *loops([("i", H), ("j", W), ("c", C)], [each]), *loops(channels, [stored])]


def _over(y: Operand, along: Along, *body: Statement) -> list[Statement]:
    return loops(list(zip(along, y.shape, strict=True)), list(body))


def _letters(shape: Sequence[int]) -> list[str]:
    """i, j, c for a map, c for a row: an index for each axis."""
    return [*"ijkgf"[: len(shape) - 1], "c"]
