"""A run's configuration: on one machine, with the same versions, it gives the same bits."""

from __future__ import annotations

import json
import math
import zlib
from collections.abc import Callable
from typing import Any, NamedTuple, cast

import numpy as np

from minise import data, models
from minise.data import Dataset
from minise.errors import InputError
from minise.nearest import nearest
from minise.train.loop import Training
from minise.train.optimizers import SGD, AdamW, Optimizer
from minise.train.schedules import cosine, one_cycle

LR = {"sgd": 0.1, "adamw": 0.01}  # rates that reach 98 % on the sample within 12 epochs
WEIGHT_DECAY = {"sgd": 5e-4, "adamw": 0.01}
SCHEDULES = {"one-cycle": one_cycle, "cosine": cosine}
# What may change when a run is resumed; changing the rest would make it another training.
CHANGEABLE = (
    "epochs", "lr", "weight_decay", "schedule", "augment", "label_smoothing", "test_at_end",
)  # fmt: skip


class Config(NamedTuple):
    """The options of `minise train`, with their defaults."""

    model: str = "se-cnn3"
    options: dict[str, Any] = {}  # noqa: RUF012  (of the net, as `models.create` takes them)
    data: str = "sample"
    hold_out: int = 0  # training images to judge by, in place of the test images
    train_images: int = 0  # how many to learn from; 0 for all
    epochs: int = 12
    batch_size: int = 64
    optimizer: str = "sgd"
    lr: float | None = None  # the highest; None for that of `LR`
    weight_decay: float | None = None  # None for that of `WEIGHT_DECAY`
    schedule: str = "one-cycle"
    label_smoothing: float = 0.0
    augment: bool = True
    test_at_end: bool = False  # and not after each epoch
    seed: int = 0


LEAST = {"hold_out": 0, "train_images": 0, "epochs": 1, "batch_size": 1, "seed": 0}

LARGEST = 2**128 - 1  # NumPy's own seeds have as many bits


def check(config: Config) -> None:
    """Raises `InputError` for a value of the wrong kind or out of range, except of the net."""
    known = {"optimizer": list(LR), "schedule": list(SCHEDULES)}
    for name, usual in Config()._asdict().items():
        value = getattr(config, name)
        if not _is_like(value, usual):
            raise InputError(f"{name}: {value!r}, expected {KINDS[type(usual)]}")
        if name in LEAST and value < LEAST[name]:
            raise InputError(f"{name}: {value}, expected at least {LEAST[name]}")
        if type(value) is int and value > LARGEST:
            raise InputError(f"{name}: {value}, expected less than 2**128")
        if name in known and value not in known[name]:
            raise InputError(nearest(name, value, known[name]))
    if not 0 <= config.label_smoothing <= 1:
        raise InputError(f"label_smoothing: {config.label_smoothing}, expected 0 to 1")
    for name in ("lr", "weight_decay"):
        value = getattr(config, name)
        if value is not None and not 0 <= value < math.inf:
            raise InputError(f"{name}: {value}, expected 0 or more")


KINDS = {
    str: "a name",
    dict: "options of the net",
    int: "a whole number",
    bool: "true or false",
    float: "a number",
    type(None): "a number",
}


def _is_like(value: object, usual: object) -> bool:
    """Whether the value is of the kind of a default."""
    if usual is None or type(usual) is float:
        return type(value) in (int, float) or (value is None and usual is None)
    return type(value) is type(usual)


def without_usual_rates(config: Config) -> Config:
    """The same training, with None for a rate that is its optimizer's own."""
    usual = {"lr": LR.get(config.optimizer), "weight_decay": WEIGHT_DECAY.get(config.optimizer)}
    same: dict[str, Any] = {n: None for n, rate in usual.items() if getattr(config, n) == rate}
    return config._replace(**same)


def with_usual_rates(config: Config) -> Config:
    """The same training, with its rates in numbers."""
    lr = LR.get(config.optimizer) if config.lr is None else config.lr
    decay = config.weight_decay
    decay = WEIGHT_DECAY.get(config.optimizer) if decay is None else decay
    return config._replace(lr=lr, weight_decay=decay)


def training_of(config: Config, dataset: Dataset) -> Training:
    """The training that the configuration describes, at its start.

    Raises `InputError` for an option that is unknown or out of range.
    """
    check(config)
    models.check_options(config.model, config.options)
    net = models.create(
        config.model,
        num_classes=dataset.num_classes,
        in_channels=dataset.image_shape[0],
        seed=config.seed,
        **config.options,
    )
    net.image_shape = dataset.image_shape
    rated = with_usual_rates(config)
    lr, decay = cast(float, rated.lr), cast(float, rated.weight_decay)
    moves: Optimizer
    if config.optimizer == "sgd":
        moves = SGD(net.parameters(), lr, momentum=0.9, nesterov=True, weight_decay=decay)
    else:
        moves = AdamW(net.parameters(), lr, weight_decay=decay)
    steps = config.epochs * math.ceil(len(dataset.train.labels) / config.batch_size)
    return Training(
        net,
        dataset,
        moves,
        epochs=config.epochs,
        rng=np.random.default_rng([config.seed, 1]),  # not the one that drew the weights
        batch_size=config.batch_size,
        schedule=SCHEDULES[config.schedule](lr, steps),
        augment=data.shift_and_rotate if config.augment else None,
        label_smoothing=config.label_smoothing,
        test_at_end=config.test_at_end,
    )


def dataset_of(config: Config, load: Callable[[str], Dataset] = data.load) -> Dataset:
    """The images that the configuration names. Raises `InputError` where they cannot be found."""
    dataset = load(config.data)
    if config.hold_out:
        dataset = data.hold_out(dataset, config.hold_out, np.random.default_rng([config.seed, 2]))
    if config.train_images:
        rng = np.random.default_rng([config.seed, 3])
        dataset = data.learn_from(dataset, config.train_images, rng)
    return dataset


def fingerprint(dataset: Dataset) -> str:
    """A number that changes with any training image or label."""
    number = zlib.crc32(repr(dataset.train.images.shape).encode())
    for array in dataset.train:
        number = zlib.crc32(array.tobytes(), number)
    return f"{number:08x}"


def read_config(text: str) -> Config:
    """Read from the JSON of a checkpoint. Raises `InputError` for anything else."""
    try:
        values = json.loads(text)
        if isinstance(values, dict) and (unknown := sorted(values.keys() - set(Config._fields))):
            raise ValueError(f"{', '.join(unknown)}: unknown; was it made by a newer minise?")
        config = Config(**values)
        for name, usual in Config()._asdict().items():
            if not _is_like(getattr(config, name), usual):
                raise ValueError(f"{name} is {getattr(config, name)!r}")
    except (ValueError, TypeError) as error:
        raise InputError(f"not a training configuration: {error}") from None
    return config


def changed(config: Config, asked: dict[str, Any], *, allowed: bool) -> Config:
    """The configuration of a run, updated with the options given now.

    Raises an `InputError` that shows each difference. Where changes are `allowed`, only those that
    would make it another training are refused.
    """
    different = {name: v for name, v in asked.items() if v != getattr(config, name)}
    refused = [
        name
        for name in different
        # data may have moved: its fingerprint shows whether it is the same
        if name != "data" and not (allowed and name in CHANGEABLE)
    ]
    if refused:
        lines = [
            f"  {name}: {getattr(config, name)!r}, now {different[name]!r}" for name in refused
        ]
        hint = ""
        if not allowed and set(refused) <= set(CHANGEABLE):
            hint = "\n--allow-change lets the run go on with them, but its results will differ"
        raise InputError("the run was started with other options:\n" + "\n".join(lines) + hint)
    return config._replace(**different)
