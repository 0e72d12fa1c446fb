"""The page as a widget of a notebook."""

from __future__ import annotations

from typing import Any

import numpy.typing as npt

from minise.arrays import Array
from minise.nn import Layer


def play(
    net: Layer,
    images: Array,
    labels: npt.ArrayLike | None = None,
    mean: float | None = None,
    std: float | None = None,
) -> Any:
    """In a notebook: see what `net` makes of `images`, move its gates, and watch the gradient.

    `images` are pixels (N, C, H, W), uint8, which `mean` and `std` normalise as in
    `data.to_input`, by default those of these images; or numbers as the net takes them. With
    `labels` (N,) they can be picked by class.
    """
    raise NotImplementedError
