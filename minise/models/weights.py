"""Weights of named nets, read and written, under our names or those of others."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from numbers import Integral
from pathlib import Path
from typing import Any

from minise.arrays import Array
from minise.errors import InputError
from minise.files import WEIGHTS, Tensors, read_tensors, write_tensors
from minise.models.libraries import NAMINGS
from minise.models.lookalikes import call_that_reads, quoted
from minise.models.naming import OURS, Family, Naming, no_such_net
from minise.models.registry import about, again, call_of, create, has_option
from minise.models.states import count_found, find_state, fitting_keys
from minise.models.structure import difference
from minise.nearest import nearest
from minise.nn import Layer, differences


def load(
    name: str,
    path: str | os.PathLike[str],
    *,
    naming: str | None = None,
    key: str | None = None,
    **options: Any,
) -> Layer:
    """The net of this name with the weights in a file, built like the net of `naming`.

    `path` is a `.safetensors` file, where PyTorch is installed a `.pth` file, or the folder of a
    run. `naming` is one of `NAMINGS`, None for minise's own. `options` are those of `create`, and
    override theirs: the net is then another than theirs. Classes and channels are those of the
    file if it is from minise.

    Prefixes of wrappers, such as "module.", "backbone." or "_orig_mod.", are removed from names,
    and of the dictionaries in a checkpoint {"model": …, "epoch": …} the one that fits is used.
    Where several fit, `key` says which, as in "ema"; it may also be a prefix of names.

    Raises `InputError` for an unknown naming and for one without such a net, for a file that
    cannot be read or has several states that fit, and for one of another net: then with a list of
    the missing and unexpected tensors, by their names in the file, and the call that reads it.
    """
    library = None if naming is None else _library(naming)
    about(name)
    path = find_weights(Path(path))
    state, metadata = read_tensors(path)
    # PyTorch counts the batches of each norm; nothing depends on that
    state = {name: v for name, v in state.items() if not name.endswith("num_batches_tracked")}
    family = OURS if library is None else library.family(name)
    if family is None:
        told = no_such_net(name, str(naming), NAMINGS[str(naming)])
        raise InputError(told + _reading(path, name, state))
    said = _said(path, name, options, metadata.get("minise", ""))
    image_shape = said.pop("image_shape", None)
    net = create(name, **{"filled": False, **_options(name, family), **said, **options})
    if image_shape is not None:
        net.image_shape = image_shape
    own = {ours: entry.value for ours, entry in net.named_state()}
    called = {ours: family.to_theirs(ours) for ours in own}
    arrays = find_state(path, state, set(called.values()), key)
    wrong = differences({called[ours]: value for ours, value in own.items()}, arrays)
    if wrong:
        language = "" if naming is None else f" in the names of {naming}"
        hint = _reading(path, name, state) or _hint(name, set(own), naming, state)
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


def save(
    net: Layer,
    path: str | os.PathLike[str],
    *,
    naming: str | None = None,
    dtype: str | None = None,
) -> None:
    """Write the net's state to a `.safetensors` file, under our names or those of `NAMINGS`.

    Under theirs only a net is written that is the same as theirs, which is built and compared.
    `dtype` is "float16", "bfloat16", "float32" or "float64", to the nearest number of which all
    are rounded, ties to even; None keeps that of the net. Under our names the file says which net
    it is of, where `create` made it, and `load` refuses to take it for another.

    Raises `InputError` for an unknown naming or dtype, for a net that is not theirs, with what
    differs and the call of `create` that makes theirs, for numbers that are too large for the
    dtype, and where the file cannot be written.
    """
    state = net.state_dict()
    if naming is None:
        return write_tensors(Path(path), Tensors(state, _metadata(net)), dtype)
    family = _family_like(net, naming)
    write_tensors(Path(path), Tensors(family.state_of_theirs(state), {}), dtype)


def _library(naming: str) -> Naming:
    if naming not in NAMINGS:
        raise InputError(nearest("naming", naming, list(NAMINGS)))
    return NAMINGS[naming]


def _options(name: str, family: Family) -> dict[str, Any]:
    """Theirs that this net takes: one without SE has no rounding."""
    return {key: value for key, value in family.options.items() if has_option(name, key)}


def _family_like(net: Layer, naming: str) -> Family:
    """The one whose net is the same. Raises `InputError` where there is none."""
    library, made = _library(naming), net.made_as
    if made is None:
        raise InputError(
            f"naming={naming!r} is for nets that models.create or models.load made: "
            f"they know which net of theirs this {type(net).__name__} would be"
        )
    family = library.family(made.name)
    if family is None:
        raise InputError(no_such_net(made.name, naming, library))
    options = _options(made.name, family)
    if told := difference(net, again(made._replace(options=options))):
        raise InputError(
            f"this {made.name} is not {naming}'s {family.nets[made.name]}: {told}. "
            f"{call_of(made._replace(options=options))} makes theirs"
        )
    return family


def _metadata(net: Layer) -> dict[str, str]:
    """What `_said` reads: of nets that are as `create` made them, and have an image's shape."""
    made = net.made_as
    if made is None or net.image_shape is None or difference(net, again(made)):
        return {}
    values = {
        "model": made.name,
        "num_classes": made.num_classes,
        "image_shape": net.image_shape,
        "options": made.options,
    }
    try:
        return {"minise": json.dumps(values, default=_as_text)}
    except TypeError:
        return {}


def _as_text(value: Any) -> Any:
    """NumPy's whole numbers, and sets of stages."""
    return int(value) if isinstance(value, Integral) else sorted(value)


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
    if model != name or not _alike(name, others, asked):
        told = ", ".join(f"{option}={value!r}" for option, value in others.items())
        raise InputError(
            f"{path} is of {model}"
            + (f" with {told}" if told else "")
            + f", not of {name}{' with other options' if model == name else ''}: "
            + f'models.load("{model}", {", ".join(filter(None, [quoted(path), told]))}) reads it'
        )
    return {**sizes, "image_shape": (C, H, W)}


def _alike(name: str, options: dict[str, Any], others: dict[str, Any]) -> bool:
    """Whether both make the same net: one may name what the other takes by default."""
    if options == others:
        return True
    first, second = (create(name, filled=False, **given) for given in (options, others))
    return not difference(first, second)


def _reading(path: Path, name: str, state: Mapping[str, Array]) -> str:
    call = call_that_reads(path, name, state)
    return f"\n  this call fits the file: {call}" if call else ""


def _hint(name: str, own: set[str], tried: str | None, arrays: Mapping[str, Array]) -> str:
    """Whose names the file uses, if others fit it better; or which part of it fits."""
    families: dict[str | None, Family] = {None: OURS}
    families |= {n: family for n in NAMINGS if (family := NAMINGS[n].family(name))}
    called = {naming: set(map(f.to_theirs, own)) for naming, f in families.items()}
    counts = {naming: count_found(arrays, names) for naming, names in called.items()}
    best = max(counts, key=lambda naming: counts[naming])
    if counts[best] > counts[tried]:
        return f"\n  its names look like those of naming={best!r}"
    keys = fitting_keys(arrays, called[tried])
    return f"\n  a part of it fits: {' or '.join(f'key={key!r}' for key in keys)}" if keys else ""
