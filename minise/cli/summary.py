"""`minise summary` and `minise models`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import click
from rich.console import Console

import minise
from minise import models, nn
from minise.cli.options import computing
from minise.cli.say import table
from minise.cli.settings import read_option
from minise.errors import InputError
from minise.nearest import nearest


@click.command("summary", short_help="Print the layers of a net, or its cost beside another's.")
@click.argument("model", metavar="MODEL[:PRESET]")
@click.option(
    "--input", "input_shape", metavar="C,H,W", help="Shape of one image.  [default: the net's own]"
)
@click.option(
    "--option",
    "options",
    metavar="NAME=VALUE",
    multiple=True,
    help="For MODEL, as `train` takes it: block=eca or reduction=8; may be repeated.",
)
@click.option("--full", is_flag=True, help="Add the scaling, multiply-adds, and measured memory.")
@click.option(
    "--compare", "other", metavar="MODEL[:PRESET]", help="Print what both cost, instead of layers."
)
@computing
def summary_command(
    model: str, input_shape: str | None, options: tuple[str, ...], full: bool, other: str | None
) -> None:
    """Print the layers of MODEL, or of `seed`: the block that this project started from.

    `minise summary se-resnet50 --compare resnet50` shows what SE adds. A preset may follow a name:
    `minise summary se-resnet50:paper --compare se-resnet50:timm` shows what timm builds otherwise,
    and `minise summary se-resnet50 --option block=eca --compare se-resnet50` what ECA takes.
    """
    name, _, _ = model.partition(":")
    shape = (64, 128, 128) if model == "seed" else models.image_shape(name)
    if input_shape is not None:
        try:
            C, H, W = map(int, input_shape.split(","))
        except ValueError:
            raise InputError(f"--input {input_shape!r}, expected C,H,W as in 1,28,28") from None
        if min(C, H, W) < 1:
            raise InputError(f"--input {input_shape!r}, expected sizes of at least 1")
        shape = (C, H, W)
    net = _net(model, shape[0], dict(map(read_option, options)))
    if other is None:
        print(minise.summary(net, shape, full=full))
    elif full:
        raise InputError("--compare prints no layers: leave out --full")
    elif other == model and not options:
        raise InputError(f"--compare {other}, expected a net other than {model}")
    elif other.partition(":")[0] == name:  # in two presets, or with options
        first, second = (m.partition(":")[2] for m in (model, other))
        told = ", ".join(filter(None, [first, *options]))
        nets = {told or "its own": net, second or "its own": _net(other, shape[0], {})}
        minise.compare(nets, shape, layers=True)
    else:
        told = ", ".join([model, *options])
        minise.compare({told: net, other: _net(other, shape[0], {})}, shape)


def _net(model: str, channels: int, options: Mapping[str, Any]) -> nn.Layer:
    """Of "se-resnet50", or with the blocks of a preset, "se-resnet50:timm"."""
    if model == "seed":
        if options:
            raise InputError("--option is for nets: seed is a block")
        return nn.SEBlock(64, **nn.PRESETS["seed"].options)
    name, colon, preset = model.partition(":")
    models.check_options(name, options)
    if not colon:
        return models.create(name, in_channels=channels, **options)
    if preset not in nn.PRESETS:
        raise InputError(nearest("preset", preset, list(nn.PRESETS), "minise presets"))
    if not models.has_option(name, "reduction"):
        raise InputError(
            f"{model}: {name} has no SE blocks, which {preset!r} could build otherwise"
        )
    return models.create(name, in_channels=channels, **{**nn.PRESETS[preset].options, **options})


@click.command("models", short_help="List the nets.")
@click.argument("part", metavar="[PART]", default="")
def models_command(part: str) -> None:
    """List the nets that `train` knows, and the images that each was made for.

    With PART, such as `se` or `resnet`, only those with it in their names.
    """
    names = [name for name in models.names() if part in name]
    if not names:
        raise InputError(nearest("model", part, models.names(), "minise models"))
    listed = table("name", "parameters", "images", "what it is")
    listed.columns[0].no_wrap, listed.columns[1].justify = True, "right"
    for name in names:
        net = models.create(name, filled=False)
        count = sum(parameter.value.size for parameter in net.parameters())
        images = "×".join(map(str, models.image_shape(name)))
        listed.add_row(name, f"{count:,}", images, models.about(name))
    Console().print(listed)
