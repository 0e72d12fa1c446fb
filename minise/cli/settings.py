"""The settings of a training: from options, from a recipe, from the run that is resumed."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, NamedTuple

import click
from click.core import ParameterSource

from minise import data, models, runs
from minise.cli.described import json_or_text
from minise.cli.say import typed
from minise.errors import InputError
from minise.nearest import nearest
from minise.runs.run import CONFIG


class Settings(NamedTuple):
    """Of one call of `minise train`."""

    config: runs.Config
    every: runs.Every  # checkpoint
    folder: Path | None  # None for the next of runs/
    stopped: runs.Stopped | None  # the run that is resumed


def settings_of(
    context: click.Context,
    asked: dict[str, Any],
    *,
    recipe: str | None,
    every: str | None,
    out: Path | None,
    resume: Path | None,
    allow_change: bool,
) -> Settings:
    """Combine what was typed. Raises `InputError` for what does not go together."""
    if context.args:
        raise InputError(_as_options(context))
    given = _given(context, asked, recipe)
    if resume is None:
        stopped, config, often = None, runs.Config(**given), runs.Every(1, "epoch")
    else:
        stopped = runs.load_checkpoint(resume)
        if out is not None:
            raise InputError(f"--out {out}: a resumed run stays in its folder, {resume}")
        config, often = runs.changed(stopped.config, given, allowed=allow_change), stopped.every
    often = often if every is None else runs.read_every(every)
    return Settings(config, often, resume or out, stopped)


def _as_options(context: click.Context) -> str:
    """What to type in place of words without an option before them."""
    command = ["minise", "train"]
    names = {name for parameter in context.command.params for name in parameter.opts}
    for word in context.args:
        if command[-1].startswith("--"):
            command.append(word)
        elif f"--{word}" in names:
            command.append(f"--{word}")
        elif word in models.names():
            command += ["--model", word]
        elif word in runs.RECIPES:
            command += ["--recipe", word]
        elif word in data.NAMES or os.path.exists(word):
            command += ["--resume" if (Path(word) / CONFIG).exists() else "--data", word]
        else:
            known = [*models.names(), *runs.RECIPES, *data.NAMES]
            return nearest("model, recipe or data", word, known, "minise models and minise recipes")
    return f"{' '.join(context.args)!r} needs options before it: {typed(*command)}"


def _given(context: click.Context, asked: dict[str, Any], recipe: str | None) -> dict[str, Any]:
    """The values of the options that were given, and the recipe's for the others."""
    given = {} if recipe is None else runs.recipe(recipe).config._asdict()
    given.pop("seed", None)  # no recipe sets it
    for name, value in asked.items():
        if context.get_parameter_source(name) is not ParameterSource.DEFAULT:
            given[name] = dict(map(read_option, value)) if name == "options" else value
    if "data" in given:
        given["data"] = data.located(given["data"])  # a run may be resumed from another folder
    return given


def read_option(text: str) -> tuple[str, Any]:
    """A name and a value, JSON or else the text itself. Raises `InputError` for other text."""
    name, equals, value = text.partition("=")
    if not (name and equals):
        raise InputError(f"--option {text!r}, expected NAME=VALUE, as in placement=pre")
    return name, json_or_text(value)
