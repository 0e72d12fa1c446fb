"""What there is to read of a layer or a panel: equations, source, and a section of a tutorial."""

from __future__ import annotations

import inspect
from typing import Any

from minise.errors import InputError
from minise.play import equations, sections, source
from minise.play.equations import Page
from minise.play.watch import Watcher

SAYS = {
    "input": (
        "Input",
        "A drawing or a picture is made into a digit of 28×28 pixels, white on black, as in MNIST. "
        "From each pixel the mean of all training pixels is subtracted, and the rest is divided by "
        "their standard deviation.",
    ),
    "scores": (
        "Scores",
        "The net gives one number for each class, its score; the largest is its answer. "
        "The softmax makes probabilities of the scores: they are above 0, and their sum is 1.",
    ),
    "loss": (
        "Loss",
        "How far the net is from the right answer: 0 where it is certain of it, large where it is "
        "certain of another. Backward begins here, with the gradient of the scores.",
    ),
    "step": ("A step", "Every weight moves a little against its gradient, so that the loss falls."),
    "check": (
        "Check a number",
        "One number is made a little larger, then a little smaller, and the loss is computed both "
        "times. The slope between the two should be what backward says.",
    ),
}


def of_panel(panel: str) -> dict[str, Any]:
    """To read beside one of `messages.PANELS`."""
    page = equations.PANELS[panel]
    return _reading(*SAYS[panel], page, source.of_panel(panel))


def of_layer(watcher: Watcher, name: str) -> dict[str, Any]:
    """To read beside the layer of this name. Raises `InputError` where there is none."""
    plain = name.partition("#")[0]
    layer = watcher.layers.get(plain)
    if layer is None:
        raise InputError(f"read: there is no layer {name[:40]!r}")
    says = (inspect.getdoc(type(layer)) or "").partition("\n\n")[0].replace("\n", " ")
    code = source.of_layer(layer, joined=plain in watcher.joins)
    return _reading(type(layer).__name__, says, equations.page_of(layer), code)


def _reading(
    title: str, says: str, page: Page | None, code: list[dict[str, Any]]
) -> dict[str, Any]:
    section = None if page is None else sections.find(page.step, page.section)
    return {
        "kind": "reading",
        "title": title,
        "says": says,
        "equations": [
            {"text": text, "mathml": sections.mathml(latex, display=True)}
            for text, latex in ([] if page is None else page.equations)
        ],
        "sources": code,
        "tutorial": None if section is None else section._asdict(),
    }
