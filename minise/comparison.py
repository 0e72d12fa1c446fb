"""Two nets side by side: what they cost for one image, and in which layers they differ."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from minise.cost import CONVENTION, Part, own_shape, parts_of, total
from minise.errors import InputError
from minise.layer_table import peak_memory
from minise.nn import Layer
from minise.nn.listing import text

if TYPE_CHECKING:
    from rich.table import Table


def compare(
    nets: Mapping[str, Layer], input_shape: tuple[int, ...] | None = None, *, layers: bool = False
) -> None:
    """Print what two nets, given by name, cost for one image, and how much more the first needs.

    With `layers` the layers follow of which one net has more parameters or multiply-adds than the
    other, and those that differ in kind or options alone. Without a shape (C, H, W) it is that of
    the images that the first was made for.

    Raises `InputError` unless there are two, and where the image does not fit.
    """
    from rich.console import Console
    from rich.table import Table

    if len(nets) != 2:
        raise InputError(f"compare: got {len(nets)} nets by name, expected 2")
    input_shape = own_shape(next(iter(nets.values())), input_shape)
    table = Table("image of " + "×".join(map(str, input_shape)), *nets, "difference", "")
    for column in table.columns[1:]:
        column.justify = "right"
    parts = {name: parts_of(net, input_shape) for name, net in nets.items()}
    first, second = map(total, parts.values())
    first_peak, second_peak = (peak_memory(net, input_shape) for net in nets.values())
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
    if layers:
        costly, otherwise_built = _layers(parts), _otherwise_built(parts)
        if costly.row_count:
            console.print(costly)
        for line in otherwise_built:
            console.print(line, highlight=False)
        if not costly.row_count and not otherwise_built:
            console.print("No layer of one differs from that of the other.")
    console.print(CONVENTION, highlight=False)
    console.print("Memory is what a forward and backward pass took beside the parameters.")


def _by_name(parts: Sequence[Part]) -> dict[str, Part]:
    """The layers themselves: a multiplication by gates costs the same for all."""
    return {part.name: part for part in parts if not part.is_scale}


def _layers(parts: Mapping[str, Sequence[Part]]) -> Table:
    """A row for each layer that costs one net more than the other, or that only one of them has."""
    from rich.table import Table

    first, second = map(_by_name, parts.values())
    table = Table("layer")
    for what in ("parameters", "multiply-adds"):
        for name in parts:
            table.add_column(f"{what}\n{name}", justify="right")
    for layer in dict.fromkeys([*first, *second]):
        both = first.get(layer), second.get(layer)
        costs = [_costs(part) for part in both]
        if costs[0] != costs[1]:
            numbers = [f"{c[k]:,}" if c else "–" for k in (0, 1) for c in costs]
            table.add_row(layer, *numbers)
    return table


def _costs(part: Part | None) -> tuple[int, int] | None:
    if part is None:
        return None
    return sum(parameter.value.size for parameter in part.parameters), part.multiply_adds


def _otherwise_built(parts: Mapping[str, Sequence[Part]]) -> list[str]:
    """Of layers that cost the same, how those are built that are not alike, and how many."""
    first, second = map(_by_name, parts.values())
    built = Counter(
        (layer.rpartition(".")[2], text(one.layer), text(second[layer].layer))
        for layer, one in first.items()
        if layer in second and _costs(one) == _costs(second[layer])
    )
    ours, theirs = parts
    return [
        f"{layer} is {one} in {ours}, {two} in {theirs} ({count} times)"
        for (layer, one, two), count in built.items()
        if one != two
    ]
