"""`minise predict`."""

from __future__ import annotations

import io
import itertools
import sys
from collections.abc import Container
from pathlib import Path

import click
import numpy as np

from minise import data, runs
from minise.arrays import asnumpy
from minise.cli.options import computing, run_first
from minise.cli.say import tell, typed
from minise.errors import InputError
from minise.files import write_whole
from minise.nn import Layer

SUFFIXES = {
    ".png", ".jpg", ".jpeg", ".gif", ".bmp", ".webp", ".tif", ".tiff", ".ppm", ".pgm",
    ".heic", ".heif",  # which cannot be read, but should not be passed over without a word
}  # fmt: skip


@click.command("predict", short_help="Read the digits in pictures.")
@click.argument("words", nargs=-1, metavar="[RUN] IMAGES...")
@click.option("--show", is_flag=True, help="Write what the net was given to RUN/seen/NAME.png.")
@computing
def predict_command(words: tuple[str, ...], show: bool) -> None:
    """Read the digit in each of IMAGES, files or folders of them.

    Without RUN, the newest run in `runs` is used.

    A photo or scan of one digit will do, dark on light or light on dark, on lined paper and in
    uneven light. Pictures with no digit, or more than one, are reported. The digit is made to look
    like MNIST's: the ink is cut out, scaled to fit a square of 20 pixels, and placed in 28×28 with
    its centre of mass at pixel (14, 14). In a terminal you see what the net was given.
    """
    run, names = run_first(words)
    if not names:
        raise InputError(f"name a picture, as in {typed('minise', 'predict', run, 'photo.png')}")
    images = [Path(name) for name in names]
    net, about = runs.load_run(run)
    if about.image_shape != (1, 28, 28):
        raise InputError(f"{run} learned from images {about.image_shape}, not grey ones of 28×28")
    paths = [path for given in images for path in _pictures_of(given)]
    seen: dict[str, data.Images] = {}
    failed = 0
    for path in paths:
        try:
            digit = about.as_learned(data.fit_digit(data.read_picture(path)))
        except InputError as error:
            failed += 1
            message = str(error) if str(path) in str(error) else f"{path}: {error}"
            tell(f"minise: {message}")
            continue
        seen[_unused(path.stem, seen)] = digit
        if sys.stdout.isatty():
            click.echo(half_blocks(digit))
        click.echo(f"{path}: {_said_of(digit, net, about)}")
    if show and seen:
        folder = (run if run.is_dir() else run.parent) / "seen"
        _write(seen, folder)
        click.echo(f"what the net was given: {folder}")
    if failed:
        raise InputError(f"{failed} of {len(paths)} pictures could not be read")


def _pictures_of(given: Path) -> list[Path]:
    """The file itself, or the pictures in a folder."""
    if not given.is_dir():
        return [given]
    found = [
        path
        for path in sorted(given.iterdir())
        if path.suffix.lower() in SUFFIXES and not path.name.startswith(".")
    ]
    if not found:
        raise InputError(
            f"{given}: no picture in this folder, expected files such as 4.png or 4.jpg"
        )
    return found


def _said_of(digit: data.Images, net: Layer, about: runs.About) -> str:
    """The net's first choice for a digit (28, 28), and the two after it."""
    x = data.to_input(digit[None, None], about.mean, about.std)
    scores = asnumpy(net(x))[0].astype(np.float64)  # (K,)
    p = np.exp(scores - scores.max())
    p /= p.sum()
    first, *others = np.argsort(-p, kind="stable")[:3]
    answer, *then = (f"{about.class_name(k)} ({p[k]:.1%})" for k in (first, *others))
    return f"{answer}, then {', '.join(then)}"


def _unused(name: str, taken: Container[str]) -> str:
    """The name, with a number where it is taken."""
    numbered = (f"{name}-{n}" for n in itertools.count(2))
    return next(n for n in itertools.chain([name], numbered) if n not in taken)


def _write(seen: dict[str, data.Images], folder: Path) -> None:
    """Each digit (28, 28), ten times as large, in a file of its own."""
    from PIL import Image

    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"{folder}: cannot be made: {error.strerror}") from None
    for name, digit in seen.items():
        content = io.BytesIO()
        Image.fromarray(digit.repeat(10, axis=0).repeat(10, axis=1)).save(content, "PNG")
        write_whole(folder / f"{name}.png", content.getvalue())


def half_blocks(digit: data.Images) -> str:
    """A picture (H, W) as text, two rows of pixels in each line."""
    ink = digit > 96
    pairs = zip(ink[0::2], ink[1::2], strict=True)
    return "\n".join(
        "".join(" ▀▄█"[int(a) + 2 * int(b)] for a, b in zip(top, low, strict=True)).rstrip()
        for top, low in pairs
        if top.any() or low.any()
    )
