"""A net as one header in plain C99, which needs no runtime."""

from __future__ import annotations

import re
import textwrap
from typing import NamedTuple

from minise.arrays import Array
from minise.errors import InputError
from minise.export.c.quantise import scales
from minise.export.c.steps import loops_of
from minise.export.c.text import WIDTH, comment, note, squeezed, written
from minise.export.c.writer import Writer
from minise.export.pixels import Pixels, check_images, input_described
from minise.export.plan import Plan, Step, Value, is_map, numbers, plan
from minise.export.trace import trace
from minise.nn import Layer
from minise.version import __version__


class Sizes(NamedTuple):
    """Bytes that a header needs, beside its code."""

    weights: int
    memory: int


def c_header(
    net: Layer,
    input_shape: tuple[int, ...],
    name: str,
    *,
    pixels: Pixels | None,
    int8: Array | None = None,
    about: str = "",
) -> str:
    """What `net(x)` computes of one image, as the text of NAME.h with a function NAME_predict.

    `input_shape` is (C, H, W). With `pixels` the function takes the bytes of a picture, 0 to 255,
    with None floats, as the net takes them; the channels of a pixel are neighbours, as in RGB. With
    `int8`, images (N, C, H, W) like those that the function will be given, weights and maps are
    bytes; rows, and so the gates, stay floats. `about` is a sentence for the top of the file.

    Raises `InputError` where `name` is no name in C, where such an image does not fit, or those of
    `int8` do not, and for a layer or a weight that cannot be written.
    """
    check_c_name(name)
    graph = trace(net, input_shape, pixels=pixels)
    if int8 is not None:
        check_images(int8, input_shape, pixels=pixels is not None)
    layout = plan(graph, size=_bytes_of if int8 is None else _bytes_of_int8)
    of_maps = None if int8 is None else scales(graph, layout, int8)
    writer = Writer(name, graph.input, of_maps)
    steps = [_step(writer, step) for step in layout.steps]
    sizes = Sizes(writer.bytes, layout.memory)
    declared = _declarations(writer)
    body = "\n\n".join([declared, *steps] if declared else steps)
    blocks = [
        _top(name, layout, writer, input_described(input_shape[0], pixels), about),
        f"#ifndef {name.upper()}_H\n#define {name.upper()}_H\n\n#include <math.h>",
        _macros(name, layout, sizes),
        "\n".join(writer.arrays),
        f"static float {name}_memory[{name.upper()}_MEMORY_BYTES / 4];" if sizes.memory else "",
        "\n\n".join(writer.helpers[helper] for helper in sorted(writer.helpers)),
        f"static inline void {name}_predict({_arguments(layout, graph.input)}) {{\n{body}\n}}",
        "#endif",
    ]
    return "\n\n".join(block for block in blocks if block) + "\n"


def _bytes_of(value: Value) -> int:
    return 4 * numbers(value)


def _bytes_of_int8(value: Value) -> int:
    return numbers(value) if is_map(value) else 4 * numbers(value)


def check_c_name(name: str) -> None:
    """Raises `InputError` for what cannot begin the name of a function in C."""
    if not re.fullmatch(r"[A-Za-z][A-Za-z0-9_]*", name):
        raise InputError(
            f"export: {name!r}: functions in C cannot be named after it; "
            "expected letters, digits and _, a letter first, as in net.h"
        )


def c_sizes(header: str) -> Sizes:
    """What a header says of itself. Raises `InputError` for what `c_header` did not write."""
    sizes = re.findall(r"^#define \w+_(?:WEIGHT|MEMORY)_BYTES (\d+)$", header, re.M)
    if len(sizes) != 2:
        raise InputError("export: that is no header of c_header: it does not say its sizes")
    return Sizes(*map(int, sizes))


def _arguments(layout: Plan, source: str) -> str:
    kind = "unsigned char" if source == "pixels" else "float"
    x, y = numbers(layout.input), numbers(layout.output)
    return f"const {kind} {source}[{x}], float scores[{y}]"


def _macros(name: str, layout: Plan, sizes: Sizes) -> str:
    NAME = name.upper()
    return f"""\
#define {NAME}_INPUTS {numbers(layout.input)}
#define {NAME}_SCORES {numbers(layout.output)}
#define {NAME}_WEIGHT_BYTES {sizes.weights}
#define {NAME}_MEMORY_BYTES {sizes.memory}"""


def _top(name: str, layout: Plan, writer: Writer, what: str, about: str) -> str:
    source = writer.source
    shape = " x ".join(map(str, squeezed(layout.input.shape)))
    kind = "bytes" if source == "pixels" else "floats"
    lines = [
        f"{name}.h: a net in plain C99, written by minise {__version__}",
        about,
        f"    {name}_predict({source}, scores);",
        f"{source}: {numbers(layout.input):,} {kind}, {shape}: {what}",
        f"scores: {numbers(layout.output):,} floats, one for each class; the largest is the answer",
        "Weights and maps have 8 bits: real = scale * (byte - zero), "
        "as Jacob et al. have them (arXiv 1712.05877); rows and gates are floats."
        if writer.int8
        else "",
        f"Beside its code it needs {name.upper()}_WEIGHT_BYTES, which are constants, and "
        f"{name.upper()}_MEMORY_BYTES to work in. These are static: include this file in one of "
        f"yours only, and call the function from one thread at a time. Its sums take up to "
        f"{writer.stack:,} bytes of the stack. It is at the end.",
    ]
    return "/*\n" + "\n *\n".join(_starred(line) for line in lines if line) + "\n */"


def _starred(text: str) -> str:
    """Lines of a comment."""
    if text.startswith(" "):
        return f" * {text}"
    return "\n".join(f" * {line}" for line in textwrap.wrap(comment(text), WIDTH - 4))


def _declarations(writer: Writer) -> str:
    """Where each value lies in memory, under its name."""
    lines = [note("What is never needed together shares a place.")] if writer.values else []
    for value in writer.values.values():
        kind = "unsigned char" if value.name in writer.scales else "float"
        inner = "".join(f"[{size}]" for size in squeezed(value.shape)[1:])
        name = writer.local(value)
        start = f"{writer.prefix}_memory"
        start = start if kind == "float" else f"(unsigned char *){start}"
        if value.offset:
            start = f"{start} + {value.offset // (4 if kind == 'float' else 1)}"
        pointer = f"{kind} (*{name}){inner} = ({kind} (*){inner})({start});"
        lines.append(pointer if inner else f"{kind} *{name} = {start};")
    return "\n".join(f"    {line}" for line in lines)


WORDS = {
    "Add": "sum",
    "AveragePool": "mean of {}",
    "Concat": "one after the other",
    "Conv": "convolution {}",
    "Gemm": "linear map",
    "GlobalAveragePool": "mean of each channel",
    "GlobalMaxPool": "largest of each channel",
    "Max": "larger of two",
    "MaxPool": "largest of {}",
    "Mul": "product",
    "Transpose": "other order",
}


def _step(writer: Writer, step: Step) -> str:
    """Its loops, in a block of their own where they have variables, under a comment."""
    size = "x".join(map(str, step.options.get("kernel_shape", ())))
    words = [WORDS.get(op, op).format(size) for op in (step.op, *(then.op for then in step.then))]
    inputs = " and ".join(_shape(x) for x in step.inputs if isinstance(x, Value))
    what = f"{', '.join(step.names)}: {', '.join(words)}, {inputs} -> {_shape(step.output)}"
    statements = loops_of(writer, step)
    if isinstance(statements[0], str) and len(statements) > 1:
        statements = [("", statements)]
    return "\n".join(written([note(what, WIDTH - 4), *statements], 1))


def _shape(value: Value) -> str:
    return "(" + ", ".join(map(str, squeezed(value.shape))) + ")"
