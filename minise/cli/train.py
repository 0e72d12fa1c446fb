"""`minise train`."""

from __future__ import annotations

import json
import os
import time
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from minise import backend, data, models, runs, train
from minise.cli.compiling import warm_up
from minise.cli.options import computing
from minise.cli.say import show, tell, typed
from minise.cli.terminal import OutputError
from minise.errors import InputError
from minise.nearest import nearest
from minise.runs.folder import claimed
from minise.runs.run import CONFIG
from minise.train.progress import EpochProgress

DEFAULT = runs.Config()


@click.command("train", short_help="Train a net.", context_settings={"allow_extra_args": True})
@click.option(
    "--recipe",
    metavar="NAME",
    help="Begin from one that `recipes` lists; other options change what it asks for.",
)
@click.option(
    "--model",
    metavar="NAME",
    default=DEFAULT.model,
    show_default=True,
    help="A name that `models` lists.",
)
@click.option(
    "--option",
    "options",
    metavar="NAME=VALUE",
    multiple=True,
    help="Of the net, as in placement=pre or reduction=8; may be given several times.",
)
@click.option(
    "--data",
    metavar="NAME or PATH",
    default=DEFAULT.data,
    show_default=True,
    help="sample: 12,000 digits that come with minise; downloaded once: mnist, all 70,000, "
    "fashion-mnist, kmnist, qmnist, emnist-digits, emnist-letters; or a folder of IDX files, "
    "a folder of pictures for each class, or an .npz with x_train, y_train, x_test, y_test.",
)
@click.option(
    "--hold-out",
    type=click.IntRange(min=0),
    metavar="N",
    default=DEFAULT.hold_out,
    help="Judge by N training images that are held out, and not by the test images.",
)
@click.option("--epochs", type=click.IntRange(min=1), default=DEFAULT.epochs, show_default=True)
@click.option(
    "--batch-size", type=click.IntRange(min=1), default=DEFAULT.batch_size, show_default=True
)
@click.option(
    "--lr", type=float, help="Highest learning rate.  [default: 0.1 for sgd, 0.01 for adamw]"
)
@click.option(
    "--weight-decay",
    type=float,
    help="Pull on weights towards 0.  [default: 0.0005 for sgd, 0.01 for adamw]",
)
@click.option(
    "--optimizer",
    type=click.Choice(list(runs.LR)),
    default=DEFAULT.optimizer,
    show_default=True,
)
@click.option(
    "--schedule",
    type=click.Choice(list(runs.SCHEDULES)),
    default=DEFAULT.schedule,
    show_default=True,
    help="How the learning rate rises and falls.",
)
@click.option(
    "--label-smoothing",
    type=click.FloatRange(0, 1),
    default=DEFAULT.label_smoothing,
    show_default=True,
)
@click.option(
    "--augment/--no-augment",
    default=DEFAULT.augment,
    show_default=True,
    help="Shift and turn the training images a little.",
)
@click.option(
    "--test-at-end/--test-each-epoch",
    default=DEFAULT.test_at_end,
    help="Look at the test images once, after the last epoch.",
)
@click.option("--seed", type=click.IntRange(min=0), default=DEFAULT.seed, show_default=True)
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    help="A new folder for what the run leaves.  [default: runs/MODEL-1, -2, …]",
)
@click.option(
    "--checkpoint-every",
    "every",
    metavar="TIME",
    help="As in '100 steps' or '5 minutes'.  [default: 1 epoch]",
)
@click.option(
    "--resume",
    type=click.Path(path_type=Path),
    metavar="RUN",
    help="Go on with a run that was stopped, to the same bits.",
)
@click.option(
    "--allow-change", is_flag=True, help="Let a run that is resumed go on with other options."
)
@click.option(
    "--tensorboard", is_flag=True, help="Write event files for TensorBoard into the run's folder."
)
@click.option(
    "--profile", "profiled", is_flag=True, help="Tell where the time of a step goes, by layer."
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

    Ctrl-C stops after the step that goes on, and says how to go on from there; so does whatever
    kills a run, from its last checkpoint.
    """
    began, context, console = time.perf_counter(), click.get_current_context(), Console()
    if context.args:
        raise InputError(_as_options(context))
    given = _given(context, asked, recipe)
    stopped = None if resume is None else runs.load_checkpoint(resume)
    if stopped is None:
        config, often = runs.Config(**given), runs.Every(1, "epoch")
    elif out is not None:
        raise InputError(f"--out {out}: a run that is resumed stays in its folder, {resume}")
    else:
        config = runs.changed(stopped.config, given, allowed=allow_change)
        often = stopped.every
    often = often if every is None else runs.read_every(every)
    claim = claimed(resume or out, config.model, resumed=resume is not None)
    folder = context.with_resource(claim)

    digits = runs.dataset_of(config)
    training = runs.training_of(config, digits)
    with suppress(OutputError):  # as of `head -1`: it is told when there are weights
        show(
            console,
            f"[bold]{config.model}[/], {sum(p.value.size for p in training.net.parameters()):,} "
            f"parameters, on [bold]{escape(digits.name)}[/] ({backend.current().name})",
            markup=True,
        )
        show(console, digits.summary)
    if stopped is not None:
        for difference in stopped.check(digits):
            tell(f"minise: {difference}: the last bits may differ")
        stopped.restore(training)
        news = f"goes on {_where(training)}"
        news = "has done all its epochs" if training.epoch > training.epochs else news
        with suppress(OutputError):
            show(console, f"{resume} {news}")
    if tensorboard:
        runs.check_tensorboard()  # before there is a folder

    def passes() -> None:
        for images in training.batches.sizes():
            train.warm_up(training.net, digits.image_shape, images)

    warm_up(console, passes)
    run = runs.Run(folder, training, config, every=often, resumed=resume is not None)
    profile = train.Profile() if profiled else None
    again = f"\n  {typed('minise', 'train', '--resume', folder)}"  # a line of its own: never broken
    try:
        with ExitStack() as stack:
            progress = EpochProgress(console, config.epochs, len(digits.train.labels))
            watchers: list[train.Watcher] = [run, stack.enter_context(progress)]  # saved, then told
            if tensorboard:
                events = runs.EventFiles(folder / "tensorboard", training)
                watchers.append(stack.enter_context(events))
            history = training.run(profile=profile, watchers=watchers)
            if history.interrupted:
                run.keep()
    except OutputError:  # nobody reads what it prints: a pipe or a terminal was closed
        run.keep()
        # not by `tell`: a bar that could not say goodbye still holds the streams
        click.echo(f"\nminise: stopped {_where(training)}; to go on:{again}", err=True)
        raise
    except KeyboardInterrupt:
        tell(f"\nminise: stopped at once; to go on from the last checkpoint:{again}")
        context.exit(130)
    if history.interrupted:  # say so on a line of its own, after the ^C of a terminal
        tell(f"\nminise: stopped {_where(training)}; to go on:{again}")
        context.exit(130)
    _finish(run, console, time.perf_counter() - began)
    if profile is not None and profile.steps:
        console.print(profile_table(profile))


def _where(training: train.Training) -> str:
    return f"in epoch {training.epoch}, after {training.steps} of {len(training.batches)} steps"


def _finish(run: runs.Run, console: Console, seconds: float) -> None:
    """Say how good the net is, and what the run left."""
    training, images = run.training, run.training.data.test
    test = training.tested
    if test is None:  # all of it was done before the run was resumed
        test = train.evaluate(training.net, images, mean=training.mean, std=training.std)
    wrong = round((1 - test.accuracy) * len(images.labels))
    run.finish(images, test.probabilities)
    show(
        console,
        f"\n[bold green]test accuracy {test.accuracy:.2%}[/] ({wrong} of "
        f"{len(images.labels):,} wrong) after {seconds:.0f} seconds",
        markup=True,
    )
    for what, path in run.files().items():
        show(console, f"  {what:<10} {path}")
    show(console, "\nNext:")
    commands = _next(run)
    longest = max(map(len, commands))
    for command, what in commands.items():
        line = f"  {command:<{longest}}  {what}"  # a command is not broken
        console.print(
            line if len(line) <= console.width else f"  {command}",
            highlight=False,
            soft_wrap=True,
            markup=False,
        )


def _next(run: runs.Run) -> dict[str, str]:
    """Commands that can be typed now, and what each is for."""
    about, folder = run.about, run.folder
    commands = {}
    if about.image_shape == (1, 28, 28):
        commands[typed("minise", "predict", folder, "photo.png")] = "read a picture of a digit"
    if models.has_option(about.model, "reduction"):
        commands[typed("minise", "inspect", folder)] = "see its gates, by class"
    others = [] if folder.parent == Path("runs") else [folder.parent]
    commands[typed("minise", "runs", *others)] = "compare it with others"
    return commands


def _as_options(context: click.Context) -> str:
    """What to type in place of words without an option before them."""
    command = ["minise", "train"]
    names = {name for parameter in context.command.params for name in parameter.opts}
    for word in context.args:
        if command[-1].startswith("--"):
            command.append(word)
        elif f"--{word}" in names:
            command.append(f"--{word}")
        elif word in models.names():
            command += ["--model", word]
        elif word in runs.RECIPES:
            command += ["--recipe", word]
        elif word in data.NAMES or os.path.exists(word):
            command += ["--resume" if (Path(word) / CONFIG).exists() else "--data", word]
        else:
            known = [*models.names(), *runs.RECIPES, *data.NAMES]
            return nearest("model, recipe or data", word, known, "minise models and minise recipes")
    return f"{' '.join(context.args)!r} needs options before it: {typed(*command)}"


def _given(context: click.Context, asked: dict[str, Any], recipe: str | None) -> dict[str, Any]:
    """What is asked for by options that were given, and by the recipe where none was."""
    given = {} if recipe is None else runs.recipe(recipe).config._asdict()
    given.pop("seed", None)  # no recipe is about that
    for name, value in asked.items():
        if context.get_parameter_source(name) is not ParameterSource.DEFAULT:
            given[name] = dict(map(_option, value)) if name == "options" else value
    if "data" in given:
        given["data"] = data.located(given["data"])  # a run may go on from another folder
    return given


def _option(text: str) -> tuple[str, Any]:
    """A name and a value: JSON, or else the text itself."""
    name, equals, value = text.partition("=")
    if not (name and equals):
        raise InputError(f"--option {text!r}, expected as in placement=pre")
    try:
        return name, json.loads(value)
    except ValueError:
        return name, value


def profile_table(profile: train.Profile) -> Table:
    """Where an average step's time went; what took none of its own is left out."""
    total = sum(spent.forward + spent.backward for spent in profile.spent.values())
    table = Table("part", "layer", "forward", "backward", "share", title="an average step, in ms")
    table.columns[0].no_wrap = True
    for column in table.columns[2:]:
        column.justify = "right"

    def milliseconds(seconds: float) -> str:
        return f"{1e3 * seconds / profile.steps:.2f}"

    for name, spent in profile.spent.items():
        share = (spent.forward + spent.backward) / total
        if share < 0.002:
            continue
        backward = milliseconds(spent.backward) if spent.kind else ""
        table.add_row(name, spent.kind, milliseconds(spent.forward), backward, f"{share:.1%}")
    table.add_section()
    table.add_row("all", "", milliseconds(total), "", "")
    return table
