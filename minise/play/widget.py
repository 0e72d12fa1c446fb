"""`minise.play`: the page as a widget of a notebook."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import numpy.typing as npt

from minise.arrays import Array
from minise.errors import InputError
from minise.nn import Layer

if TYPE_CHECKING:
    from minise.play.comm import Widget


def play(
    net: Layer,
    images: Array,
    labels: npt.ArrayLike | None = None,
    mean: float | None = None,
    std: float | None = None,
) -> Widget:
    """In a notebook: see what `net` makes of `images`, move its gates, and watch the gradient.

    `images` are pixels (N, C, H, W), uint8, which `mean` and `std` normalise as in
    `data.to_input`, by default those of these images; or numbers as the net takes them, beside
    which no digit can be drawn. With `labels` (N,) they can be picked by class; of more than 2,000
    images that many are taken, evenly. The net is copied: what is done to it in the widget changes
    nothing outside, and training it further changes nothing in the widget. `close()` ends it.

    Where no kernel runs, as on GitHub, what is stored shows as a picture of the first image.
    Raises `InputError` where there is no notebook or no anywidget, and for images and labels that
    are not the net's.
    """
    if not _is_notebook():
        raise InputError(
            "play: there is no notebook here to show it in: type it in one of Jupyter, VS Code or "
            "Colab, or in a terminal: minise play"
        )
    try:
        from minise.play.comm import Widget
    except ImportError as error:
        raise InputError(
            "play needs the package anywidget: python -m pip install anywidget, or in a cell "
            f"%pip install anywidget; then reload the notebook's page ({error})"
        ) from None
    from minise.play.collection import collect

    return Widget(net, collect(net, images, labels, mean, std))


def _is_notebook() -> bool:
    """Whether something can show a widget: a kernel of IPython, or what has its own comms."""
    shell = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    comm = sys.modules.get("comm")
    replaced = comm is not None and comm.create_comm.__module__ != "comm"
    return replaced or hasattr(shell, "kernel")
