"""Every option of a command, and every argument of what trains and checks, has an effect.

A test that fails where one is ignored bears its name, wherever in tests/ it stands:

    @pytest.mark.effect("minise train --seed", "train.fit(rng)")

`tests/faults/ignored` ignores one after the other, and sees those tests fail.
"""

import ast
import importlib
import inspect
from pathlib import Path

import click

from minise.cli import cli
from minise.models import kinds

TESTS = Path(__file__).parent
FUNCTIONS = (
    "bench.run",
    "bench.run_loaded",
    "data.Batches",
    "data.hold_out",
    "data.learn_from",
    "gradcheck.assert_gradients",
    "gradcheck.check",
    "models.create",
    "runs.Config",
    "train.AdamW",
    "train.SGD",
    "train.cosine",
    "train.evaluate",
    "train.fit",
    "train.one_cycle",
)


def options():
    """As in "minise train --seed", or "minise eval RUN" for what needs no name."""
    for name, command in cli.commands.items():
        for parameter in command.params:
            is_option = isinstance(parameter, click.Option)
            yield f"minise {name} {parameter.opts[0] if is_option else parameter.name.upper()}"


def arguments():
    """As in "train.fit(epochs)", and "models.create(reduction)" for an option of a net."""
    for path in FUNCTIONS:
        module, _, name = path.partition(".")
        function = getattr(importlib.import_module(f"minise.{module}"), name)
        for argument in inspect.signature(function).parameters:
            yield f"{path}({argument})"
    yield from (f"models.create({option})" for option in kinds.KINDS)


def marked():
    """What bears a mark, by name: the files of the tests."""
    found = {}
    for path in TESTS.rglob("test_*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            match node:
                case ast.Call(func=ast.Name("effect") | ast.Attribute(attr="effect"), args=names):
                    for name in names:
                        found.setdefault(ast.literal_eval(name), set()).add(path)
    return found


def test_each_option_and_argument_has_a_test_that_sees_its_effect():
    assert set(marked()) == {*options(), *arguments()}


def test_a_default_is_shown_in_the_help():
    shown = 0
    for name, command in cli.commands.items():
        context = click.Context(command)
        for option in command.params:
            default = option.get_default(context)
            has_one = (
                isinstance(default, int | float | str | Path) and default
            )  # click's is an Enum
            if has_one and isinstance(option, click.Option) and not option.is_flag:
                (_, told) = option.get_help_record(context)
                assert f"[default: {default}" in told, f"minise {name} {option.opts[0]}"
                shown += 1
    assert shown >= 10
