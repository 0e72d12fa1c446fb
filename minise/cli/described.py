"""The options that describe a training, each once: `train` takes a value, `sweep` several.

They bear the names of the fields of `runs.Config`, and `recipe`.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from typing import Any, TypeAlias

import click

from minise import runs, sweep
from minise.errors import InputError

Command: TypeAlias = Callable[..., None]

DEFAULT = runs.Config()
AT_LEAST_0, AT_LEAST_1 = click.IntRange(min=0), click.IntRange(min=1)

# The names of each option, and what click is told about it.
OPTIONS: list[tuple[tuple[str, ...], dict[str, Any]]] = [
    (
        ("--recipe",),
        {
            "metavar": "NAME",
            "help": "Start from a recipe that `recipes` lists; other options override it.",
        },
    ),
    (("--model",), {"metavar": "NAME", "help": "A net that `models` lists."}),
    (
        ("--option", "options"),
        {
            "metavar": "NAME=VALUE",
            "multiple": True,
            "help": "For the net, as in placement=pre or reduction=8; may be repeated.",
        },
    ),
    (
        ("--data",),
        {
            "metavar": "NAME or PATH",
            "help": "sample: 12,000 digits that come with minise; downloaded once: mnist, all "
            "70,000, fashion-mnist, kmnist, qmnist, emnist-digits, emnist-letters; or a folder of "
            "IDX files, a folder of pictures for each class, or an .npz with x_train, y_train, "
            "x_test, y_test.",
        },
    ),
    (
        ("--hold-out",),
        {
            "type": AT_LEAST_0,
            "metavar": "N",
            "show_default": False,
            "help": "Test on N held-out training images, and leave the test images alone.",
        },
    ),
    (
        ("--train-images",),
        {
            "type": AT_LEAST_0,
            "metavar": "N",
            "show_default": False,
            "help": "Learn from N of the training images, drawn with the seed.",
        },
    ),
    (("--epochs",), {"type": AT_LEAST_1}),
    (("--batch-size",), {"type": AT_LEAST_1}),
    (
        ("--lr",),
        {
            "type": float,
            "help": "Highest learning rate.  [default: 0.1 for sgd, 0.01 for adamw]",
        },
    ),
    (
        ("--weight-decay",),
        {
            "type": float,
            "help": "Pull of the weights towards 0.  [default: 0.0005 for sgd, 0.01 for adamw]",
        },
    ),
    (("--optimizer",), {"type": click.Choice(list(runs.LR))}),
    (
        ("--schedule",),
        {
            "type": click.Choice(list(runs.SCHEDULES)),
            "help": "How the learning rate rises and falls.",
        },
    ),
    (("--label-smoothing",), {"type": click.FloatRange(0, 1)}),
    (("--augment/--no-augment",), {"help": "Shift and rotate the training images a little."}),
    (
        ("--test-at-end/--test-each-epoch",),
        {
            "show_default": False,
            "help": "Test once, after the last epoch, or after every epoch.",
        },
    ),
    (("--seed",), {"type": AT_LEAST_0}),
]


def one_training(command: Command) -> Command:
    """Give the command the options of one training."""
    for names, about in reversed(OPTIONS):
        default = getattr(DEFAULT, _field(names), None)
        if default not in (None, {}):
            about = {"default": default, "show_default": True} | about
        command = click.option(*names, **about)(command)
    return command


def many_trainings(command: Command) -> Command:
    """Give the command the same options, each with a list of values; none means none was given."""
    for names, about in reversed(OPTIONS):
        about, default = dict(about), getattr(DEFAULT, _field(names), None)
        if about.pop("show_default", default not in (None, {})):
            about["help"] = f"{about.get('help', '')}  [default: {_shown(names, default)}]".strip()
        if "/" not in names[0]:  # a switch has two values, and both may be given
            kind = Settings() if names[0] == "--option" else Values(about.pop("type", click.STRING))
            about["metavar"] = f"{about.pop('metavar', None) or kind.metavar},…"
            about["type"] = kind
        command = click.option(*names, **about | {"multiple": True})(command)
    return command


def _field(names: tuple[str, ...]) -> str:
    return names[-1].partition("/")[0].removeprefix("--").replace("-", "_")


def _shown(names: tuple[str, ...], default: Any) -> str:
    """As in "sgd", or "augment" for a switch that is on."""
    return names[0].partition("/")[0].removeprefix("--") if default is True else str(default)


class Values(click.ParamType):  # type: ignore[type-arg]  # click 8.1 has none
    """A list with commas, each value as `train` takes it."""

    def __init__(self, of: Any) -> None:
        self.of = click.types.convert_type(of)
        self.name = self.of.name

    @property
    def metavar(self) -> str:
        """What the help shows for one value."""
        if isinstance(self.of, click.Choice):
            return f"[{'|'.join(self.of.choices)}]"
        return {"integer range": "N", "float": "X", "float range": "X"}[self.name]

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> list[Any]:
        """The values of the list."""
        if not isinstance(value, str):
            return list(value)
        if param is not None and param.name == "data" and os.path.exists(value):
            return [value]  # a path with a comma in it
        try:
            texts = sweep.read_axis(value, ranges="integer" in self.name)
        except InputError as error:
            self.fail(str(error), param, ctx)
        return [self.of.convert(_unquoted(text), param, ctx) for text in texts]


class Settings(click.ParamType):  # type: ignore[type-arg]  # click 8.1 has none
    """An option of the net: its name, and a list with commas of JSON or words."""

    name, metavar = "setting", "NAME=VALUE"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, list[Any]]:
        """The name, and the values of the list."""
        if not isinstance(value, str):
            name, values = value
            return name, values
        name, equals, text = value.partition("=")
        if not (name and equals):
            self.fail(f"{value!r}, expected {self.metavar}, as in reduction=4,8", param, ctx)
        try:
            return name, [json_or_text(each) for each in sweep.read_axis(text)]
        except InputError as error:
            self.fail(f"{name}: {error}", param, ctx)


def json_or_text(text: str) -> Any:
    """The value that the text is in JSON, or else the text itself."""
    try:
        return json.loads(text)
    except ValueError:
        return text


def _unquoted(text: str) -> str:
    quoted = len(text) > 1 and text[0] == text[-1] == '"'
    return str(json_or_text(text)) if quoted else text
