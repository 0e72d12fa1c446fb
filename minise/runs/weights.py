"""A trained net in one file: its tensors, and all that is needed to use them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from minise import models
from minise.data import Images
from minise.errors import InputError
from minise.files import OPTIMIZER, Tensors, read_tensors, write_tensors
from minise.nn import Layer


class About(NamedTuple):
    """What the tensors belong to."""

    model: str  # a name that `models.create` knows
    num_classes: int
    image_shape: tuple[int, int, int]  # (C, H, W)
    mean: float  # of the training pixels, 0 to 1
    std: float
    data: str  # what `data.load` was given
    seed: int
    options: dict[str, Any] = {}  # noqa: RUF012  (of the net, as `models.create` takes them)
    class_names: tuple[str, ...] = ()  # as `Dataset` has them

    def class_name(self, label: int) -> str:
        """How the class of this label is called."""
        return self.class_names[label] if label < len(self.class_names) else str(label)

    def as_learned(self, digit: Images) -> Images:
        """A digit, light ink on black, as the net learned digits: dark on light if those were."""
        return digit if self.mean <= 0.5 else 255 - digit


def save_weights(path: Path, net: Layer, about: About) -> None:
    """Write the net's state to a `.safetensors` file: whole, or not at all.

    Raises `InputError` where the file cannot be written.
    """
    write_tensors(path, Tensors(net.state_dict(), metadata_of(about)))


def metadata_of(about: About) -> dict[str, str]:
    """The form it has in a file's metadata."""
    return {"minise": json.dumps(about._asdict())}


def load_weights(path: Path) -> tuple[Layer, About]:
    """The net in a file that `save_weights` wrote, or in a checkpoint.

    Raises `InputError` for a file that is missing, broken, or not from minise.
    """
    state = read_tensors(path)
    about = _about(path, state.metadata.get("minise", ""))
    try:
        models.check_options(about.model, about.options)
        net = models.create(
            about.model,
            num_classes=about.num_classes,
            in_channels=about.image_shape[0],
            filled=False,
            **about.options,
        )
        net.load_state_dict(split(state)[0])
    except InputError as error:
        raise InputError(f"{path}: {error}") from None
    net.image_shape = about.image_shape
    return net, about


def split(state: Tensors) -> tuple[dict[str, Any], dict[str, Any]]:
    """The net's arrays, and the optimiser's under their own names."""
    arrays = state.arrays.items()
    weights = {name: array for name, array in arrays if not name.startswith(OPTIMIZER)}
    memory = {name.removeprefix(OPTIMIZER): array for name, array in arrays if name not in weights}
    return weights, memory


def _about(path: Path, text: str) -> About:
    try:
        values: dict[str, Any] = json.loads(text)
        values["image_shape"] = tuple(values["image_shape"])
        values["class_names"] = tuple(values.get("class_names", ()))
        about = About(**values)
        numbers = (*about.image_shape, about.num_classes)
        if len(numbers) != 4 or not all(isinstance(n, int) and 0 < n < 10**6 for n in numbers):
            raise ValueError
        if not all(isinstance(text, str) for text in (about.model, about.data, *about.class_names)):
            raise ValueError
        if not all(isinstance(number, int | float) for number in (about.mean, about.std)):
            raise ValueError
        if not isinstance(about.options, dict):
            raise ValueError
        if not np.isfinite([float(about.mean), float(about.std)]).all():
            raise ValueError
    except (ValueError, TypeError, KeyError):
        raise InputError(f"{path}: not written by minise: it does not say which net") from None
    return about
