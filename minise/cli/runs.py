"""`minise runs` and `minise plot`."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import click
from rich.console import Console

from minise import runs
from minise.cli import comparing
from minise.cli.options import check_paths
from minise.cli.say import show, tell
from minise.errors import InputError
from minise.files import check_writable, write_whole
from minise.runs import find_records, pictures
from minise.runs.comparisons import Groups
from minise.runs.records import alike, key

FEW = 40  # runs that are listed one by one without being asked to
LEAST = 40  # columns; a narrower table would cut numbers off, where a terminal breaks its lines
SHOWN = 8  # of what went wrong
STATES = "done", "running", "stopped", "failed"


@click.command("runs", short_help="List and compare runs.")
@click.argument("folder", nargs=-1, type=click.Path(path_type=Path))
@click.option(
    "--baseline",
    metavar="WORDS",
    help="What to compare with: a net, or settings, as in 'resnet8' or 'reduction=4 gate=tanh'.",
)
@click.option("--all", "each", is_flag=True, help=f"List each run, also of more than {FEW}.")
@click.option(
    "--plot",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="Draw the differences to the baseline, or the groups, as a PNG file.",
)
@click.option(
    "--csv",
    "csv_path",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="Write all that is known of each run, a row for each; - for standard output.",
)
@click.option(
    "--json",
    "json_path",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="Write the runs, the groups and how they compare; - for standard output.",
)
def runs_command(
    folder: tuple[Path, ...],
    baseline: str | None,
    each: bool,
    plot: Path | None,
    csv_path: Path | None,
    json_path: Path | None,
) -> None:
    """List the runs in FOLDER, by default `runs`: how they differ, and how far they are.

    Each FOLDER is of `minise train` or `minise sweep`. Runs that differ only in their seed are
    summed up: the mean of their test accuracies, its standard error, and the deviation of one run.

    Each such group is compared with the one that is the same but for WORDS; without them, with the
    same net without SE. The difference is averaged over the seeds that both have, with an interval
    from Student's t, corrected for the number of comparisons in its table.
    """
    if csv_path is not None and csv_path == json_path:
        raise InputError(f"--csv {csv_path} --json {json_path}: expected two names")
    check_paths(csv_path, json_path, plot=plot)
    # a folder that is named twice is read once
    paths = {path.resolve(): path for path in folder or (Path("runs"),)}.values()
    found = [record for path in paths for record in find_records(path)]
    records = alike(found)
    groups = runs.over_seeds(records)
    comparisons = runs.compare(groups, baseline)
    if plot is not None:
        if not groups:
            raise InputError(f"--plot {plot}: no run is finished, so there is nothing to draw")
        write_whole(plot, comparing.picture(groups, comparisons if baseline else []))
    if warning := _mixture(records, comparisons):
        tell(warning)
    texts = {}
    if csv_path is not None:
        texts[csv_path] = runs.as_csv(records)
    if json_path is not None:
        whole = runs.as_json(records, groups, comparisons)
        texts[json_path] = json.dumps(whole, indent=1) + "\n"
    for path, text in texts.items():
        if path != Path("-"):
            write_whole(path, text.encode(errors="backslashreplace"))
    if Path("-") in texts:
        click.echo(texts[Path("-")], nl=False)
        return
    console = Console()
    console.width = max(console.width, LEAST)
    few = each or len(records) <= FEW
    if few:
        console.print(comparing.listed(console, records))
    if groups and not (few and all(len(tests.figures) < 2 for _, tests in groups)):
        console.print(comparing.grouped(console, groups, each=len(records) <= FEW))
    comparing.show_compared(console, comparisons)
    for line in _notes(records, groups, few):
        show(console, line)
    if baseline:
        for line in _uncompared(groups, comparisons):
            show(console, line)
    for written in (plot, csv_path, json_path):
        if written is not None:
            show(console, f"  {written}")


def _notes(records: Sequence[runs.Record], groups: Groups, listed: bool) -> list[str]:
    """What the tables do not tell."""
    states = Counter(record.state for record in records)
    counts = ", ".join(f"{states[state]} {state}" for state in STATES if states[state])
    notes = []
    if set(states) != {"done"} or not listed:
        total = f"{len(records)} run{'s' * (len(records) != 1)}"
        notes.append(f"{total}: {counts}{'' if listed else '; --all lists each'}")
    failed = [record for record in records if record.state == "failed"]
    notes += [f"failed: {record.folder}: {record.error}" for record in failed[:SHOWN]]
    if len(failed) > SHOWN:
        notes.append(f"… and {len(failed) - SHOWN} others")
    if changed := [r for r in records if r.result.get("resumed_with_differences")]:
        notes.append(
            f"resumed with other versions, on another machine or the like: {len(changed)} runs, "
            f"the first {changed[0].folder}: {changed[0].result['resumed_with_differences']}"
        )
    tested = [r for r in records if r.state == "done" and r.test_accuracy is not None]
    if again := len(tested) - sum(len(tests.figures) for _, tests in groups):
        means = {key(config): tests.figures for config, tests in groups}
        other = sum(
            means[key(r.config._replace(seed=0))][r.config.seed] != r.test_accuracy for r in tested
        )
        notes.append(
            f"left out of the means, as they repeat the seed of another: {again} "
            f"run{'s' * (again > 1)}"
            + (f", {other} of them with another accuracy" if other else "")
        )
    return notes


def _uncompared(groups: Groups, comparisons: Sequence[runs.Comparison]) -> list[str]:
    used = [config for c in comparisons for config in (c.config, c.baseline)]
    left = [config for config, _ in groups if config not in used]
    if not left:
        return []
    names = comparing.names([config for config, _ in groups], left)
    rest = f", … ({len(left)})" if len(left) > SHOWN else ""
    return [f"without a baseline: {', '.join(names[:SHOWN])}{rest}"]


def _mixture(records: Sequence[runs.Record], comparisons: Sequence[runs.Comparison]) -> str | None:
    """A warning where figures were compared that other code, or other images, gave."""
    grouped: dict[str, list[runs.Record]] = {}
    for record in records:
        if record.state == "done":
            grouped.setdefault(key(record.config._replace(seed=0)), []).append(record)
    together = [
        *grouped.values(),
        *(grouped[key(c.config)] + grouped[key(c.baseline)] for c in comparisons),
    ]
    differing = dict.fromkeys(fact for some in together for fact in runs.mixed(some))
    if any(c.config.hold_out != c.baseline.hold_out for c in comparisons):
        differing["test images"] = None
    if not differing:
        return None
    facts = ", ".join(differing)
    return f"minise: runs that are put together or compared were made with different {facts}"


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
