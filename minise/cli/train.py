"""`minise train` and `minise eval`."""

from __future__ import annotations

import time
from pathlib import Path

import click
import numpy as np
from rich.console import Console
from rich.table import Table

from minise import backend, data, models, train
from minise.cli.options import computing, run_with_data
from minise.train.progress import EpochProgress

# Learning rates that reach 98 % on the sample within 12 epochs.
LR = {"sgd": 0.1, "adamw": 0.01}


@click.command("train", short_help="Train a net.")
@click.option(
    "--model",
    metavar="NAME",
    default="se-cnn",
    show_default=True,
    help="A name that `models` lists.",
)
@click.option(
    "--data",
    "source",
    metavar="NAME or PATH",
    default="sample",
    show_default=True,
    help="sample: 12,000 digits that come with minise; mnist: all 70,000, downloaded once; "
    "or a folder of IDX files, or an .npz with x_train, y_train, x_test, y_test.",
)
@click.option("--epochs", type=click.IntRange(min=1), default=12, show_default=True)
@click.option("--batch-size", type=click.IntRange(min=1), default=64, show_default=True)
@click.option(
    "--lr", type=float, help="Highest learning rate.  [default: 0.1 for sgd, 0.01 for adamw]"
)
@click.option("--optimizer", type=click.Choice(list(LR)), default="sgd", show_default=True)
@click.option(
    "--schedule",
    type=click.Choice(["one-cycle", "cosine"]),
    default="one-cycle",
    show_default=True,
    help="How the learning rate rises and falls.",
)
@click.option(
    "--augment/--no-augment",
    default=True,
    show_default=True,
    help="Shift and turn the training images a little.",
)
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True)
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    help="A new folder for what the run leaves.  [default: runs/MODEL-1, -2, …]",
)
@click.option(
    "--profile", "profiled", is_flag=True, help="Tell where the time of a step goes, by layer."
)
@computing
def train_command(
    model: str,
    source: str,
    epochs: int,
    batch_size: int,
    lr: float | None,
    optimizer: str,
    schedule: str,
    augment: bool,
    seed: int,
    out: Path | None,
    profiled: bool,
) -> None:
    """Train a net, and leave its weights, metrics and pictures in a folder."""
    began = time.perf_counter()
    console = Console()
    digits = data.load(source)
    net = models.create(
        model, num_classes=digits.num_classes, in_channels=digits.image_shape[0], seed=seed
    )
    parameters = net.parameters()
    console.print(
        f"[bold]{model}[/], {sum(p.value.size for p in parameters):,} parameters, on "
        f"[bold]{digits.name}[/], {len(digits.train.labels):,} training and "
        f"{len(digits.test.labels):,} test images ({backend.current()})",
        highlight=False,
        soft_wrap=True,
    )
    lr = LR[optimizer] if lr is None else lr
    steps = epochs * -(-len(digits.train.labels) // batch_size)
    moves: train.Optimizer
    if optimizer == "sgd":
        moves = train.SGD(parameters, lr, momentum=0.9, nesterov=True, weight_decay=5e-4)
    else:
        moves = train.AdamW(parameters, lr)
    shape = {"one-cycle": train.one_cycle, "cosine": train.cosine}[schedule]
    with console.status("compiling what this machine has not compiled before …"):
        train.warm_up(net, digits.image_shape, batch_size)

    about = train.About(
        model,
        digits.num_classes,
        digits.image_shape,
        *data.pixel_statistics(digits.train.images),
        source if source in ("sample", "mnist") else str(Path(source).resolve()),
        seed,
    )
    run = train.Run(out or train.next_folder(model), net, about)
    profile = train.Profile() if profiled else None
    progress = EpochProgress(console, epochs, len(digits.train.labels))

    def on_epoch(epoch: train.Epoch) -> None:
        progress.on_epoch(epoch)
        run.on_epoch(epoch)

    try:
        with run, progress:
            history = train.fit(
                net,
                digits,
                moves,
                epochs=epochs,
                rng=np.random.default_rng([seed, 1]),  # apart from the one that drew the weights
                batch_size=batch_size,
                schedule=shape(lr, steps),
                augment=data.shift_and_rotate if augment else None,
                profile=profile,
                on_step=progress.on_step,
                on_epoch=on_epoch,
            )
    except KeyboardInterrupt:
        for what, path in run.files().items():
            console.print(f"{what} of the last whole epoch: {path}", highlight=False)
        raise
    test = train.evaluate(net, digits.test, mean=about.mean, std=about.std)
    run.finish(history, digits.test, test.probabilities)
    wrong = round((1 - test.accuracy) * len(digits.test.labels))
    console.print(
        f"\n[bold green]test accuracy {test.accuracy:.2%}[/] ({wrong} of "
        f"{len(digits.test.labels):,} wrong) after {time.perf_counter() - began:.0f} seconds",
        highlight=False,
    )
    for what, path in run.files().items():
        console.print(f"  {what:<9} {path}", highlight=False, soft_wrap=True)
    if profile is not None:
        console.print(profile_table(profile))


def profile_table(profile: train.Profile) -> Table:
    """Where an average step's time went; what took none of its own is left out."""
    total = sum(spent.forward + spent.backward for spent in profile.spent.values())
    table = Table("part", "layer", "forward", "backward", "share", title="an average step, in ms")
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


@click.command("eval", short_help="Test a trained net.")
@click.argument("run", type=click.Path(path_type=Path))
@click.option("--data", "source", help="Other images than those it was trained on.")
@computing
def eval_command(run: Path, source: str | None) -> None:
    """Test the net of RUN, a folder that `train` left or a file of weights."""
    net, about, digits = run_with_data(run, source)
    test = train.evaluate(net, digits.test, mean=about.mean, std=about.std)
    said, labels = test.probabilities.argmax(axis=1), digits.test.labels
    table = Table("class", "images", "right", "taken for most often")
    for column in table.columns[:3]:
        column.justify = "right"
    for label in range(about.num_classes):
        answers = np.bincount(said[labels == label], minlength=about.num_classes)
        right, images = answers[label], answers.sum()
        answers[label] = 0
        often = f"{answers.argmax()} ({answers.max()})" if answers.any() else ""
        share = f"{right / images:.2%}" if images else ""
        table.add_row(str(label), f"{images:,}", share, often)
    console = Console()
    console.print(table)
    console.print(
        f"{about.model} on {digits.name}: [bold]test accuracy {test.accuracy:.2%}[/], "
        f"loss {test.loss:.4f}, {len(labels):,} images",
        highlight=False,
    )
