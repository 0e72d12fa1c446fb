"""What others call the parts of the same nets, and what they build differently.

A row of a table has our pattern on the left and theirs on the right; * stands for any text. A name
that matches no row is the same in both.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from minise.arrays import Array
from minise.errors import InputError
from minise.nearest import nearest

Table = tuple[tuple[str, str], ...]


class Naming(NamedTuple):
    """`options` are what `create` needs for a net like theirs."""

    source: str
    table: Table
    options: Mapping[str, Any]
    se_as_convolutions: bool  # their maps of SE have weights (out, in, 1, 1)


NAMINGS = {
    "timm": Naming(
        "the resnet, seresnet and seresnext nets of timm",
        (
            ("*.shortcut.*", "*.downsample.*"),
        ),
        {"stride_first": False, "rounding": "timm"},
        se_as_convolutions=True,
    ),
    "torchvision": Naming(
        "the resnet and resnext nets of torchvision",
        (
            ("*.shortcut.*", "*.downsample.*"),
        ),
        {"stride_first": False},
        se_as_convolutions=True,
    ),
    "moskomule": Naming(
        "se_resnet18 to se_resnet152 of moskomule/senet.pytorch",
        (
            ("*.se.fc1.*", "*.se.fc.0.*"),
            ("*.se.fc2.*", "*.se.fc.2.*"),
            ("*.shortcut.*", "*.downsample.*"),
        ),
        {"stride_first": False, "bias": False},
        se_as_convolutions=False,
    ),
    "cadene": Naming(
        "se_resnet, se_resnext and senet154 of Cadene/pretrained-models.pytorch, after Caffe's",
        (
            ("conv1.*", "layer0.conv1.*"),
            ("conv2.*", "layer0.conv2.*"),
            ("conv3.*", "layer0.conv3.*"),
            ("bn1.*", "layer0.bn1.*"),
            ("bn2.*", "layer0.bn2.*"),
            ("bn3.*", "layer0.bn3.*"),
            ("*.se.*", "*.se_module.*"),
            ("*.shortcut.*", "*.downsample.*"),
            ("fc.*", "last_linear.*"),
        ),
        {"ceil_pool": True},
        se_as_convolutions=True,
    ),
}  # fmt: skip


def find(naming: str) -> Naming:
    """Raises `InputError` for a naming that is not in `NAMINGS`."""
    if naming not in NAMINGS:
        raise InputError(nearest("naming", naming, list(NAMINGS)))
    return NAMINGS[naming]


def to_theirs(name: str, naming: Naming) -> str:
    """Their name for ours."""
    for ours, theirs in naming.table:
        parts = re.fullmatch(re.escape(ours).replace(r"\*", "(.*)"), name)
        if parts:
            for text in parts.groups():
                theirs = theirs.replace("*", text, 1)
            return theirs
    return name


def state_of_theirs(state: Mapping[str, Array], naming: Naming) -> dict[str, Array]:
    """A `state_dict` of ours with their names and their shapes."""
    return {
        to_theirs(name, naming): value[:, :, None, None]
        if naming.se_as_convolutions and ".se." in name and np.ndim(value) == 2
        else value
        for name, value in state.items()
    }
