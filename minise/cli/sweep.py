"""`minise sweep`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click
from rich.console import Console

from minise import backend, runs
from minise.cli.compiling import compile_ahead
from minise.cli.described import many_trainings
from minise.cli.say import commands, show, tell, typed
from minise.cli.sweeping import Sweeping, Words, duration
from minise.cli.terminal import OutputError
from minise.errors import InputError
from minise.sweep import Estimate, Point, State, Sweep, points_of, read_file, starts_of
from minise.sweep.cluster import Dask, engine_of
from minise.sweep.engines import Engine
from minise.sweep.estimate import epochs_left, together, warm_up_all
from minise.sweep.point import ENDED

LISTED = 30  # points that a dry run shows in a terminal
FAILED = 10  # failed ones that are told at the end


@click.command("sweep", short_help="Train every combination of options.")
@click.argument("file", type=click.Path(path_type=Path), required=False, metavar="[FILE]")
@many_trainings
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    default=Path("sweep"),
    show_default=True,
    help="The folder of the sweep, with one for each point.",
)
@click.option(
    "--workers",
    type=click.IntRange(min=1),
    metavar="N",
    help="Processes that train at the same time, one thread each.  [default: one per core]",
)
@click.option(
    "--scheduler",
    metavar="ADDRESS",
    help="Train on the workers of this Dask scheduler, as in tcp://10.0.0.5:8786.",
)
@click.option(
    "--slurm",
    multiple=True,
    metavar="NAME=VALUE",
    help="Train in jobs of Slurm, as in --slurm partition=cpu --slurm timeout_min=60.",
)
@click.option(
    "--checkpoint-every",
    "every",
    default="1 minute",
    metavar="TIME",
    show_default=True,
    help="How often a point is saved, as in '100 steps' or '2 epochs'.",
)
@click.option("--retry-failed", is_flag=True, help="Train again the points that failed before.")
@click.option(
    "--dry-run", is_flag=True, help="List the points, and estimate how long they take; train none."
)
def sweep_command(
    file: Path | None,
    out: Path,
    workers: int | None,
    scheduler: str | None,
    slurm: tuple[str, ...],
    every: str,
    retry_failed: bool,
    dry_run: bool,
    recipe: tuple[list[str], ...],
    **axes: Any,
) -> None:
    """Train every combination of options, each in a folder of its own.

    An option may have several values, and 0-4 is short for 0,1,2,3,4: --model se-resnet8,resnet8
    --seed 0-4 makes ten trainings, the points of the sweep. An option may be repeated, as in
    --augment --no-augment. FILE, in TOML, lists points too; options replace its values.

    Whatever stops the sweep, the same command continues it, and does no point twice. Afterwards
    `minise runs sweep` compares the points. Exits with 0 when all are done, 1 when some failed, 2
    when it was refused, and 130 when it was stopped.
    """
    console = Console()
    try:
        often = runs.read_every(every)
        if backend.current().on_gpu:
            raise InputError(
                "a sweep trains on processors, with one thread for each point; on a GPU train one "
                "point after another with minise train"
            )
        configs = _configs(file, _flat(recipe), axes)
        sweep = Sweep(configs, out)
        engine = engine_of(workers, scheduler, slurm)
        if dry_run:
            sweep.check_folder()
        else:
            sweep.make_folder()
    except InputError as error:
        tell(f"minise: {error}")
        raise click.exceptions.Exit(2) from None
    if repeated := len(configs) - len(sweep.points):
        are = "is" if repeated == 1 else "are"
        show(console, f"{repeated:,} of {len(configs):,} points {are} repeated: each is done once")
    words = Words(sweep.points)
    if dry_run:
        _tell_plan(console, sweep, words, engine.workers, retry_failed)
        return
    if retry_failed:
        sweep.retry_failed()
    if isinstance(engine, Dask) and engine.advice:
        tell(f"minise: {engine.advice}")
    if left := [p for p in sweep.points if p.state(out) not in ENDED]:
        _run(console, sweep, left, words, engine, often)
    _tell_end(console, sweep, words)


def _configs(
    file: Path | None, recipes: list[str], axes: dict[str, tuple[Any, ...]]
) -> list[runs.Config]:
    """Every combination of what was typed, from what a file or recipes say of the rest."""
    if file is not None and recipes:
        raise InputError(f"--recipe: {file} says what its points start from; write it there")
    given: dict[str, list[Any]] = {}
    for name, values in axes.pop("options"):
        given.setdefault(f"option.{name}", []).extend(values)
    for name, values in axes.items():
        if values:
            given[name] = _flat(values)
    seeds = given.pop("seed", None)  # the last runs fastest
    if seeds is not None:
        given["seed"] = seeds
    starts = starts_of(recipes) if file is None else read_file(file)
    return points_of(given, starts)


def _flat(values: tuple[Any, ...]) -> list[Any]:
    """All of several lists; a switch has values that are none."""
    return [each for some in values for each in (some if isinstance(some, list) else [some])]


def _tell_plan(
    console: Console, sweep: Sweep, words: Words, workers: int, retry_failed: bool
) -> None:
    """List the points with their states, how long what is left takes, and what to type next."""
    states, ended = sweep.states(), (State.DONE,) if retry_failed else ENDED
    left = [p for p, state in zip(sweep.points, states, strict=True) if state not in ended]
    estimate = Estimate(left, sweep.nets, lambda work: compile_ahead(console, work))
    lines, seconds = [], []
    for point, state in zip(sweep.points, states, strict=True):
        time = ""
        if state not in ended:
            begun = State.STOPPED if state is State.FAILED else state
            seconds.append(estimate.seconds(point, epochs_left(point, begun, sweep.folder)))
            sign = " " if estimate.pace(point.config).measured else "~"
            time = f"{sign}{duration(seconds[-1])}"
        lines.append(f"{state.value:<8} {time:>9}  {words.of(point)}")
    if console.is_terminal and len(lines) > LISTED:
        more = f"… and {len(lines) - LISTED:,} more; a pipe gets all, as in minise sweep … | less"
        lines = [*lines[:LISTED], more]
    show(console, "\n".join(lines))
    show(console, f"\n{_counts(sweep, states)}")
    if left:
        of = f"{workers} worker{'s' * (workers > 1)}"
        about = _about(together(seconds, workers)).capitalize()
        show(console, f"{about} with {of} of one thread each.")
        if estimate.measured < estimate.kinds:
            were = "was" if estimate.measured == 1 else "were"
            show(
                console,
                f"{estimate.measured} of {estimate.kinds:,} nets {were} timed; the times with ~ "
                "are estimated from multiply-adds.",
            )
    _tell_next(console, sweep, states, bool(left))


def _about(seconds: float) -> str:
    """How long a sweep takes; less than it takes to start the workers is not told apart."""
    return "a few seconds" if seconds < 10 else f"about {duration(seconds)}"


def _counts(sweep: Sweep, states: list[State]) -> str:
    """As in "60 points in sweep: 12 done, 1 failed, 47 waiting"."""
    told = [
        f"{count:,} {state.value}"
        for state in State
        if (count := states.count(state)) or state is State.DONE
    ]
    points = f"{len(states):,} point{'s' * (len(states) != 1)}"
    return f"{points} in {sweep.folder}: {', '.join(told)}"


def _run(
    console: Console,
    sweep: Sweep,
    left: list[Point],
    words: Words,
    engine: Engine,
    every: runs.Every,
) -> None:
    """Train what is left, shown on the way. Exits where it is stopped."""
    compile_ahead(console, lambda: warm_up_all([point.config for point in left]))
    estimate = Estimate(left, sweep.nets)
    sweeping = Sweeping(console, sweep, words, estimate, engine.workers)
    show(console, f"{_counts(sweep, sweep.states())}; {_about(sweeping.to_go())}")
    try:
        with sweeping:
            sweep.run(engine, sweeping.update, every)
    except (OutputError, KeyboardInterrupt):  # nobody reads what it prints; a second Ctrl-C
        _tell_stopped(sweep)
        raise
    if sweep.asked_to_stop:
        _tell_stopped(sweep)
        raise click.exceptions.Exit(130)


def _tell_stopped(sweep: Sweep) -> None:
    tell(f"\nminise: stopped; {_counts(sweep, sweep.states())}. The same command continues:")
    # not by `tell`: a command is never broken
    click.echo(f"  {typed('minise', *_words_typed())}", file=sys.stderr)


def _tell_end(console: Console, sweep: Sweep, words: Words) -> None:
    """Say what is done, what failed and why, and what to type next. Exits with 1 if any did."""
    states = sweep.states()
    show(console, f"\n{_counts(sweep, states)}")
    failed = [p for p, s in zip(sweep.points, states, strict=True) if s is State.FAILED]
    for point in failed[:FAILED]:
        show(console, f"  {words.of(point)}: {point.failure(sweep.folder)}")
    if len(failed) > FAILED:
        show(console, f"  and {len(failed) - FAILED:,} more")
    _tell_next(console, sweep, states, left=False)
    if failed:
        raise click.exceptions.Exit(1)


def _tell_next(console: Console, sweep: Sweep, states: list[State], left: bool) -> None:
    """Say what to type: where points are left, what trains them."""
    words = [word for word in _words_typed() if word != "--dry-run"]
    if left:
        following = {typed("minise", *words): "train them"}
    else:
        following = {typed("minise", "runs", sweep.folder): "compare them"}
        if State.FAILED in states:
            again = [word for word in words if word != "--retry-failed"]
            following[typed("minise", *again, "--retry-failed")] = "try the failed ones again"
    show(console, "\nNext:")
    commands(console, following)


def _words_typed() -> list[str]:
    """After `minise`."""
    return list(click.get_current_context().meta.get("minise.typed", ["sweep"]))
