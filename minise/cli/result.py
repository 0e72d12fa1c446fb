"""What `minise train` says at its end."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console
from rich.table import Table

from minise import models, runs, train
from minise.cli.say import commands, show, typed


def tell_result(run: runs.Run, console: Console, seconds: float) -> None:
    """Say how good the net is, and which files the run left."""
    training, images = run.training, run.training.data.test
    test = training.tested
    if test is None:  # the run had finished before it was resumed
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
    commands(console, _next(run))


def _next(run: runs.Run) -> dict[str, str]:
    """Commands that can be typed now, and what each is for."""
    about, folder = run.about, run.folder
    found = {}
    if about.image_shape == (1, 28, 28):
        found[typed("minise", "predict", folder, "photo.png")] = "read a picture of a digit"
    if models.has_option(about.model, "reduction"):
        found[typed("minise", "inspect", folder)] = "see its gates, by class"
    found[typed("minise", "play", folder)] = "see it think, in a browser"
    others = [] if folder.parent == Path("runs") else [folder.parent]
    found[typed("minise", "runs", *others)] = "compare it with others"
    return found


def profile_table(profile: train.Profile) -> Table:
    """Where an average step's time went; parts that took almost none are left out."""
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
