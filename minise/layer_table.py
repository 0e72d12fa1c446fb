"""The table of a net's layers, in the classic layout of torchsummary."""

from __future__ import annotations

import copy
import tracemalloc
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from minise import backend, notebook
from minise.arrays import array_module
from minise.cost import CONVENTION, Part, one_image, own_shape, parts_of, total
from minise.nn import Layer

MB = 1024**2


@dataclass(frozen=True)
class Summary:
    """The layers that an image goes through, and what they cost: a table, in a notebook as well."""

    layers: tuple[tuple[str, ...], ...]  # name, shape and parameters of each, and multiply-adds
    totals: tuple[tuple[str, ...], ...]  # lines in groups

    def __str__(self) -> str:
        full = len(self.layers[0]) > 3 if self.layers else False
        heading = f"{HEADS[0]:>20}  {HEADS[1]:>25} {HEADS[2]:>15}"
        heading += f" {HEADS[3]:>15}" if full else ""
        width = len(heading) if full else 64
        lines = ["-" * width, heading, "=" * width]
        for name, shape, *counts in self.layers:
            lines.append(f"{name:>20}  {shape:>25}" + "".join(f" {count:>15}" for count in counts))
        lines.append("=" * width)
        for group in self.totals:
            lines += [*group, "-" * width]
        return "\n".join(lines)

    __repr__ = __str__

    def _repr_html_(self) -> str:
        width = max(map(len, self.layers), default=3)
        return notebook.page(
            notebook.table(HEADS[:width], self.layers, left=(0,)),
            *(notebook.code("\n".join(group)) for group in self.totals),
        )


HEADS = ("Layer (type)", "Output Shape", "Param #", "Mult-Adds")


def summary(
    net: Layer, input_shape: tuple[int, ...] | None = None, *, full: bool = False
) -> Summary:
    """The layers that an image of `input_shape`, (C, H, W), goes through: a table to print.

    Without a shape it is that of the images that the net was made for. The classic table counts
    layers, so the multiplication of an SE block is not in it, and its pass size is twice all
    outputs in float32 (1 MB is 1024² bytes). `full` adds the multiplication as "Scale", the
    multiply-adds for one image, how much of all this is in SE blocks, and the measured peak memory
    of a forward and backward pass of one image.

    Raises `InputError` where such an image does not fit the net, and where it says no shape itself.
    """
    input_shape = own_shape(net, input_shape)
    parts = parts_of(net, input_shape)
    shown = parts if full else [part for part in parts if not part.is_scale]
    parameters, multiply_adds, _ = total(parts)
    layers = []
    for number, part in enumerate(shown, start=1):
        count = sum(p.value.size for p in part.parameters)
        row = f"{_kind(part)}-{number}", f"{_shape(part)}", f"{count:,}"
        layers.append((*row, f"{part.multiply_adds:,}") if full else row)
    outputs = sum(part.outputs for part in parts if not part.is_scale)
    sizes = [int(np.prod(input_shape)) * 4 / MB, 2 * outputs * 4 / MB, parameters * 4 / MB]
    totals: list[tuple[str, ...]] = [
        (
            f"Total params: {parameters:,}",
            f"Trainable params: {parameters:,}",
            "Non-trainable params: 0",
        ),
        (
            f"Input size (MB): {sizes[0]:.2f}",
            f"Forward/backward pass size (MB): {sizes[1]:.2f}",
            f"Params size (MB): {sizes[2]:.2f}",
            f"Estimated Total Size (MB): {sum(sizes):.2f}",
        ),
    ]
    if full:
        peak = peak_memory(net, input_shape)
        totals.append(
            (
                f"Multiply-adds: {multiply_adds:,}",
                *_se_lines(parts),
                f"Memory at its peak, forward and backward (MB): {peak:.2f}",
                *CONVENTION.splitlines(),
            )
        )
    return Summary(tuple(layers), tuple(totals))


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


def peak_memory(net: Layer, input_shape: tuple[int, ...]) -> float:
    """The most MB that a forward and backward pass of one image took, beyond the parameters."""
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
