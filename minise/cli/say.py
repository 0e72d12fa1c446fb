"""What the command says: lines that a terminal need not break within a word."""

from __future__ import annotations

import shutil
import sys
import textwrap
from collections.abc import Mapping

import click
from rich.console import Console
from rich.table import Table

from minise.cli.terminal import quoted


def typed(*words: object) -> str:
    """A command as it can be typed."""
    return " ".join(quoted(str(word)) for word in words)


def table(*titles: str) -> Table:
    """One that breaks a word where it is too narrow, and never cuts it: ends may differ."""
    made = Table(*titles)
    for column in made.columns:
        column.overflow = "fold"
    return made


def show(console: Console, text: str, *, style: str | None = None, markup: bool = False) -> None:
    """Print it, broken between words in a terminal; elsewhere lines are left as they are."""
    longest = max(map(len, text.split()), default=0)
    whole = not console.is_terminal or longest > console.width  # no newline within a path
    console.print(text, style=style, markup=markup, highlight=False, soft_wrap=whole)


def commands(console: Console, about: Mapping[str, str]) -> None:
    """Commands that can be typed, and what each is for. None is ever wrapped."""
    longest = max(map(len, about))
    for command, what in about.items():
        line = f"  {command:<{longest}}  {what}"
        console.print(
            line if len(line) <= console.width else f"  {command}",
            highlight=False,
            soft_wrap=True,
            markup=False,
        )


def tell(text: str) -> None:
    """The same on standard error, beside what the command was asked for."""
    if sys.stderr.isatty():
        text = "\n".join(map(_wrapped, text.split("\n")))
    click.echo(text, file=sys.stderr)  # which a bar that is shown has taken over


def _wrapped(line: str) -> str:
    indent = " " * (len(line) - len(line.lstrip()))
    return textwrap.fill(
        line,
        max(20, shutil.get_terminal_size().columns),
        subsequent_indent=f"{indent}  ",
        break_long_words=False,
        break_on_hyphens=False,
    )
