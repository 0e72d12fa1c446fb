"""`minise runs` and `minise plot`."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import click
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from minise import runs
from minise.cli.say import show, table, tell
from minise.errors import InputError
from minise.files import check_writable, write_whole
from minise.runs import find_records, pictures


@click.command("runs", short_help="List and compare runs.")
@click.argument("folder", nargs=-1, type=click.Path(path_type=Path))
@click.option(
    "--csv",
    "csv_path",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="Write all that is known of each run, a row for each; - for standard output.",
)
def runs_command(folder: tuple[Path, ...], csv_path: Path | None) -> None:
    """List the runs in FOLDER, by default `runs`: how they differ, and how far they are.

    Runs that differ only in their seed are summed up: the mean of their test accuracies, its
    standard error, and the deviation of one run. If the same was done without SE, the change that
    SE makes is shown too, averaged over seeds.
    """
    records = [record for each in folder or (Path("runs"),) for record in find_records(each)]
    if csv_path == Path("-"):
        click.echo(runs.as_csv(records), nl=False)
        return
    if csv_path is not None:
        check_writable(csv_path.parent)
        write_whole(csv_path, runs.as_csv(records).encode(errors="backslashreplace"))
    differing = [name for name in runs.differing(records) if name not in ("model", "epochs")]
    configs = _with_short_paths([record.config for record in records])
    listed = table("run", "model", *(["settings"] if differing else []), "epochs", "loss", "test")
    for column in listed.columns[-3:]:
        column.justify, column.no_wrap = "right", True
    for record, config in zip(records, configs, strict=True):
        history, accuracy = record.history, record.test_accuracy
        listed.add_row(
            escape(record.folder.name),
            config.model,
            *([_asked_for(config, differing)] if differing else []),
            f"{len(history)}/{config.epochs}",
            f"{history[-1].loss:.4f}" if history else "",
            "" if accuracy is None else f"{accuracy:.2%}",
        )
    console = Console()
    console.print(listed)
    groups = runs.over_seeds([replace(r, config=c) for r, c in zip(records, configs, strict=True)])
    if groups:
        console.print(_over_seeds(groups, [name for name in differing if name != "seed"]))
    for config, tests in groups:
        for other, others in groups:
            if other == runs.without_se(config) and len(tests.both(others)) > 1:
                show(console, f"{config.model} − {other.model}: {told_difference(tests - others)}")


def _over_seeds(groups: list[tuple[runs.Config, runs.Seeds]], differing: list[str]) -> Table:
    told = table(
        "model",
        *(["settings"] if differing else []),
        "seeds",
        "mean test ± std. error",
        "deviation of a run",
        "each",
    )
    for config, tests in groups:
        told.add_row(
            config.model,
            *([_asked_for(config, differing)] if differing else []),
            str(len(tests.figures)),
            f"{tests.mean:.3%} ± {tests.standard_error:.3%}",
            f"{tests.deviation:.3%}",
            " ".join(f"{accuracy:.2%}" for accuracy in tests.figures.values()),
        )
    return told


def told_difference(difference: runs.Seeds) -> str:
    """As in "+0.040 % ± 0.021 % over 5 seeds"."""
    mean, error = difference.mean, difference.standard_error
    return f"{mean:+.3%} ± {error:.3%} over {len(difference.figures)} seeds"


def _asked_for(config: runs.Config, names: list[str]) -> str:
    """As in "placement=pre seed=1"."""
    found = {name: getattr(config, name) for name in names}
    options = found.pop("options", {})
    given = {n: f"{v:g}" if isinstance(v, float) else v for n, v in found.items() if v is not None}
    return escape(" ".join(f"{name}={value}" for name, value in (options | given).items()))


def _with_short_paths(configs: list[runs.Config]) -> list[runs.Config]:
    """Each `data` as its last parts, as many as tell it from the others."""
    paths = {config.data: Path(config.data).parts for config in configs}
    short = dict.fromkeys(paths, "")
    for data, parts in paths.items():
        others = [other for other in paths.values() if other != parts]
        count = next(
            (n for n in range(1, len(parts)) if all(o[-n:] != parts[-n:] for o in others)),
            len(parts),
        )
        short[data] = str(Path(*parts[-count:]))
    return [config._replace(data=short[config.data]) for config in configs]


@click.command("plot", short_help="Draw the curves of several runs over one another.")
@click.argument("runs", nargs=-1, type=click.Path(path_type=Path))
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    default=Path("runs.png"),
    show_default=True,
    help="Where to write the picture.",
)
def plot_command(runs: tuple[Path, ...], out: Path) -> None:
    """Draw the loss and the error of RUNS over one another.

    Each of RUNS is a folder that `train` left, or holds such folders; the default is `runs`. A run
    that has not finished an epoch is skipped.
    """
    check_writable(out.parent)
    records = [record for run in runs or (Path("runs"),) for record in find_records(run)]
    empty = [str(record.folder) for record in records if not record.history]
    if len(empty) == len(records):
        raise InputError(
            f"{' '.join(empty)}: no epoch is finished yet, so there is nothing to draw"
        )
    if empty:
        tell(f"minise: no epoch is finished yet, skipped: {' '.join(empty)}")
    drawn = {str(record.folder): record.history for record in records if record.history}
    write_whole(out, pictures.overlay(drawn))
    show(Console(), f"  {out}")
