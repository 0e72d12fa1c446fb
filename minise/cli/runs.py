"""`minise runs` and `minise plot`."""

from __future__ import annotations

from pathlib import Path

import click
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from minise import train
from minise.errors import InputError
from minise.files import check_writable, write_whole
from minise.train import pictures


@click.command("runs", short_help="List and compare runs.")
@click.argument("folder", type=click.Path(path_type=Path), default=Path("runs"))
def runs_command(folder: Path) -> None:
    """List the runs in FOLDER, by default `runs`: in what they differ, and how far they came.

    Runs that differ in their seed alone are put together: the mean of their tests, its standard
    error, and the deviation of one run. Where the same was done without SE, what SE changes is
    told, seed by seed.
    """
    records = train.find_records(folder)
    differing = train.differing(records)
    shown = ["model", *(name for name in differing if name != "model")]
    table = Table("run", *(name.replace("_", " ") for name in shown), "epochs", "loss", "test")
    for column in table.columns[-3:]:
        column.justify = "right"
    for record in records:
        history, config = record.history, record.config
        loss = f"{history[-1].loss:.4f}" if history else ""
        accuracy = record.test_accuracy
        table.add_row(
            escape(record.folder.name),
            *(_told(getattr(config, name)) for name in shown),
            f"{len(history)}/{config.epochs}",
            loss,
            "" if accuracy is None else f"{accuracy:.2%}",
        )
    console = Console()
    console.print(table)
    groups = train.over_seeds(records)
    if groups:
        console.print(_over_seeds(groups, [name for name in shown if name != "seed"]))
    for config, tests in groups:
        for other, others in groups:
            if other == train.without_se(config) and len(tests.both(others)) > 1:
                console.print(
                    f"{config.model} − {other.model}: {told_difference(tests - others)}",
                    highlight=False,
                )


def _over_seeds(groups: list[tuple[train.Config, train.Seeds]], shown: list[str]) -> Table:
    names = [name.replace("_", " ") for name in shown]
    table = Table(*names, "seeds", "mean test ± its error", "deviation of a run", "each")
    for config, tests in groups:
        table.add_row(
            *(_told(getattr(config, name)) for name in shown),
            str(len(tests.figures)),
            f"{tests.mean:.3%} ± {tests.standard_error:.3%}",
            f"{tests.deviation:.3%}",
            " ".join(f"{accuracy:.2%}" for accuracy in tests.figures.values()),
        )
    return table


def told_difference(difference: train.Seeds) -> str:
    """As in "+0.040 % ± 0.021 % over 5 seeds"."""
    mean, error = difference.mean, difference.standard_error
    return f"{mean:+.3%} ± {error:.3%} over {len(difference.figures)} seeds"


def _told(value: object) -> str:
    if isinstance(value, dict):
        return " ".join(f"{name}={part}" for name, part in value.items())
    return "" if value is None else escape(str(value))


@click.command("plot", short_help="Draw the curves of several runs over one another.")
@click.argument("runs", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    default=Path("runs.png"),
    show_default=True,
    help="The picture.",
)
def plot_command(runs: tuple[Path, ...], out: Path) -> None:
    """Draw the loss and the error of RUNS, folders that `train` left, over one another."""
    check_writable(out.parent)
    records = [train.read_record(run) for run in runs]
    if empty := [str(record.folder) for record in records if not record.history]:
        raise InputError(f"{empty[0]}: has done no epoch yet")
    write_whole(out, pictures.overlay({str(record.folder): record.history for record in records}))
    click.echo(f"  {out}")
