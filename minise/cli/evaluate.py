"""`minise eval`."""

from __future__ import annotations

from pathlib import Path

import click
import numpy as np
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from minise import train
from minise.cli.options import computing, newest_run, run_with_data
from minise.cli.say import show


@click.command("eval", short_help="Test a trained net.")
@click.argument("run", required=False, type=click.Path(path_type=Path))
@click.option("--data", "source", help="Test on these images, not on those of its training set.")
@computing
def eval_command(run: Path | None, source: str | None) -> None:
    """Test the net of RUN, a folder that `train` left or a file of weights.

    Without RUN, the newest run in `runs` is used.
    """
    run = run or newest_run()
    net, about, dataset = run_with_data(run, source)
    test = train.evaluate(net, dataset.test, mean=about.mean, std=about.std)
    said, labels = test.probabilities.argmax(axis=1), dataset.test.labels
    table = Table("class", "images", "right", "most often mistaken for")
    for column in table.columns[:3]:
        column.justify = "right"
    for label in range(about.num_classes):
        answers = np.bincount(said[labels == label], minlength=about.num_classes)
        right, images = answers[label], answers.sum()
        answers[label] = 0
        most = about.class_name(int(answers.argmax()))
        often = f"{most} ({answers.max()})" if answers.any() else ""
        share = f"{right / images:.2%}" if images else ""
        table.add_row(escape(about.class_name(label)), f"{images:,}", share, escape(often))
    console = Console()
    console.print(table)
    show(
        console,
        f"{about.model} on {dataset.name}: [bold]test accuracy {test.accuracy:.2%}[/], "
        f"loss {test.loss:.4f}, {len(labels):,} images",
        markup=True,
    )
