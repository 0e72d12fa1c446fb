"""`minise export`."""

from __future__ import annotations

from pathlib import Path

import click
from rich.console import Console

from minise import runs
from minise.cli.export.code import write_header, write_javascript
from minise.cli.export.feed import Feed
from minise.cli.export.onnx import write_onnx
from minise.cli.options import run_first, run_with_data
from minise.cli.say import show, typed
from minise.errors import InputError
from minise.files import check_writable

# What is written by the end of a file's name, and which options it takes.
FORMATS = {
    ".onnx": ("--pixels", "--uint8", "--normalised", "--batch", "--keep-names", "--int8", "--data"),
    ".h": ("--pixels", "--normalised", "--int8", "--check", "--data"),
    ".js": ("--pixels", "--normalised", "--check"),
}
ENDS = ".onnx, .h or .js"


@click.command("export", short_help="Write a trained net for other programs.")
@click.argument("words", nargs=-1, metavar="[RUN] FILE")
@click.option(
    "--pixels",
    "fed",
    flag_value="pixels",
    help="Takes the pixels of a picture, 0 to 255.  [default]",
)
@click.option(
    "--uint8",
    "fed",
    flag_value="uint8",
    help="Takes them as bytes, not as float32 (.onnx; a .h always does).",
)
@click.option(
    "--normalised",
    "fed",
    flag_value="normalised",
    help="Takes what the net takes: (pixel / 255 - mean) / std.",
)
@click.option(
    "--batch",
    type=click.IntRange(min=1),
    metavar="N",
    help="Takes N images at once, for what wants fixed sizes (.onnx).  [default: any number]",
)
@click.option(
    "--keep-names",
    is_flag=True,
    help="Weights have the names and shapes of the run's own file; batch norm stays (.onnx).",
)
@click.option(
    "--int8",
    is_flag=True,
    help="Weights and maps of 8 bits; says what that changes (.onnx, .h).",
)
@click.option(
    "--check",
    is_flag=True,
    help="Compile the header, or run the module in Node, and compare it with the net (.h, .js).",
)
@click.option(
    "--data",
    "source",
    help="Images for --int8, in place of those that the run learned from.",
)
def export_command(
    words: tuple[str, ...],
    fed: str | None,
    batch: int | None,
    keep_names: bool,
    int8: bool,
    check: bool,
    source: str | None,
) -> None:
    """Write the net of RUN, a folder that `train` left or a file of weights, to FILE.

    Without RUN, the newest run in `runs` is used.

    \b
    The end of FILE says what is written:
      model.onnx   an ONNX model, for ONNX Runtime, OpenCV and many others
      net.h        a header in C99 that needs no other file, for small devices
      net.js       a module of JavaScript, for a page in a browser

    All take the pixels of a picture, 0 to 255, and give one score for each class. What to feed, in
    which order and range, is printed.

    An ONNX model is compared with the net before it is written, and needs the package onnx. An
    existing file is replaced.
    """  # noqa: D301  (click's mark for lines that stay)
    run, names = run_first(words) if len(words) != 2 else (Path(words[0]), words[1:])
    if not names and not run.exists():
        raise InputError(f"{run}, expected a name that ends in {ENDS}")
    if len(names) != 1:
        raise InputError(
            f"name one file to write, as in {typed('minise', 'export', run, 'model.onnx')}"
        )
    path = Path(names[0])
    given = {
        f"--{fed}": fed,
        "--batch": batch,
        "--keep-names": keep_names,
        "--int8": int8,
        "--check": check,
        "--data": source,
    }
    _check(path, [option for option, value in given.items() if value])
    if source and not int8:
        raise InputError("--data names images for --int8, which is not there")
    if keep_names and int8:
        raise InputError("--keep-names leaves the weights as they are, --int8 does not: take one")
    if int8:
        net, about, images = run_with_data(run, source)
    else:
        (net, about), images = runs.load_run(run), None
    feed, console = Feed(about, fed or "pixels"), Console()
    with console.status("running the model beside the net …"):
        if path.suffix.lower() == ".h":
            said = write_header(path, run, net, feed, check=check, images=images)
        elif path.suffix.lower() == ".js":
            said = write_javascript(path, run, net, feed, check=check)
        else:
            said = write_onnx(
                path, run, net, feed, batch=batch, keep_names=keep_names, images=images
            )
    for line in said:
        show(console, line)


def _check(path: Path, options: list[str]) -> None:
    """Raises `InputError` where no such file can be written, or not with these options."""
    taken = FORMATS.get(path.suffix.lower())
    if taken is None:
        raise InputError(f"{path}, expected a name that ends in {ENDS}")
    for option in options:
        if option not in taken:
            ends = [suffix for suffix, options in FORMATS.items() if option in options]
            raise InputError(f"{path}: {option} is for {' and '.join(ends)}")
    try:
        is_folder = path.is_dir()
    except OSError as error:  # a name that is too long
        raise InputError(f"{path}: cannot be written: {error.strerror}") from None
    if is_folder:
        raise InputError(f"{path} is a folder, expected the name of a file")
    if not path.parent.is_dir():
        raise InputError(f"{path}: there is no folder {path.parent}")
    check_writable(path.parent)
