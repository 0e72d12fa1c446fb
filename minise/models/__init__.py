"""Named nets: `create("se-resnet8", seed=0)`; and their weights in files."""

from minise.models.naming import NAMES
from minise.models.registry import about, create, has_option, image_shape, names
from minise.models.weights import load, save

__all__ = ["NAMES", "about", "create", "has_option", "image_shape", "load", "names", "save"]
