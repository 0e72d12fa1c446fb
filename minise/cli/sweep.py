"""`minise sweep`."""

from __future__ import annotations

from pathlib import Path

import click
from rich.console import Console

from minise import sweep
from minise.cli.say import show
from minise.cores import cores


@click.command("sweep", short_help="Train every combination of options.")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--out", type=click.Path(path_type=Path), default=Path("sweep"), show_default=True)
def sweep_command(file: Path, out: Path) -> None:
    """Train every combination of the options of FILE."""
    from minise.sweep.engines import Processes

    console = Console()
    task = sweep.Sweep(sweep.read_file(file), out)
    show(console, f"{len(task.points)} points")

    def tell() -> None:
        counts = task.states()
        show(console, f"{counts.count(sweep.State.DONE)} done of {len(counts)}")

    counts = task.run(Processes(cores()), tell)
    if counts[sweep.State.FAILED]:
        raise click.exceptions.Exit(1)
