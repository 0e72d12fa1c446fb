"""`minise export` to code: a header in C, a module of JavaScript."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import numpy as np

from minise import backend, data, export
from minise.arrays import Array, asnumpy
from minise.cli.export.feed import Feed, drawn, what_comes_out
from minise.cli.export.outside import scores_of_c, scores_of_javascript
from minise.errors import InputError
from minise.files import write_whole
from minise.nn import Layer

CHECKED = 100  # random images
TOLERANCE = 1e-5  # of the largest score: float32 on both sides


def write_header(
    path: Path, run: Path, net: Layer, feed: Feed, *, check: bool, images: data.Dataset | None
) -> list[str]:
    """Write the header, of 8 bits where there are `images`; what to say of it, in lines.

    Raises `InputError` where it does not say what the net says; nothing is written then.
    """
    about, name = feed.about, path.stem

    def header(int8: Array | None = None) -> str:
        about_it = f"{about.model}; {what_comes_out(about)}"
        shape, pixels = about.image_shape, feed.pixels
        return export.c_header(net, shape, name, pixels=pixels, int8=int8, about=about_it)

    def scores(text: str, fed: Array) -> Array:
        return scores_of_c(name, text, fed, feed.pixels)

    text = header()
    where = "C" if images is None else "C, in float32,"
    how = "compiles it and compares it with the net"
    if images is not None:
        how = "compiles it, and runs it on the test images"
    checked = _checked(run, net, feed, check, where, how, lambda fed: scores(text, fed))
    if images is not None:
        train = drawn(images.train.images)
        small = header(feed.of(train))
        checked.append(f"  int8    ranges from {len(train)} training images of {images.name}")
        if check:
            tested, labels = feed.of(images.test.images), images.test.labels
            checked[-1] += f"; its {len(labels):,} test images"
            checked.append("                    accuracy      weights       memory")
            for kind, each in (("float32", text), ("int8", small)):
                accuracy = (scores(each, tested).argmax(axis=1) == labels).mean()
                weights, memory = export.c_sizes(each)
                checked.append(f"          {kind:7} {accuracy:10.2%} {weights:12,} {memory:12,}")
        text = small
    write_whole(path, text.encode())
    weights, memory = export.c_sizes(text)
    source, kind = ("x", "float") if feed.pixels is None else ("pixels", "unsigned char")
    return [
        f"{path}: {about.model}, {path.stat().st_size:,} bytes of C99",
        f"  needs   {weights:,} bytes for weights, {memory:,} to work in, and its code",
        f'  call    #include "{path.name}"',
        f"          {name}_predict({source}, scores);",
        f"  input   {source}, {math.prod(about.image_shape):,} {kind}s",
        *_indented(feed.described(neighbours=True)),
        f"  output  scores, {about.num_classes} floats",
        *_indented([what_comes_out(about)]),
        *checked,
    ]


def write_javascript(path: Path, run: Path, net: Layer, feed: Feed, *, check: bool) -> list[str]:
    """Write the module; what to say of it, in lines.

    Raises `InputError` where it does not say what the net says; nothing is written then.
    """
    about = feed.about
    classes = [about.class_name(label) for label in range(about.num_classes)]
    text = export.javascript_module(net, about.image_shape, pixels=feed.pixels, classes=classes)
    how = "runs it in Node and compares it with the net"
    checked = _checked(
        run, net, feed, check, "Node", how, lambda fed: scores_of_javascript(text, fed)
    )
    write_whole(path, text.encode())
    canvas = feed.pixels is not None and about.image_shape[0] in (1, 3)
    return [
        f"{path}: {about.model}, {path.stat().st_size:,} bytes, a module of JavaScript",
        f'  call    import {{ {"pixelsOf, " * canvas}predict }} from "./{path.name}";',
        "          const scores = predict(pixels);",
        f"  input   pixels, {math.prod(about.image_shape):,} numbers",
        *_indented(feed.described(neighbours=True)),
        *_indented(["pixelsOf(imageData) makes them of a canvas"] if canvas else []),
        f"  output  scores, a Float32Array of {about.num_classes}",
        *_indented([what_comes_out(about)]),
        *checked,
    ]


def _indented(lines: list[str]) -> list[str]:
    return [f"          {line}" for line in lines]


def _checked(
    run: Path,
    net: Layer,
    feed: Feed,
    check: bool,
    where: str,
    how: str,
    scores: Callable[[Array], Array],
) -> list[str]:
    """How far the code's scores are from the net's. Raises `InputError` where that is too much."""
    shape = (CHECKED if check else 1, *feed.about.image_shape)
    images = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    with backend.using("numpy"):  # once only: compiling would take longer
        expected = asnumpy(net(Feed(feed.about, "normalised").of(images)))
    if not np.isfinite(expected).all():
        raise InputError(f"{run}: the net's scores are not finite: nothing was written")
    if not check:
        return [f"  not run: --check {how}"]
    difference = float(np.abs(scores(feed.of(images)) - expected).max() / np.abs(expected).max())
    if not difference <= TOLERANCE:  # or it is NaN
        raise InputError(
            f"export: in {where} it would differ from the net by {difference:.1e} of the largest "
            "score: nothing was written"
        )
    return [
        f"  checked in {where} on {CHECKED} random images: it differs from the net",
        f"          by at most {difference:.1e} of the largest score",
    ]
