"""Named nets: `create("se-resnet8", seed=0)`; and their weights in files."""

from minise.models.libraries import NAMINGS
from minise.models.registry import (
    about,
    check_options,
    create,
    has_option,
    image_shape,
    names,
    taking,
)
from minise.models.weights import load, save

__all__ = [
    "NAMINGS",
    "about",
    "check_options",
    "create",
    "has_option",
    "image_shape",
    "load",
    "names",
    "save",
    "taking",
]
