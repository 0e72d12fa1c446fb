"""Options that several commands have."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, TypeAlias

import click

from minise import backend

Command: TypeAlias = Callable[..., None]


def computing(command: Command) -> Command:
    """The options of every command that computes."""

    @click.option(
        "--backend",
        "backend_name",
        metavar="NAME",
        help=f"One of {', '.join(backend.NAMES)}.  [default: numba]",
    )
    @click.option("--threads", type=click.IntRange(min=1), help="How many.  [default: all cores]")
    @functools.wraps(command)
    def with_options(backend_name: str | None, threads: int | None, **options: Any) -> None:
        block: Any = backend  # a module that can be called, which a type checker does not expect
        with block(backend_name or backend.current()):
            if threads is not None:
                backend.set_num_threads(threads)
            command(**options)

    return with_options
