"""`minise bench`."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

import click
from rich.console import Console
from rich.live import Live

from minise import backend
from minise.cli.options import check_paths, computing
from minise.cli.say import show
from minise.errors import InputError
from minise.files import write_whole
from minise.nearest import nearest

if TYPE_CHECKING:
    from minise import bench

WIDTH = 200  # more than any table needs: rather lines that a terminal breaks than figures cut off


@click.command("bench", short_help="Measure minise on this machine, beside PyTorch.")
@click.argument("names", nargs=-1, metavar="[CASES]...")
@click.option(
    "--seconds",
    type=click.FloatRange(min=0, min_open=True),
    default=1.0,
    show_default=True,
    help="Measure each case for at least this long.",
)
@click.option("--compile", "compiled", is_flag=True, help="Try torch.compile as well.")
@click.option("--scaling", is_flag=True, help="Add a training step at batch sizes 16 to 512.")
@click.option(
    "--json",
    "json_path",
    metavar="PATH",
    type=click.Path(path_type=Path, dir_okay=False, allow_dash=True),
    help="Write all figures to this file; - prints them in place of the table.",
)
@click.option(
    "--plot",
    metavar="PATH",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Draw them in this .png.",
)
@click.option(
    "--loaded",
    is_flag=True,
    help="Measure only a step of se-cnn, beside programs that keep all processors busy.",
)
@click.option("--list", "only_list", is_flag=True, help="List the cases and measure nothing.")
@computing
def bench_command(
    names: tuple[str, ...],
    seconds: float,
    compiled: bool,
    scaling: bool,
    json_path: Path | None,
    plot: Path | None,
    loaded: bool,
    only_list: bool,
) -> None:
    """Measure operations, blocks and training steps, or only those whose names begin with CASES.

    If PyTorch is installed, the two are measured in turns, with the same number of threads or on
    the same GPU, and only after their results were found equal. Exits with 1 if they differ.
    """
    from minise import bench  # not before it is needed: --help is to be quick
    from minise.bench import picture

    threads = click.get_current_context().params["threads"] or bench.cores()
    if loaded:
        if names or compiled or scaling or plot is not None or backend.current().on_gpu:
            raise InputError("--loaded can be combined only with --seconds, --threads and --json")
        _loaded(threads, seconds, json_path)
        return
    cases = _chosen(names, scaling)
    if only_list:
        width = max(len(case.name) for case in cases)
        for case in cases:
            show(Console(), f"{case.name:<{width}}  {case.about}")
        return
    to_stdout = json_path == Path("-")
    check_paths(json_path, plot=plot)

    console = Console()
    on_terminal = console.is_terminal and not to_stdout
    # a line that stands still: a spinner's thread would take time from what is measured
    with (
        Live(console=console, auto_refresh=False, transient=True)
        if on_terminal
        else nullcontext() as line
    ):
        report = bench.run(
            cases,
            threads=threads,
            seconds=seconds,
            compiled=compiled,
            on_case=_progress(line, len(cases)) if line else lambda name: None,
        )
    text = json.dumps(bench.as_json(report), indent=2) + "\n"
    if to_stdout:
        click.echo(text, nl=False)
    else:
        _print(console, report)
    if json_path is not None and not to_stdout:
        write_whole(json_path, text.encode())
    if plot is not None:
        write_whole(plot, picture.draw_report(report))
    if wrong := [result.case.name for result in report.results if result.wrong]:
        raise InputError(f"wrong results, therefore not timed: {', '.join(wrong)}")


def _loaded(threads: int, seconds: float, json_path: Path | None) -> None:
    from minise import bench
    from minise.bench import report as texts

    to_stdout = json_path == Path("-")
    check_paths(json_path)

    def tell(about: str) -> None:
        click.echo(f"measuring, neighbours: {about} …", err=True)

    rows = bench.run_loaded(threads=threads, seconds=seconds, on_row=tell)
    text = json.dumps(texts.loaded_as_json(rows, threads), indent=2) + "\n"
    if to_stdout:
        click.echo(text, nl=False)
        return
    Console(width=WIDTH).print(texts.table_of_loaded(rows, threads))
    if json_path is not None:
        write_whole(json_path, text.encode())


def _chosen(names: tuple[str, ...], scaling: bool) -> list[bench.AnyCase]:
    from minise import bench

    usual = {**bench.CASES, **(bench.ON_GPU if backend.current().on_gpu else {})}
    known = {**usual, **bench.BATCHES, **bench.SCALING}
    for name in names:
        if not any(case.startswith(name) for case in known):
            raise InputError(nearest("case", name, list(known), "minise bench --list"))
    return [
        case
        for case in known.values()
        if (case.name.startswith(names) if names else case.name in usual)
        or (scaling and case.name in bench.SCALING)
    ]


def _progress(line: Live, count: int) -> Callable[[str], None]:
    began = 0

    def on_case(name: str) -> None:
        nonlocal began
        where = f" ({began} of {count})" if began else ""  # the ceilings come first
        line.update(f"measuring {name}{where} …", refresh=True)
        began += 1

    return on_case


def _print(console: Console, report: bench.Report) -> None:
    from minise.bench import report as texts

    def show_all(lines: list[str], style: str | None = None) -> None:
        for line in lines:
            show(console, line, style=style)

    show_all(texts.heading(report))
    wide = Console(width=max(console.width, WIDTH))
    for table in texts.tables(report, narrow=console.width < 100):
        console.print()
        wide.print(table)
    console.print()
    show_all(texts.wrong(report), "bold red")
    show_all(texts.notes(report), "yellow")
    show_all(texts.legend(report), "dim")
