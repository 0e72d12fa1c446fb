"""Which points cannot be trained, found out before any is."""

from __future__ import annotations

import json
from collections.abc import Sequence

import numpy as np

from minise import backend, models
from minise.cost import cost
from minise.errors import InputError
from minise.nn import Layer
from minise.runs.config import Config, check
from minise.sweep.images import images_of
from minise.train.warm_up import nets_for

SHOWN = 3  # problems that are told
OF_HIDDEN = "reduction", "hidden"


class Nets:
    """The nets of a sweep, each made once with arbitrary weights, to see whether it fits."""

    def __init__(self) -> None:
        self._problems: dict[str, str | None] = {}
        self._multiply_adds: dict[str, int] = {}

    def check(self, config: Config) -> None:
        """Raises `InputError` for options that the net does not take, or images that do not fit."""
        key = net_of(config)
        if key not in self._problems:
            try:
                make(config)
                self.multiply_adds(config)
            except InputError as error:
                self._problems[key] = str(error)
            else:
                self._problems[key] = None
        if problem := self._problems[key]:
            raise InputError(problem)

    def multiply_adds(self, config: Config) -> int:
        """For one image. Hidden units, which change them little, are left at their usual number.

        Raises `InputError` where the images do not fit.
        """
        usual = {name: v for name, v in config.options.items() if name not in OF_HIDDEN}
        config = config._replace(options=usual)
        key = net_of(config)
        if key not in self._multiply_adds:
            net, shape = make(config), images_of(config.data).shape
            try:
                # of numbers that mean nothing; and no kernel shall be compiled for them
                with np.errstate(all="ignore"), backend.using("numpy"):
                    self._multiply_adds[key] = cost(net, shape).multiply_adds
            except InputError as error:
                raise InputError(f"{config.model}: {error}; {nets_for(shape)}") from None
        return self._multiply_adds[key]


def make(config: Config) -> Layer:
    """The net of a configuration, its weights arbitrary."""
    images = images_of(config.data)
    return models.create(
        config.model,
        num_classes=images.num_classes,
        in_channels=images.shape[0],
        filled=False,
        **config.options,
    )


def net_of(config: Config) -> str:
    """What tells a net, and the images it takes, from another."""
    images = images_of(config.data)
    return json.dumps(
        [config.model, config.options, images.shape, images.num_classes],
        sort_keys=True,
        default=str,  # a date of TOML, which no net takes
    )


def check_all(configs: Sequence[Config], nets: Nets) -> None:
    """Raises `InputError` for configurations that cannot be trained; it tells of the first few."""
    problems: dict[str, int] = {}
    drawn: set[tuple[str, int, int, int]] = set()  # draws of images that lose no class
    for config in configs:
        try:
            check(config)
            images_of(config.data).used_by(config)
            nets.check(config)
            draw = config.data, config.hold_out, config.train_images, config.seed
            if draw not in drawn:
                images_of(config.data).check_drawn(config)
                drawn.add(draw)
        except InputError as error:
            problems[str(error)] = problems.get(str(error), 0) + 1
    if problems:
        count = sum(problems.values())
        of = "the only point" if len(configs) == 1 else f"{count:,} of {len(configs):,} points"
        shown = [f"\n  {told}" for told in list(problems)[:SHOWN]]
        if len(problems) > SHOWN:
            shown.append(f"\n  and {len(problems) - SHOWN:,} more")
        raise InputError(f"{of} cannot be trained, so none is:{''.join(shown)}")
