"""All that a training needs to resume, as arrays and text that fit in one file.

The net's state keeps its names, so a checkpoint is also a file of weights. Beside it are the
optimiser's arrays, under "optimizer/…", and in the metadata the position, the history so far and
the states of all random generators.
"""

from __future__ import annotations

import copy
import json
from typing import Any

import numpy as np

from minise.errors import InputError
from minise.files import OPTIMIZER, Tensors
from minise.nn import differences
from minise.runs.weights import split
from minise.train.history import Epoch, History
from minise.train.loop import Training

TRAINING = "training"  # the name of the text in the metadata

# The attributes that say where the training is, with their types in JSON.
POSITION = {
    "epoch": int,
    "steps": int,
    "images": int,
    "right": int,
    "loss_sum": float,
    "seconds": float,
    "before_epoch": dict,
}


def state_of(training: Training) -> Tensors:
    """Everything that `restore` needs, and nothing that the caller passes to `Training` again."""
    optimizer = training.optimizer.state_dict()
    text = {
        **{name: getattr(training, name) for name in POSITION},
        "lr": float(training.optimizer.lr),
        "history": [epoch._asdict() for epoch in training.history],
        "generators": [rng.bit_generator.state for rng in _generators(training)],
    }
    return Tensors(
        training.net.state_dict() | {OPTIMIZER + name: v for name, v in optimizer.items()},
        {TRAINING: json.dumps(text)},
    )


def restore(training: Training, state: Tensors) -> None:
    """Put the training back where it was when the state was taken: `run` continues from there.

    Raises `InputError` for a state of another net, optimiser or kind, and then changes nothing.
    """
    weights, memory = split(state)
    position, history, lr, generators = _read(state.metadata.get(TRAINING, ""), training)
    net = {name: entry.value for name, entry in training.net.named_state()}
    if wrong := differences(net, weights):
        raise InputError(f"the checkpoint belongs to another net:\n{wrong}")
    for name, array in net.items():  # not the weights of others, whose shapes may differ
        if weights[name].shape != array.shape:
            raise InputError(f"the checkpoint belongs to another net: {name} {weights[name].shape}")
    begun = len(history) + (position["steps"] > 0)
    if training.epochs < begun:
        raise InputError(f"epochs: {training.epochs}, but epoch {begun} has already begun")
    training.optimizer.load_state_dict(memory)  # refuses what does not fit
    training.net.load_state_dict(weights)
    for rng, drawn in zip(_generators(training), generators, strict=True):
        rng.bit_generator.state = drawn
    for name, value in position.items():
        setattr(training, name, value)
    training.history, training.optimizer.lr = history, lr


def _generators(training: Training) -> list[np.random.Generator]:
    """The training's own, and those held by layers such as dropout; each once."""
    held = [
        value
        for _, layer in training.net.named_layers()
        for value in vars(layer).values()
        if isinstance(value, np.random.Generator)
    ]
    return list({id(rng): rng for rng in (training.rng, *held)}.values())


def _read(
    text: str, training: Training
) -> tuple[dict[str, Any], History, float, list[dict[str, Any]]]:
    """Position, history, learning rate and generators; checked before they are used."""
    try:
        found = json.loads(text)
        position = {name: kind(found[name]) for name, kind in POSITION.items()}
        history = History(Epoch(**epoch) for epoch in found["history"])
        generators = list(found["generators"])
        own = _generators(training)
        if len(generators) != len(own):
            raise ValueError(f"{len(generators)} generators, expected {len(own)}")
        for rng, drawn in [
            *zip(own, generators, strict=True),
            (training.rng, position["before_epoch"]),
        ]:
            copy.deepcopy(rng.bit_generator).state = drawn  # refuses other kinds of state
        steps = len(training.batches)
        if not (position["epoch"] == len(history) + 1 and 0 <= position["steps"] <= steps):
            raise ValueError(f"epoch {position['epoch']}, step {position['steps']} of {steps}")
        return position, history, float(found["lr"]), generators
    except (ValueError, TypeError, KeyError, AttributeError, OverflowError) as error:
        raise InputError(f"not a usable checkpoint: {error!r}") from None
