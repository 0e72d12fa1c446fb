"""`minise export` to code: a module of JavaScript."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np

from minise import backend, export
from minise.arrays import Array, asnumpy
from minise.cli.feed import Feed, what_comes_out
from minise.cli.outside import scores_of_javascript
from minise.errors import InputError
from minise.files import write_whole
from minise.nn import Layer

CHECKED = 100  # random images
TOLERANCE = 1e-5  # of the largest score: float32 on both sides


def write_javascript(path: Path, run: Path, net: Layer, feed: Feed, *, check: bool) -> list[str]:
    """Write the module; what to say of it, in lines.

    Raises `InputError` where it does not say what the net says; nothing is written then.
    """
    about = feed.about
    classes = [about.class_name(label) for label in range(about.num_classes)]
    text = export.javascript_module(net, about.image_shape, pixels=feed.pixels, classes=classes)
    images, expected = _random(run, net, feed, CHECKED if check else 1)
    checked = "  not run: --check does it in Node, beside the net"
    if check:
        difference = _apart(scores_of_javascript(text, images), expected)
        checked = (
            f"  checked in Node on {CHECKED} random images: it differs from the net\n"
            f"          by at most {difference:.1e} of the largest score"
        )
    write_whole(path, text.encode())
    C, H, W = about.image_shape
    from_canvas = (
        ["pixelsOf(imageData) makes them of a canvas"] if feed.pixels and C in (1, 3) else []
    )
    return [
        f"{path}: {about.model}, {path.stat().st_size:,} bytes, a module of JavaScript",
        f"  input   predict(pixels), {C * H * W:,} numbers",
        *(f"          {line}" for line in (*feed.described(neighbours=True), *from_canvas)),
        f"  output  a Float32Array of {about.num_classes} scores",
        f"          {what_comes_out(about)}",
        *checked.splitlines(),
    ]


def _random(run: Path, net: Layer, feed: Feed, count: int) -> tuple[Array, Array]:
    """Images as the code takes them, and the net's scores. Raises where these are not finite."""
    shape = (count, *feed.about.image_shape)
    pixels = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    with backend.using("numpy"):
        x = export.Pixels(feed.about.mean, feed.about.std).normalised(pixels)
        expected = asnumpy(net(x))
    if not np.isfinite(expected).all():
        raise InputError(f"{run}: the net's scores are not finite: nothing was written")
    return feed.of(pixels), expected


def _apart(scores: Array, expected: Array) -> float:
    """As a share of the largest score. Raises `InputError` where it is too much."""
    apart = float(np.abs(scores - expected).max() / np.abs(expected).max())
    if not math.isfinite(apart) or apart > TOLERANCE:
        raise InputError(
            f"export: the code would differ from the net by {apart:.1e} of the largest score: "
            "nothing was written"
        )
    return apart
