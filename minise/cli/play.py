"""`minise play`."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import click
import numpy as np
from rich.console import Console

from minise import data, runs
from minise.cli.compiling import warm_up
from minise.cli.options import check_like, computing, newest_run_if_any, run_with_data
from minise.cli.say import show, tell
from minise.cli.settings import Settings
from minise.cli.train import prepare
from minise.nn import Layer
from minise.train.progress import EpochProgress

if TYPE_CHECKING:
    from minise.play.collection import Collection

# Of a net for those who have none yet: trained in seconds, and 97 % of the test digits are right.
BRIEF = runs.Config(epochs=3, test_at_end=True)


class Shown(NamedTuple):
    """A net that has learned something, and the images to show it."""

    title: str
    net: Layer
    test: data.Split
    mean: float
    std: float
    class_names: tuple[str, ...]

    def collected(self) -> Collection:
        """What the net makes of the images."""
        from minise.play.collection import collect

        return collect(self.net, *self.test, self.mean, self.std, self.class_names)


@click.command("play", short_help="See a net think, and move its gates.")
@click.argument("run", required=False, type=click.Path(path_type=Path))
@click.option("--data", "source", help="Show it these images, not those of its test set.")
@click.option("--no-browser", is_flag=True, help="Print the page's address, and do not open it.")
@computing
def play_command(run: Path | None, source: str | None, no_browser: bool) -> None:
    """Watch the net of RUN at work, in a page for the browser of this machine.

    Draw a digit and see what every layer makes of it; open its SE blocks, move their gates, and see
    the scores change; follow the gradient back; take a step of training, and undo it. The net's
    files stay as they are.

    Without RUN, the newest run in `runs` is used; where there is none, a small net is trained on
    the sample first, in seconds, and not kept.

    The page is closed to other machines, and to pages from elsewhere: who has its address, which is
    another each time, can open it. Ctrl-C ends it.
    """
    from minise.play.server import check_installed, serve

    check_installed()
    console = Console()
    run = run or newest_run_if_any()
    shown = _trained(console, source) if run is None else _of_run(run, source)
    warm_up(console, lambda: _passes(shown))
    collection = shown.collected()

    def say(address: str) -> None:
        click.echo(f"{shown.title}, in a browser of this machine:")
        click.echo(f"  {address}")
        click.echo("Ctrl-C stops it")

    serve(shown.net, collection, shown.title, say, browser=not no_browser)


def _of_run(run: Path, source: str | None) -> Shown:
    net, about, images = run_with_data(run, source)
    return Shown(
        f"{run}, {about.model}", net, images.test, about.mean, about.std, about.class_names
    )


def _trained(console: Console, source: str | None) -> Shown:
    """One that is trained on the sample, and is nowhere on the disk."""
    tell("minise: there is no run yet; a small net is trained first, which is not kept")
    training = prepare(Settings(BRIEF, runs.Every(1, "epoch"), None, None), console)
    sample = training.data
    images = sample if source is None else data.load(source)
    check_like(images, BRIEF.model, sample.num_classes, sample.image_shape)
    with EpochProgress(console, training.epochs, len(sample.train.labels)) as progress:
        training.run(watchers=[progress])
    if training.history.interrupted or training.tested is None:
        raise KeyboardInterrupt
    accuracy = f"test accuracy {training.tested.accuracy:.2%}"
    show(console, f"trained {BRIEF.model} on the {sample.name}: {accuracy}")
    return Shown(
        f"{BRIEF.model}, trained on the {sample.name}",
        training.net,
        images.test,
        training.mean,
        training.std,
        sample.class_names,
    )


def _passes(shown: Shown) -> None:
    """What the page will ask for, with few images; nothing is concluded from any number."""
    from minise.play.watch import Watcher

    net = copy.deepcopy(shown.net)
    few = shown.test.images[:256]
    with np.errstate(all="ignore"):  # while kernels are looked for, numbers are arbitrary
        net(data.to_input(few, shown.mean, shown.std))
        Watcher(net).watch(data.to_input(few[:1], shown.mean, shown.std)).backward(0)
