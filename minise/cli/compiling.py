"""What a first run shows while kernels are compiled."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from contextlib import nullcontext, suppress
from typing import Any

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from minise import backend
from minise.cli.terminal import OutputError


def warm_up(console: Console, work: Callable[[], object]) -> None:
    """Do `work`, for which kernels are compiled ahead."""
    compile_ahead(console, work)
    with console.status("warming up …") if console.is_terminal else nullcontext():
        work()


def compile_ahead(console: Console, work: Callable[[], object]) -> None:
    """Compile the kernels that `work` needs: with a bar in a terminal, else one line."""
    if missing := backend.current().missing_kernels(work):
        try:
            _compile(console, missing)
        except KeyboardInterrupt:
            click.echo("minise: stopped", err=True)
            sys.stdout.flush()
            # without the interpreter's end, which a thread within LLVM may not survive
            os._exit(130)


def _compile(console: Console, missing: list[Any]) -> None:
    kernels = f"{len(missing)} kernel{'s' * (len(missing) > 1)}, once for this machine"
    if not console.is_terminal:
        with suppress(OutputError):  # the work is what was asked for
            console.print(f"compiling {kernels} …", highlight=False)
        backend.current().compile_kernels(missing, lambda: None)
        return
    began = time.perf_counter()
    with Progress(
        TextColumn("compiling"),
        BarColumn(bar_width=24),
        MofNCompleteColumn(),
        TextColumn("kernels"),
        TimeElapsedColumn(),
        console=console,
        transient=True,
    ) as bar:
        task = bar.add_task("", total=len(missing))
        backend.current().compile_kernels(missing, lambda: bar.advance(task))
    seconds = time.perf_counter() - began
    console.print(f"compiled {kernels}, in {seconds:.1f} s", highlight=False)
