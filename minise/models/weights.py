"""Weights of named nets, from and into files, under our names or those that others use."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from minise.errors import InputError
from minise.files import OPTIMIZER, Tensors, read_tensors, write_tensors
from minise.models.naming import NAMES, find, state_of_theirs, to_theirs
from minise.models.registry import create, has_option
from minise.nn import Layer, differences


def load(
    name: str, path: str | os.PathLike[str], *, names: str | None = None, **options: Any
) -> Layer:
    """The net of this name, built as those who chose the names build it, with the file's weights.

    `path` is a `.safetensors` file, or where PyTorch is installed a `.pth` file. `names` is one of
    `NAMES`, None for minise's own. `options` are those of `create`, and win over theirs.

    Raises `InputError` for unknown names, for a file that cannot be read, and for one of another
    net: then with a list of what is left over on either side, in the names of the file.
    """
    theirs = {} if names is None else find(names).options
    theirs = {option: value for option, value in theirs.items() if has_option(name, option)}
    net = create(name, **{"filled": False, **theirs, **options})
    state, metadata = read_tensors(Path(path))
    _check_said(path, name, options, metadata.get("minise", ""))
    # PyTorch counts the batches of each norm, which nothing depends on
    state = {
        name: value
        for name, value in state.items()
        if not (name.endswith("num_batches_tracked") or name.startswith(OPTIMIZER))
    }
    own = {ours: entry.value for ours, entry in net.named_state()}
    called = {ours: _named(ours, names) for ours in own}
    wrong = differences({called[ours]: value for ours, value in own.items()}, state)
    if wrong:
        language = "" if names is None else f" in the names of {names}"
        hint = _hint(set(own), names, set(state))
        raise InputError(f"{path} does not fit {name}{language}:\n{wrong}{hint}")
    net.load_state_dict({ours: state[called[ours]] for ours in own})
    return net


def save(net: Layer, path: str | os.PathLike[str], *, names: str | None = None) -> None:
    """Write the net's state to a `.safetensors` file, under the names of `NAMES` or our own.

    Raises `InputError` for unknown names, and where the file cannot be written.
    """
    state = net.state_dict()
    if names is not None:
        state = state_of_theirs(state, find(names))
    write_tensors(Path(path), Tensors(state, {}))


def _check_said(
    path: str | os.PathLike[str], name: str, options: dict[str, Any], said: str
) -> None:
    """A run's file says which net it is of: other options may have weights of the same shapes."""
    try:
        about = json.loads(said)
        model, others = about["model"], dict(about.get("options", {}))
    except (ValueError, TypeError, KeyError):
        return  # of somebody else, or saved without
    asked = {option: value for option, value in options.items() if has_option(name, option)}
    if (model, others) != (name, asked):
        told = ", ".join(f"{option}={value!r}" for option, value in others.items())
        raise InputError(f"{path} is of {model}" + (f" with {told}" if told else ""))


def _named(ours: str, names: str | None) -> str:
    return ours if names is None else to_theirs(ours, find(names))


def _hint(own: set[str], tried: str | None, given: set[str]) -> str:
    """Whose names the file has, if others fit it better."""
    found = {names: len({_named(ours, names) for ours in own} & given) for names in (None, *NAMES)}
    best = max(found, key=lambda names: found[names])
    if found[best] <= found[tried]:
        return ""
    return f"\n  its names look like those of names={best!r}"
