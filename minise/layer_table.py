"""The table of a net's layers, in the classic layout of torchsummary, and two nets side by side."""

from __future__ import annotations

import copy
import tracemalloc
from collections.abc import Mapping, Sequence

import numpy as np

from minise import backend
from minise.arrays import array_module
from minise.cost import CONVENTION, Part, one_image, parts_of, total
from minise.errors import InputError
from minise.nn import Layer

MB = 1024**2


def summary(net: Layer, input_shape: tuple[int, ...], *, full: bool = False) -> None:
    """Print the layers that an image of `input_shape`, (C, H, W), goes through.

    The classic table counts layers, so the multiplication of an SE block is not in it, and its
    pass size is twice all outputs in float32 (1 MB is 1024² bytes). `full` adds the multiplication
    as "Scale", the multiply-adds for one image, how much of all this is in SE blocks, and the
    measured peak memory of a forward and backward pass of one image.

    Raises `InputError` where such an image does not fit the net.
    """
    parts = parts_of(net, input_shape)
    shown = parts if full else [part for part in parts if not part.is_scale]
    parameters, multiply_adds, _ = total(parts)
    heading = f"{'Layer (type)':>20}  {'Output Shape':>25} {'Param #':>15}"
    lines = ["-" * 64, heading + (f" {'Mult-Adds':>15}" if full else ""), "=" * 64]
    for number, part in enumerate(shown, start=1):
        count = sum(p.value.size for p in part.parameters)
        line = f"{f'{_kind(part)}-{number}':>20}  {_shape(part)!s:>25} {count:>15,}"
        lines.append(line + (f" {part.multiply_adds:>15,}" if full else ""))
    lines += [
        "=" * 64,
        f"Total params: {parameters:,}",
        f"Trainable params: {parameters:,}",
        "Non-trainable params: 0",
    ]
    outputs = sum(part.outputs for part in parts if not part.is_scale)
    sizes = [int(np.prod(input_shape)) * 4 / MB, 2 * outputs * 4 / MB, parameters * 4 / MB]
    lines += [
        "-" * 64,
        f"Input size (MB): {sizes[0]:.2f}",
        f"Forward/backward pass size (MB): {sizes[1]:.2f}",
        f"Params size (MB): {sizes[2]:.2f}",
        f"Estimated Total Size (MB): {sum(sizes):.2f}",
        "-" * 64,
    ]
    if full:
        lines += [f"Multiply-adds: {multiply_adds:,}", *_se_lines(parts)]
        lines.append(
            f"Memory at its peak, forward and backward (MB): {_peak(net, input_shape):.2f}"
        )
        lines += [*CONVENTION.splitlines(), "-" * 64]
        width = len(lines[1])
        lines = [line[0] * width if set(line) <= {"-", "="} else line for line in lines]
    print("\n".join(lines))


def compare(nets: Mapping[str, Layer], input_shape: tuple[int, ...]) -> None:
    """Print what two nets, given by name, cost for one image, and how much more the first needs.

    Raises `InputError` unless there are two, and where the image does not fit.
    """
    from rich.console import Console
    from rich.table import Table

    if len(nets) != 2:
        raise InputError(f"compare: got {len(nets)} nets by name, expected 2")
    table = Table("image of " + "×".join(map(str, input_shape)), *nets, "difference", "")
    for column in table.columns[1:]:
        column.justify = "right"
    (first, first_peak), (second, second_peak) = (
        (total(parts_of(net, input_shape)), _peak(net, input_shape)) for net in nets.values()
    )
    for what, ours, theirs, form in (
        ("parameters", first.parameters, second.parameters, ",.0f"),
        ("multiply-adds", first.multiply_adds, second.multiply_adds, ",.0f"),
        ("squeeze and scale", first.squeeze_and_scale, second.squeeze_and_scale, ",.0f"),
        ("peak memory, MB", first_peak, second_peak, ",.1f"),
    ):
        more = f"{(ours - theirs) / theirs:+.2%}" if theirs else ""
        numbers = f"{ours:{form}}", f"{theirs:{form}}", f"{ours - theirs:+{form}}"
        table.add_row(what, *numbers, more)
    console = Console()
    console.print(table)
    console.print(CONVENTION, highlight=False)
    console.print("Memory is what a forward and backward pass took beside the parameters.")


def _kind(part: Part) -> str:
    return "Scale" if part.is_scale else part.layer.table_name or type(part.layer).__name__


def _shape(part: Part) -> list[int]:
    return [-1, *part.shape, *((1, 1) if part.layer.table_name else ())]  # a map of one pixel


def _se_lines(parts: Sequence[Part]) -> list[str]:
    """How much of the parameters, multiply-adds and outputs is in SE blocks."""
    inside = [part for part in parts if part.within_se]
    if not inside:
        return []
    everything, se = total(parts), total(inside)

    def share(what: str, of_se: int, of_all: int) -> str:
        return f"  {what}: {of_se:,}" + (f" ({of_se / of_all:.2%})" if of_all else "")

    return [
        "In SE blocks",
        share("params", se.parameters, everything.parameters),
        share("multiply-adds", se.multiply_adds, everything.multiply_adds),
        share("outputs", *(sum(part.outputs for part in some) for some in (inside, parts))),
        f"  squeeze and scale: {se.squeeze_and_scale:,}",
    ]


def _peak(net: Layer, input_shape: tuple[int, ...]) -> float:
    """The most MB that one image took, beyond the parameters."""
    net = copy.deepcopy(net)  # its gradients are added to
    image = one_image(net, input_shape)

    def both_ways() -> None:
        y, backward = net.forward(image, training=False)
        backward(array_module(y).ones_like(y))

    both_ways()  # what is compiled and kept for later calls is not counted
    backend.current().release_memory()  # but all arrays are
    tracemalloc.start()
    try:
        both_ways()
        return tracemalloc.get_traced_memory()[1] / MB
    finally:
        tracemalloc.stop()
