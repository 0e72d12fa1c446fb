"""Weights of named nets, read and written, under our names or those of others."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from minise.arrays import Array
from minise.errors import InputError
from minise.files import WEIGHTS, Tensors, read_tensors, write_tensors
from minise.models.naming import NAMINGS, find, state_of_theirs, to_theirs
from minise.models.registry import create, has_option
from minise.models.states import count_found, find_state, fitting_keys
from minise.nn import Layer, differences


def load(
    name: str,
    path: str | os.PathLike[str],
    *,
    naming: str | None = None,
    key: str | None = None,
    **options: Any,
) -> Layer:
    """The net of this name with the weights in a file, built like the nets of `naming`.

    `path` is a `.safetensors` file, where PyTorch is installed a `.pth` file, or the folder of a
    run. `naming` is one of `NAMINGS`, None for minise's own. `options` are those of `create`, and
    override theirs; classes and channels are those of the file if it is from minise.

    Prefixes of wrappers, such as "module.", "backbone." or "_orig_mod.", are removed from names,
    and of the dictionaries in a checkpoint {"model": …, "epoch": …} the one that fits is used.
    Where several fit, `key` says which, as in "ema"; it may also be a prefix of names.

    Raises `InputError` for an unknown naming, for a file that cannot be read or has several states
    that fit, and for one of another net: then with a list of the missing and unexpected
    tensors, by their names in the file.
    """
    theirs = {} if naming is None else find(naming).options
    theirs = {option: value for option, value in theirs.items() if has_option(name, option)}
    path = find_weights(Path(path))
    state, metadata = read_tensors(path)
    said = _said(path, name, options, metadata.get("minise", ""))
    image_shape = said.pop("image_shape", None)
    net = create(name, **{"filled": False, **theirs, **said, **options})
    if image_shape is not None:
        net.image_shape = image_shape
    own = {ours: entry.value for ours, entry in net.named_state()}
    called = {ours: _named(ours, naming) for ours in own}
    # PyTorch counts the batches of each norm; nothing depends on that
    state = {name: v for name, v in state.items() if not name.endswith("num_batches_tracked")}
    arrays = find_state(path, state, set(called.values()), key)
    wrong = differences({called[ours]: value for ours, value in own.items()}, arrays)
    if wrong:
        language = "" if naming is None else f" in the names of {naming}"
        hint = _hint(set(own), naming, state)
        raise InputError(f"{path} does not fit {name}{language}:\n{wrong}{hint}")
    net.load_state_dict({ours: arrays[called[ours]] for ours in own})
    return net


def find_weights(path: Path) -> Path:
    """The file itself, or the one in a run's folder. Raises `InputError` where there is none."""
    if not path.is_dir() or (path / WEIGHTS).exists():
        return path / WEIGHTS if path.is_dir() else path
    if (path / "config.json").exists():
        raise InputError(f"{path} has no {WEIGHTS} yet: a run writes it after each epoch")
    if runs := sorted(path.glob(f"*/{WEIGHTS}")):
        raise InputError(f"{path} is not a run, but holds runs: name one, as in {runs[-1].parent}")
    raise InputError(f"{path} is not a run: there is no {WEIGHTS} in that folder")


def save(net: Layer, path: str | os.PathLike[str], *, naming: str | None = None) -> None:
    """Write the net's state to a `.safetensors` file, under our names or those of `NAMINGS`.

    Raises `InputError` for an unknown naming, and where the file cannot be written.
    """
    state = net.state_dict()
    if naming is not None:
        state = state_of_theirs(state, find(naming))
    write_tensors(Path(path), Tensors(state, {}))


def _said(path: Path, name: str, options: dict[str, Any], said: str) -> dict[str, Any]:
    """Classes and channels of a run's file, which also says which net it belongs to.

    Nets with other options may have weights of the same shapes.
    """
    try:
        about = json.loads(said)
        model, others = about["model"], dict(about.get("options", {}))
        C, H, W = about["image_shape"]
        sizes = {"num_classes": int(about["num_classes"]), "in_channels": C}
    except (ValueError, TypeError, KeyError):
        return {}  # from elsewhere, or saved without
    asked = {option: value for option, value in options.items() if has_option(name, option)}
    if (model, others) != (name, asked):
        told = ", ".join(f"{option}={value!r}" for option, value in others.items())
        raise InputError(
            f"{path} is of {model}"
            + (f" with {told}" if told else "")
            + f", not of {name}{' with other options' if model == name else ''}: "
            + f'models.load("{model}", {", ".join(filter(None, ["…", told]))}) reads it'
        )
    return {**sizes, "image_shape": (C, H, W)}


def _named(ours: str, naming: str | None) -> str:
    return ours if naming is None else to_theirs(ours, find(naming))


def _hint(own: set[str], tried: str | None, arrays: Mapping[str, Array]) -> str:
    """Whose names the file uses, if others fit it better; or which part of it fits."""
    found = {
        naming: count_found(arrays, {_named(ours, naming) for ours in own})
        for naming in (None, *NAMINGS)
    }
    best = max(found, key=lambda naming: found[naming])
    if found[best] > found[tried]:
        return f"\n  its names look like those of naming={best!r}"
    keys = fitting_keys(arrays, {_named(ours, tried) for ours in own})
    return f"\n  a part of it fits: {' or '.join(f'key={key!r}' for key in keys)}" if keys else ""
