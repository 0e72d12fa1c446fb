"""Inputs by name, and what is differentiated of them, in dictionaries and lists as well."""

from __future__ import annotations

import copy
import inspect
from collections import Counter
from collections.abc import Callable, Container, Iterator, Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np

from minise.arrays import Array
from minise.errors import InputError
from minise.gradcheck.subject import is_float, name_of, there

TRAINING = ("training", "train", "is_training", "is_train", "train_flg")  # given by itself

Path: TypeAlias = tuple[Any, ...]  # the name of an input, and the keys into it


def named_inputs(
    forward: Callable[..., Any], inputs: tuple[Any, ...], names: Sequence[str] | None = None
) -> dict[str, Any]:
    """As `forward` calls them, unless there are `names`: x, w, b; numbered for a *star.

    Raises `InputError` for more inputs than it takes, and for other than one name for each.
    """
    if names is None:
        names = _argument_names(forward, len(inputs))
    if len(names) != len(inputs) or len(set(names)) < len(names):
        raise InputError(
            f"gradcheck: names= is {', '.join(names)}: expected {len(inputs)}, one for each input"
        )
    for name, value in zip(names, inputs, strict=True):
        if isinstance(value, np.ma.MaskedArray | np.matrix):
            masked = isinstance(value, np.ma.MaskedArray)
            made = f"{name}.filled(0)" if masked else f"np.asarray({name})"
            raise InputError(
                f"gradcheck: {name} is a {type(value).__name__}, expected an array: give {made}"
            )
    return dict(zip(names, inputs, strict=True))


def _argument_names(forward: Callable[..., Any], count: int) -> list[str]:
    names, needed = list[str](), list[str]()
    try:
        parameters = inspect.signature(forward).parameters
    except ValueError:  # written in C, as NumPy's functions are before 2.4
        return [f"inputs[{k}]" for k in range(count)]
    for name, parameter in parameters.items():
        if parameter.kind is parameter.VAR_POSITIONAL:
            names += [f"{name}[{k}]" for k in range(count - len(names))]
        elif parameter.kind in (parameter.POSITIONAL_ONLY, parameter.POSITIONAL_OR_KEYWORD):
            names.append(name)
            if parameter.default is parameter.empty and name not in (*TRAINING, "mode"):
                needed.append(name)
    if len(names) < count:
        raise InputError(f"gradcheck: {name_of(forward)} takes {len(names)} inputs, got {count}")
    if missing := [name for name in needed if name not in names[:count]]:
        raise InputError(
            f"gradcheck: {name_of(forward)} takes {', '.join(needed)}, and was given no "
            f"{' and no '.join(missing)}"
        )
    return names[:count]


def paths(inputs: Mapping[str, Any]) -> dict[str, Path]:
    """Where everything is, by name: x; W1 for params["W1"], unless another thing is called W1."""
    found = [path for name, value in inputs.items() for path in _walk(value, (name,))]
    often = Counter(path[-1] for path in found)
    return {_name(path, often): path for path in found}


def _walk(value: Any, path: Path) -> Iterator[Path]:
    if not is_container(value):
        yield path
        return
    for key, part in value.items() if type(value) is dict else enumerate(value):
        yield from _walk(part, (*path, key))


def _name(path: Path, often: Mapping[Any, int]) -> str:
    if isinstance(path[-1], str) and (len(path) == 1 or often[path[-1]] == 1):
        return path[-1]
    return str(path[0]) + "".join(f"[{key!r}]" for key in path[1:])


def is_container(value: Any) -> bool:
    """Whether it is a dictionary, a list or a tuple, which may have parameters in it."""
    return type(value) in (dict, list, tuple)


def at(inputs: Mapping[str, Any], path: Path) -> Any:
    """What is there."""
    value: Any = inputs
    for key in path:
        value = value[key]
    return value


def moved(inputs: Mapping[str, Any], names: Container[str]) -> dict[str, Array]:
    """Copies of what bears these names, in float64."""
    where = {name: path for name, path in paths(inputs).items() if name in names}
    return {name: np.array(at(inputs, path), np.float64) for name, path in where.items()}


def placed(
    inputs: Mapping[str, Any], variables: Mapping[str, Array], where: Mapping[str, Path]
) -> dict[str, Any]:
    """Copies, with the variables at their places, where the backend in use wants them.

    `where` is what `paths` says. Other floats are taken to float64 too, as the variables are.
    """
    values = {where[name]: array for name, array in variables.items() if name in where}

    def built(value: Any, path: Path) -> Any:
        if path in values:
            return there(values[path]) if isinstance(value, np.ndarray) else values[path][()]
        if type(value) is dict:
            return {key: built(part, (*path, key)) for key, part in value.items()}
        if is_container(value):
            return type(value)(built(part, (*path, k)) for k, part in enumerate(value))
        return there(value.astype(np.float64) if is_float(value) else copy.deepcopy(value))

    return {name: built(value, (name,)) for name, value in inputs.items()}
