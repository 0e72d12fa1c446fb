"""`minise train`."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.markup import escape

from minise import backend, runs, train
from minise.cli.compiling import warm_up
from minise.cli.described import one_training
from minise.cli.options import computing
from minise.cli.result import profile_table, tell_result
from minise.cli.say import show, tell, typed
from minise.cli.settings import Settings, settings_of
from minise.cli.terminal import OutputError
from minise.runs.folder import Signs, claimed
from minise.train.progress import EpochProgress


@click.command("train", short_help="Train a net.", context_settings={"allow_extra_args": True})
@one_training
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    help="A new folder for the files of the run.  [default: runs/MODEL-1, -2, …]",
)
@click.option(
    "--checkpoint-every",
    "every",
    metavar="TIME",
    help="How often the run is saved, as in '100 steps' or '5 minutes'.  [default: 1 epoch]",
)
@click.option(
    "--resume",
    type=click.Path(path_type=Path),
    metavar="RUN",
    help="Resume a run that was stopped: same result, bit for bit.",
)
@click.option("--allow-change", is_flag=True, help="Let a resumed run continue with other options.")
@click.option(
    "--tensorboard", is_flag=True, help="Write event files for TensorBoard into the run's folder."
)
@click.option(
    "--profile",
    "profiled",
    is_flag=True,
    help="Show where the time of a step goes, layer by layer.",
)
@computing
def train_command(
    recipe: str | None,
    out: Path | None,
    every: str | None,
    resume: Path | None,
    allow_change: bool,
    tensorboard: bool,
    profiled: bool,
    **asked: Any,
) -> None:
    """Train a net, and leave its weights, metrics and pictures in a folder.

    Ctrl-C stops after the current step, and says how to resume the run. One that was killed
    resumes from its last checkpoint: --resume.
    """
    began, context, console = time.perf_counter(), click.get_current_context(), Console()
    settings = settings_of(
        context,
        asked,
        recipe=recipe,
        every=every,
        out=out,
        resume=resume,
        allow_change=allow_change,
    )
    if tensorboard:
        runs.check_tensorboard()  # before there is a folder
    resumed, model = settings.stopped is not None, settings.config.model
    with claimed(settings.folder, model, resumed=resumed) as claim:
        training = prepare(settings, console)
        run = runs.Run(
            claim.folder, training, settings.config, every=settings.every, resumed=resumed
        )
        profile = train.Profile() if profiled else None
        signs = Signs(claim.lock, training)
        train_watched(run, console, profile=profile, tensorboard=tensorboard, first=[signs])
        tell_result(run, console, time.perf_counter() - began)
    if profile is not None and profile.steps:
        console.print(profile_table(profile))


def prepare(settings: Settings, console: Console) -> train.Training:
    """The training, announced in two lines, put where it was, and with its kernels compiled."""
    config, stopped = settings.config, settings.stopped
    dataset = runs.dataset_of(config)
    training = runs.training_of(config, dataset)
    with suppress(OutputError):  # as after `head -1`: reported once there are weights
        show(
            console,
            f"[bold]{config.model}[/], {sum(p.value.size for p in training.net.parameters()):,} "
            f"parameters, on [bold]{escape(dataset.name)}[/] ({backend.current().name})",
            markup=True,
        )
        show(console, dataset.summary)
    if stopped is not None:
        if differences := stopped.check(dataset):
            tell(f"minise: the same bits are not guaranteed: {'; '.join(differences)}")
        stopped.restore(training)
        news = f"resumes {_where(training)}"
        news = "has finished all its epochs" if training.epoch > training.epochs else news
        with suppress(OutputError):
            show(console, f"{settings.folder} {news}")

    def passes() -> None:
        batches = training.batches
        for images in batches.sizes():
            train.warm_up(training.net, dataset.image_shape, images, batches.augment)

    warm_up(console, passes)
    return training


def train_watched(
    run: runs.Run,
    console: Console,
    *,
    profile: train.Profile | None,
    tensorboard: bool,
    first: Sequence[train.Watcher] = (),
) -> None:
    """Train to the end, shown and saved on the way; the watchers `first` are told before that.

    If it is stopped, say how to resume, and exit.
    """
    training = run.training
    again = f"\n  {typed('minise', 'train', '--resume', run.folder)}"  # its own line: never broken
    try:
        with ExitStack() as stack:
            progress = EpochProgress(console, training.epochs, len(training.data.train.labels))
            watchers = [*first, run, stack.enter_context(progress)]  # save, then show
            if tensorboard:
                events = runs.EventFiles(run.folder / "tensorboard", training)
                watchers.append(stack.enter_context(events))
            history = training.run(profile=profile, watchers=watchers)
            if history.interrupted:
                run.keep()
    except OutputError:  # nobody reads what it prints: a pipe or a terminal was closed
        run.keep()
        # not by `tell`: a bar that could not close still holds the streams
        click.echo(f"\nminise: stopped {_where(training)}; to resume:{again}", err=True)
        raise
    except KeyboardInterrupt:
        tell(f"\nminise: stopped at once; to resume from the last checkpoint:{again}")
        raise click.exceptions.Exit(130) from None
    if history.interrupted:  # say so on a line of its own, after the ^C of a terminal
        tell(f"\nminise: stopped {_where(training)}; to resume:{again}")
        raise click.exceptions.Exit(130)


def _where(training: train.Training) -> str:
    if training.epoch > training.epochs:
        return "after its last epoch"
    return f"in epoch {training.epoch}, after {training.steps} of {len(training.batches)} steps"
