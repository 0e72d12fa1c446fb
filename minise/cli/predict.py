"""`minise predict`."""

from __future__ import annotations

import sys
from pathlib import Path

import click
import numpy as np

from minise import data, train
from minise.backend import asnumpy
from minise.cli.options import computing, run_first
from minise.cli.say import tell, typed
from minise.errors import InputError


@click.command("predict", short_help="Read the digits in pictures.")
@click.argument("words", nargs=-1, metavar="[RUN] IMAGES...")
@computing
def predict_command(words: tuple[str, ...]) -> None:
    """Read the digit in each of IMAGES with the net of RUN, or of the newest run in `runs`.

    Any grey or colour picture of one digit will do, dark on light or light on dark. It is made to
    look as MNIST's digits do: the paper's grey is taken from the picture's edge, the ink cut out,
    scaled to fit a square of 20 pixels, and placed in 28×28 with its centre of mass at pixel
    (14, 14). A terminal shows what the net was given.
    """
    run, names = run_first(words)
    if not names:
        raise InputError(
            f"no picture is named, as in {typed('minise', 'predict', run, 'photo.png')}"
        )
    images = [Path(name) for name in names]
    net, about = train.load_run(run)
    if about.image_shape != (1, 28, 28):
        raise InputError(f"{run} learned from images {about.image_shape}, not grey ones of 28×28")
    failed = 0
    for path in images:
        try:
            digit = data.fit_digit(data.read_picture(path))
        except InputError as error:
            failed += 1
            message = str(error) if str(path) in str(error) else f"{path}: {error}"
            tell(f"minise: {message}")
            continue
        x = data.to_input(digit[None, None], about.mean, about.std)
        scores = asnumpy(net(x))[0].astype(np.float64)  # (K,)
        p = np.exp(scores - scores.max())
        p /= p.sum()
        first, *others = np.argsort(-p, kind="stable")[:3]
        if sys.stdout.isatty():
            click.echo(half_blocks(digit))
        answer, *then = (f"{about.class_name(k)} ({p[k]:.1%})" for k in (first, *others))
        click.echo(f"{path}: {answer}, then {', '.join(then)}")
    if failed:
        raise InputError(f"{failed} of {len(images)} pictures could not be read")


def half_blocks(digit: data.Images) -> str:
    """A picture (H, W) as text, two rows of pixels in each line."""
    ink = digit > 96
    pairs = zip(ink[0::2], ink[1::2], strict=True)
    return "\n".join(
        "".join(" ▀▄█"[int(a) + 2 * int(b)] for a, b in zip(top, low, strict=True)).rstrip()
        for top, low in pairs
        if top.any() or low.any()
    )
