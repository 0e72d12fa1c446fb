"""`minise inspect`."""

from __future__ import annotations

from pathlib import Path

import click
import numpy as np
from rich.console import Console
from rich.table import Table

from minise import data, inspect, runs
from minise.arrays import Array
from minise.cli.options import computing, run_first, run_with_data
from minise.cli.say import show
from minise.errors import InputError
from minise.figures import png
from minise.files import check_writable, write_whole


@click.command("inspect", short_help="See the gates of a trained net.")
@click.argument("words", nargs=-1, metavar="[RUN] [IMAGES]...")
@click.option("--data", "source", help="Show it these images, not those of its test set.")
@click.option(
    "--classes", metavar="A,B", help="Two classes to compare.  [default: those that differ most]"
)
@click.option(
    "--out", type=click.Path(path_type=Path), help="Folder for the pictures.  [default: RUN]"
)
@computing
def inspect_command(
    words: tuple[str, ...], source: str | None, classes: str | None, out: Path | None
) -> None:
    """Draw what the SE blocks of RUN do: their gates by class, over all test images.

    gates.png shows the mean gate of each channel for every class, as shades; two-classes.png shows
    two of the classes, with the deviation within each (figures 6 and 7 of the paper). For each of
    IMAGES, a picture of one digit or the number of a test image, another picture shows what was
    squeezed, the gates, and maps before and after them.

    Without RUN, the newest run in `runs` is used.

    The table shows for each block how far its gates go, how much they differ between classes and
    within one, and how many of its hidden units are dead: 0 for every test image.
    """
    run, images = run_first(words)
    folder = out or (run if run.is_dir() else run.parent)
    check_writable(folder)
    net, about, dataset = run_with_data(run, source)
    pictures = [_image(name, dataset.test, about) for name in images]
    short = [name.casefold() for name, _, _ in pictures]  # to Windows and macOS A.png is a.png
    if twice := [name for name in short if short.count(name) > 1]:
        raise InputError(f"two images would be drawn in the same file, maps-{twice[0]}.png")
    chosen = None if classes is None else _two(classes, dataset.test)
    x = data.to_input(dataset.test.images, about.mean, about.std)
    try:
        gates = inspect.gates(net, x)
    except InputError as error:
        raise InputError(f"{run}, {about.model}: {error}") from None
    for name, s in gates.items():
        if not np.isfinite(s).all():
            raise InputError(f"{run}, {about.model}: gates of {name} are not finite")
    found = {name: inspect.by_class(s, dataset.test.labels) for name, s in gates.items()}
    if chosen is None and len(np.unique(dataset.test.labels)) > 1:
        chosen = _apart(list(found.values())[-1])

    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"{folder}: cannot be made: {error.strerror}") from None
    console = Console()
    console.print(_table(gates, found, inspect.dead_units(net, x)))
    written = {"gates.png": inspect.draw_by_class(found)}
    if chosen is not None:
        written["two-classes.png"] = inspect.draw_two_classes(found, *chosen)
    for name, title, image in pictures:
        seen = inspect.excitations(net, data.to_input(image[None], about.mean, about.std))
        written[f"maps-{name}.png"] = inspect.draw_maps(image, seen, f"{title}, in {about.model}")
    for name, figure in written.items():
        write_whole(folder / name, png(figure))
        show(console, f"  {folder / name}")


def _image(name: str, test: data.Split, about: runs.About) -> tuple[str, str, data.Images]:
    """Of a test image's number, or a file: a short name, a title, and the image (C, H, W)."""
    if name.isdecimal():
        n = int(name)
        if n >= len(test.images):
            raise InputError(f"image {n}: there are test images 0 to {len(test.images) - 1}")
        return name, f"test image {n}, of class {test.labels[n]}", test.images[n]
    if about.image_shape != (1, 28, 28):
        raise InputError(f"{name}: a picture is made grey and 28×28, not {about.image_shape}")
    return Path(name).stem, name, about.as_learned(data.fit_digit(data.read_picture(name)))[None]


def _two(classes: str, test: data.Split) -> tuple[int, int]:
    try:
        first, second = map(int, classes.split(","))
    except ValueError:
        raise InputError(f"--classes {classes!r}, expected two as in 4,9") from None
    if first == second:
        raise InputError(f"--classes {classes!r}, expected two that differ")
    for k in (first, second):
        if not (test.labels == k).any():
            raise InputError(f"--classes {classes!r}: no test image is of class {k}")
    return first, second


def _apart(found: inspect.ByClass) -> tuple[int, int]:
    """The two classes whose mean gates are farthest from one another."""
    distances = np.linalg.norm(found.mean[:, None] - found.mean[None], axis=2)  # (K, K)
    first, second = divmod(int(np.nanargmax(distances)), len(distances))
    return first, second


def _table(
    gates: dict[str, Array], found: dict[str, inspect.ByClass], dead: dict[str, Array]
) -> Table:
    columns = ("gates", "between classes", "within a class", "hidden units", "of them dead")
    table = Table("SE block", "channels", *columns)
    for column in table.columns[:3]:
        column.no_wrap = True
    for column in table.columns[1:]:
        column.justify = "right"
    for name, s in gates.items():
        between = np.nanstd(found[name].mean, axis=0).mean()
        within = np.nanmean(found[name].deviation)
        row = f"{s.min():.2f} to {s.max():.2f}", f"± {between:.3f}", f"± {within:.3f}"
        units = (len(dead[name]), dead[name].sum()) if name in dead else ("", "")
        table.add_row(name, str(s.shape[1]), *row, *map(str, units))
    return table
