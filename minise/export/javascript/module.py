"""A net as a module of JavaScript: one file for a page, which needs no other.

    import { classes, pixelsOf, predict } from "./net.js";

    const image = canvas.getContext("2d").getImageData(0, 0, 28, 28);
    const scores = predict(pixelsOf(image));
    answer.textContent = classes[scores.indexOf(Math.max(...scores))];

The functions that it is made of stand in functions.js.
"""

from __future__ import annotations

import base64
import functools
import json
import math
import re
from collections.abc import Mapping, Sequence
from importlib import resources
from typing import Any

import numpy as np

from minise.arrays import Array
from minise.errors import InputError
from minise.export.pixels import Pixels
from minise.export.plan import INPUT, OUTPUT, Operand, Plan, Step, Value, plan
from minise.export.trace import trace
from minise.nn import Layer
from minise.version import __version__

FUNCTIONS = {
    "Add": "add",
    "AveragePool": "averagePool",
    "Clip": "clip",
    "Concat": "concat",
    "Conv": "conv",
    "Gemm": "linear",
    "GlobalAveragePool": "globalAveragePool",
    "GlobalMaxPool": "globalMaxPool",
    "Identity": "copy",
    "LeakyRelu": "leakyRelu",
    "Max": "maximum",
    "MaxPool": "maxPool",
    "Mul": "multiply",
    "Relu": "relu",
    "Sigmoid": "sigmoid",
    "Sqrt": "squareRoot",
    "Tanh": "tanh",
    "Transpose": "transpose",
}
# What a layer's values cannot be called: words of JavaScript, and what a module uses or exports.
_RESERVED = re.findall(
    r"\w+",
    """
    Array DataView Error Float32Array Infinity Math NaN Uint8Array Uint8ClampedArray arguments atob
    await break case catch class classes const continue debugger default delete do else enum eval
    export extends false finally for function if implements import in input inputShape instanceof
    interface let memory new null numbers package pixels predict private protected public return
    scores static super switch this throw true try typeof undefined var void weights while with
    yield
    """,
)


def javascript_module(
    net: Layer,
    input_shape: tuple[int, ...],
    *,
    pixels: Pixels | None,
    classes: Sequence[str] = (),
) -> str:
    """What `net(x)` computes of one image, as a module of JavaScript.

    It exports `predict(pixels)`, which returns the scores as a Float32Array; `inputShape`, which is
    [H, W, C]; and `classes`, their names, or "0", "1" and so on. `predict` takes H·W·C numbers, row
    by row, with the channels of a pixel side by side: with `pixels` those of a picture, 0 to 255,
    which the module's `pixelsOf(imageData)` makes of a canvas's; with None what the net takes.

    `input_shape` is that of one image, (C, H, W). Weights are float32, as is what lies between two
    layers.

    Raises `InputError` where such an image does not fit, for a layer that it does not know, and
    where there is not one class for each score.
    """
    planned = plan(trace(net, input_shape, pixels=pixels))
    count = math.prod(planned.output.shape)
    if classes and len(classes) != count:
        raise InputError(f"export: {len(classes)} names of classes, expected {count}")
    writer = _Writer(planned)
    body = writer.body()
    H, W, C = _three_axes(planned.input.shape)
    of_picture = pixels is not None and C in (1, 3)
    called = writer.called | ({"pixelsOf"} if of_picture else set())
    names = json.dumps([*classes] or [str(k) for k in range(count)], ensure_ascii=False)
    what = "numbers as the net takes them, normalised" if pixels is None else "numbers, 0 to 255"
    order = "row by row from the top" + {3: "; of each pixel red, green, blue"}.get(C, "")
    hint = "; those of a canvas come from pixelsOf(imageData)" if of_picture else ""
    parts = [
        f"""\
// A net for pictures of {H} x {W} pixels, written by minise {__version__}.
//
//     import {{ {"pixelsOf, predict" if of_picture else "predict"} }} from "./net.js";
//     const scores = predict({"pixelsOf(imageData)" if of_picture else "pixels"});

/** Height, width and channels of a picture. */
export const inputShape = [{H}, {W}, {C}];

/** A name for each score. */
export const classes = {names};

/**
 * The scores of a picture, one for each class, as a Float32Array; the largest is the answer.
 * `pixels` are {H * W * C} {what}: {order}.
 */
export function predict(pixels) {{
  if (pixels?.length !== {H * W * C})
    throw new Error(
      `predict: got ${{pixels?.length ?? "no"}} numbers, ` +
        "expected {H * W * C} = {H} x {W} x {C}{hint}"
    );
  input.set(pixels);
  const scores = part(new Float32Array({count}), 0, {_listed(_three_axes(planned.output.shape))});

{body}

  return scores.values;
}}
""",
        *_with_called(called),
        f"""\
// Where values lie, some in the place of others that are no longer needed, and the weights: of a
// convolution (filters, height, width, channels), of a linear map (outputs, inputs).
const input = new Float32Array({H * W * C}), memory = new Float32Array({planned.memory});
const weights = decoded(numbers());
{writer.declarations()}
""",
        f"""\
function numbers() {{
  return "{writer.base64()}";
}}
""",
    ]
    return "\n".join(parts)


class _Writer:
    """The calls of a plan's steps, and what they read: values in memory, and constants."""

    def __init__(self, planned: Plan) -> None:
        self.steps = planned.steps
        self.called = {"part", "decoded"}
        self._declared: dict[str, list[str]] = {"memory": [], "weights": []}
        self._taken = {*_RESERVED, *_functions()}
        self._values: dict[tuple[str, tuple[int, ...]], str] = {}
        self._numbers = bytearray()

    def body(self) -> str:
        """The statements of `predict`; blocks stand apart."""
        lines: list[str] = []
        before = ""
        for step in self.steps:
            block = step.names[0].rpartition(".")[0]
            if lines and not (block and block == before):
                lines.append("")
            before = block
            x, y = (_sizes(value.shape) for value in (step.inputs[0], step.output))
            names = ", ".join(re.sub(r"[^ -~]", "_", name) for name in step.names)
            lines.append(f"  // {names}: {x if x == y else f'{x} -> {y}'}")
            lines += [f"  {call};" for call in self.calls(step)]
        return "\n".join(lines)

    def calls(self, step: Step) -> list[str]:
        """The step's operator, and what is done to its output then, in its place."""
        y = self.value(step.output)
        calls = [self.call(step.op, *self.arguments(step), y, *_options(step))]
        for name, then in zip(step.names[1:], step.then, strict=True):
            if then.constant is None:
                calls.append(self.call(then.op, *_numbers(then.options), y))
            else:
                constant = self.operand(then.constant, name)
                calls.append(self.call(then.op, y, constant, y))
        return calls

    def call(self, op: str, *arguments: str) -> str:
        self.called.add(FUNCTIONS[op])
        return f"{FUNCTIONS[op]}({', '.join(arguments)})"

    def arguments(self, step: Step) -> list[str]:
        """What stands before y. Raises `InputError` for maps of too many axes."""
        name, y = step.names[0], step.output.shape
        joins = step.op in ("Add", "Max", "Mul")
        if joins and len(y) > 3 and any(x.shape != y for x in step.inputs):
            shapes = " and ".join(str(x.shape) for x in step.inputs)
            raise InputError(f"export: {name}: JavaScript has no {step.op} of {shapes}")
        inputs = [self.operand(x, name) for x in step.inputs]
        match step.op:
            case "Conv" | "Gemm":
                assert step.weight is not None
                weight = np.moveaxis(step.weight, -1, 0)  # what belongs to an output is together
                bias = np.zeros(len(weight)) if step.bias is None else step.bias
                inputs += [
                    self.constant(f"{name}.weight", weight),
                    self.constant(f"{name}.bias", bias),
                ]
            case "Concat":
                rows = math.prod(y[: step.options["axis"]])
                return [str(rows), f"[{', '.join(inputs)}]"]
            case "Transpose":
                shape, perm = step.inputs[0].shape, step.options["perm"]
                return [f"[{_listed(shape)}]", f"[{_listed(perm)}]", *inputs]
        return [*_numbers(step.options), *inputs]

    def operand(self, x: Operand, name: str) -> str:
        if isinstance(x, Value):
            return self.value(x)
        return self.constant(f"{name}.constant", x.reshape(_three_axes(x.shape)))

    def value(self, x: Value) -> str:
        """The name of a value, which is declared where it is met first."""
        if x.place == OUTPUT:
            return "scores"
        shape = _three_axes(x.shape)
        if (x.name, shape) not in self._values:
            array, name = ("input", "picture") if x.place == INPUT else ("memory", x.name)
            self._values[x.name, shape] = self.declare(name, array, x.offset, shape)
        return self._values[x.name, shape]

    def constant(self, name: str, value: Array) -> str:
        """The name of a constant, whose numbers come behind those before."""
        offset = len(self._numbers) // 4
        self._numbers += value.astype("<f4").tobytes()
        return self.declare(name, "weights", offset, value.shape)

    def declare(self, name: str, array: str, offset: int, shape: tuple[int, ...]) -> str:
        plain = re.sub(r"[^0-9A-Za-z_]", "_", name)
        plain = plain if re.match("[A-Za-z_]", plain) else f"_{plain}"
        free, number = plain, 1
        while free in self._taken:
            number += 1
            free = f"{plain}_{number}"
        self._taken.add(free)
        declared = self._declared["weights" if array == "weights" else "memory"]
        declared.append(f"const {free} = part({array}, {offset}, {_listed(shape)});")
        return free

    def declarations(self) -> str:
        return "\n\n".join("\n".join(lines) for lines in self._declared.values())

    def base64(self) -> str:
        return base64.b64encode(self._numbers).decode("ascii")


def _options(step: Step) -> list[str]:
    """What stands behind y: the options of a window that are not the usual ones."""
    if "strides" not in step.options:
        return []
    given = step.options
    pairs = {"strides": given["strides"], "padding": given["pads"][:2]}
    if step.op == "Conv":
        pairs["dilations"] = given["dilations"]
    else:
        pairs = {"size": given["kernel_shape"], **pairs}
    usual = {"strides": (1, 1), "padding": (0, 0), "dilations": (1, 1)}
    written = [
        f"{name}: [{_listed(pair)}]" for name, pair in pairs.items() if pair != usual.get(name)
    ]
    written += [f"groups: {given['group']}"] if given.get("group", 1) > 1 else []
    return [f"{{ {', '.join(written)} }}"] if written else []


def _numbers(options: Mapping[str, Any]) -> list[str]:
    """Those of an activation."""
    numbers = [float(options[name]) for name in ("alpha", "min", "max") if name in options]
    return [repr(number).replace("inf", "Infinity").replace("nan", "NaN") for number in numbers]


def _three_axes(shape: tuple[int, ...]) -> tuple[int, ...]:
    """(C,) is (1, 1, C); of more axes than three, the first are one."""
    shape = (1, 1, *shape)
    return math.prod(shape[:-2]), *shape[-2:]


def _listed(numbers: Sequence[int]) -> str:
    return ", ".join(map(str, numbers))


def _sizes(shape: Sequence[int]) -> str:
    """As in "28 x 28 x 8", or "8"."""
    return re.sub("^(1 x )*", "", " x ".join(map(str, shape)))


@functools.cache
def _functions() -> Mapping[str, str]:
    """The functions of functions.js with the comments over them, by name."""
    text = (resources.files("minise.export.javascript") / "functions.js").read_text("utf-8")
    pattern = r"^(?:/\*\*(?:(?!\*/).)*\*/\n)?(?:export )?function (\w+).*?^}\n"
    return {found[1]: found[0] for found in re.finditer(pattern, text, re.DOTALL | re.MULTILINE)}


def _with_called(names: set[str]) -> list[str]:
    """These functions and those that they call, as they stand in functions.js."""
    functions, wanted, found = _functions(), [*names], set[str]()
    while wanted:
        found.add(name := wanted.pop())
        wanted += {*re.findall(r"\b(\w+)\(", functions[name])} & (functions.keys() - found)
    return [text for name, text in functions.items() if name in found]
