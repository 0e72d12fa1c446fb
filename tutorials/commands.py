"""The help of each command of minise, for the site."""

from __future__ import annotations

import inspect
import re
from typing import Any, NamedTuple

import click

from minise.cli import cli


class Help(NamedTuple):
    """What `--help` prints, in parts that need no terminal's width."""

    usage: str
    paragraphs: list[str]  # one that begins with \\b keeps its lines, as in click
    options: list[tuple[str, str]]  # "--model NAME", and what it is for


def help_of(name: str) -> Help:
    """That of a command. Raises `KeyError` where there is no such command."""
    command = cli.commands[name]
    whole = cli.make_context("minise", [], resilient_parsing=True)
    context = command.context_class(command, parent=whole, info_name=name)
    usage = " ".join(command.collect_usage_pieces(context))
    paragraphs = inspect.cleandoc(command.help or "").split("\n\n")
    options = [p for p in command.get_params(context) if isinstance(p, click.Option)]
    records = [option.get_help_record(context) for option in options]
    return Help(
        f"{context.command_path} {usage}",
        [p if p.startswith("\b") else " ".join(p.split()) for p in paragraphs],
        [(option, " ".join(told.split())) for option, told in filter(None, records)],
    )


def setup(app: Any) -> dict[str, bool]:
    """As an extension of Sphinx, with a directive `command-help`."""
    from docutils import nodes
    from sphinx.util.docutils import SphinxDirective

    def prose(text: str) -> nodes.Node:
        if text.startswith("\b"):
            return nodes.literal_block(text=text.removeprefix("\b\n"))
        parts = re.split(r"`([^`]+)`", text)
        kinds = (nodes.Text, lambda code: nodes.literal(text=code))
        return nodes.paragraph("", "", *(kinds[k % 2](part) for k, part in enumerate(parts)))

    class CommandHelp(SphinxDirective):
        required_arguments = 1

        def run(self) -> list[nodes.Node]:
            usage, paragraphs, options = help_of(self.arguments[0])
            listed = nodes.definition_list()
            for option, told in options:
                term = nodes.term("", "", nodes.literal(text=option))
                listed += nodes.definition_list_item("", term, nodes.definition("", prose(told)))
            return [nodes.literal_block(text=usage), *map(prose, paragraphs), listed]

    app.add_directive("command-help", CommandHelp)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
