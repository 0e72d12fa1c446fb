"""Trainings worth repeating: their configurations and their results.

`minise train --recipe NAME --seed N` runs one, `minise recipes` shows them all. They were tuned on
training images that were held out (`--hold-out 10000`); the test images were used only
after the last epoch, with each listed seed and no other.
"""

from __future__ import annotations

from typing import NamedTuple

from minise.errors import InputError
from minise.nearest import nearest
from minise.runs.config import Config
from minise.runs.seeds import Seeds

TEST_IMAGES = 10_000  # of MNIST


class Recipe(NamedTuple):
    """A configuration of `minise train`, and the test images it got wrong."""

    about: str
    config: Config
    wrong: tuple[int, ...]  # of MNIST's 10,000, with the seeds 0, 1, 2, …
    wrong_without_se: tuple[int, ...]  # the same without SE

    @property
    def accuracy(self) -> Seeds:
        """On the test images."""
        return _accuracy(self.wrong)

    @property
    def accuracy_without_se(self) -> Seeds:
        """The same, of the net without SE."""
        return _accuracy(self.wrong_without_se)


def _accuracy(wrong: tuple[int, ...]) -> Seeds:
    return Seeds({seed: 1 - count / TEST_IMAGES for seed, count in enumerate(wrong)})


RECIPES = {
    "record-8k": Recipe(
        "fewer than 8,000 parameters, 15 epochs",
        Config(
            model="se-vgg-8k",
            data="mnist",
            epochs=15,
            lr=0.3,
            weight_decay=2e-4,
            test_at_end=True,
        ),
        wrong=(41, 38, 50, 45, 48),
        wrong_without_se=(49, 51, 55, 62, 47),
    ),
    "record-minute": Recipe(
        "from the command to the test accuracy within a minute, on two cores",
        Config(
            model="se-vgg-18k",
            data="mnist",
            epochs=4,
            lr=0.4,
            weight_decay=3e-4,
            test_at_end=True,
        ),
        wrong=(55, 68, 64, 57, 65),
        wrong_without_se=(63, 58, 61, 62, 56),
    ),
    "record-best": Recipe(
        "one net, as good as it gets in less than half an hour",
        Config(
            model="se-vgg-127k",
            data="mnist",
            epochs=20,
            batch_size=128,
            lr=0.2,
            weight_decay=5e-4,
            test_at_end=True,
        ),
        wrong=(30, 24, 42, 33),
        wrong_without_se=(35, 29, 29, 25),
    ),
}


def recipe(name: str) -> Recipe:
    """The recipe of that name. Raises `InputError` for an unknown one."""
    if name not in RECIPES:
        raise InputError(nearest("recipe", name, list(RECIPES)))
    return RECIPES[name]
