"""`minise presets`."""

from __future__ import annotations

import inspect

import click
from rich import box
from rich.console import Console
from rich.table import Table

from minise import nn
from minise.cli.say import show, table
from minise.errors import InputError
from minise.nearest import nearest
from minise.nn import PRESETS, Preset

CHANNELS = (64, 72, 672)  # libraries differ at the last two
ONE_MAP, NONE_LEFT = "–", "none"
WIDE = 70
MOST = 8192  # a map of 8192 to 8192 channels has a quarter of a gigabyte


@click.command("presets", short_help="List the SE blocks that other libraries build.")
@click.argument("words", metavar="[C]... [PART]...", nargs=-1)
@click.option(
    "--input",
    "reduced_from",
    metavar="N",
    type=click.IntRange(1, MOST),
    help="Channels that come into the residual block around it, where the rule is of these.  "
    "[default: C/6 in EfficientNet, C in RegNetY]",
)
def presets_command(words: tuple[str, ...], reduced_from: int | None) -> None:
    """List the SE blocks that other libraries build, and their hidden units for C channels.

    `minise presets 72` says who makes what of 72 channels. With PART, such as `timm`, only those
    with it in their names; and with the name of one, also where it is from, what its weights are
    called there, and how to build it.
    """
    channels = [_channels(word) for word in words if word.lstrip("+-").isdecimal()]
    parts = [word for word in words if not word.lstrip("+-").isdecimal()]
    chosen = {
        name: preset
        for name, preset in PRESETS.items()
        if not parts or any(part.lower() in f"{name} {preset.package}".lower() for part in parts)
    }
    if not chosen:
        raise InputError(nearest("preset", parts[0], list(PRESETS), "minise presets"))
    if len(channels) == 1:
        listed = _by_width(chosen, channels[0], reduced_from)
    else:
        listed = _by_package(chosen, channels or CHANNELS, reduced_from)
    console = Console()
    listed.columns[-2].no_wrap = console.width >= WIDE  # names are whole, what is last may break
    console.print(listed)
    shown = {_hidden(p, C, reduced_from) for p in chosen.values() for C in channels or CHANNELS}
    of_input = len(channels) == 1 and any(preset.expansion for preset in chosen.values())
    notes = [
        *["of: channels into the residual block, if hidden is of these"] * of_input,
        *["–: one map, without hidden units"] * (ONE_MAP in shown),
        *["none: no hidden unit is left"] * (NONE_LEFT in shown),
    ]
    show(console, "\n".join(["", *notes]))
    for name in parts:
        if name in PRESETS:
            _describe(console, name, PRESETS[name])


def _channels(word: str) -> int:
    if not 1 <= int(word) <= MOST:
        raise InputError(f"{word} channels, expected 1 to {MOST}")
    return int(word)


def _by_width(chosen: dict[str, Preset], C: int, reduced_from: int | None) -> Table:
    """Those with the fewest hidden units first; last those that have none."""
    listed = _plain("hidden", "of", "parameters", "preset", "package")
    rows = [(_hidden(preset, C, reduced_from), name, preset) for name, preset in chosen.items()]
    last: str | int = ""
    for hidden, name, preset in sorted(rows, key=lambda row: (isinstance(row[0], str), row[0])):
        if last not in ("", hidden):
            listed.add_section()
        of = preset.input(C, reduced_from)
        listed.add_row(
            str(hidden) if hidden != last else "",
            "" if of is None else str(of),
            "" if hidden == NONE_LEFT else f"{_parameters(preset, C, reduced_from):,}",
            name,
            preset.package,
        )
        last = hidden
    return listed


def _by_package(
    chosen: dict[str, Preset], channels: tuple[int, ...] | list[int], reduced_from: int | None
) -> Table:
    listed = _plain(*map(str, channels), "preset", "act → gate")
    package = ""
    for name, preset in chosen.items():
        if preset.package != package:
            package = preset.package
            listed.add_section()
            listed.add_row(*("" for _ in channels), f"[bold]{package}[/]")
        cells = [str(_hidden(preset, C, reduced_from)) for C in channels]
        listed.add_row(*cells, name, _functions(preset))
    return listed


def _plain(*titles: str) -> Table:
    listed = table(*titles)
    listed.box, listed.show_edge = box.SIMPLE_HEAD, False
    listed.collapse_padding = True
    for column in listed.columns:
        if column.header not in ("preset", "package", "act → gate"):
            column.justify, column.no_wrap = "right", True
    return listed


def _hidden(preset: Preset, C: int, reduced_from: int | None) -> int | str:
    try:
        hidden = preset.hidden(C, reduced_from=reduced_from)
    except InputError:
        return NONE_LEFT
    return ONE_MAP if hidden is None else hidden


def _parameters(preset: Preset, C: int, reduced_from: int | None) -> int:
    with nn.unfilled():
        block = preset.make(C, reduced_from=reduced_from)
    return sum(parameter.value.size for parameter in block.parameters())


def _functions(preset: Preset) -> str:
    gate = preset.arguments.get("gate", "sigmoid")
    if preset.block in (nn.EffectiveSE, nn.ECA):
        return f"→ {gate}"
    between = [preset.arguments.get("activation", "relu")]
    norm = preset.arguments.get("norm", "none")
    if norm != "none":
        between.insert(0 if norm == "before" else 1, "norm")
    return f"{', '.join(between)} → {gate}"


def _describe(console: Console, name: str, preset: Preset) -> None:
    usual = inspect.signature(preset.block).parameters
    options = "".join(
        f", {option}={value!r}"
        for option, value in preset.arguments.items()
        if option not in usual or value != usual[option].default or option == "reduction"
    )
    if preset.expansion is not None:
        options += ", reduced_from=N"
    show(console, f"{name}: {preset.package}, {preset.source}")
    show(console, f"  weights: {preset.weights}")
    show(console, f"  nn.PRESETS[{name!r}].make(C) is nn.{preset.block.__name__}(C{options})")
