"""Which gradient is whose, of those that a backward returned."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from minise.arrays import Array, asnumpy
from minise.errors import InputError
from minise.gradcheck.forms.calls import Called
from minise.gradcheck.forms.inputs import Path, at, is_container, paths
from minise.gradcheck.forms.naming import owner
from minise.gradcheck.subject import Gradients, here, is_float

# What a loss compares with, and seldom gives a gradient of.
TARGETS = {"t", "y", "y_true", "target", "targets", "label", "labels", "truth", "teacher"}


def assigned(
    found: Any,
    inputs: Mapping[str, Any],
    who: str,
    returns: Sequence[str | None] | None = None,
    held: Mapping[str, Array] | None = None,
) -> dict[str, Any]:
    """The gradients among `found`, by the names of `containers.paths(inputs)`; no None.

    Those of a dictionary or a named tuple go by name, others in the order of `returns`, or of the
    inputs, with or without those that are no float arrays, and then the parameters `held`.

    Raises `InputError` where neither can be, and for the gradient of what is not made of floats.
    """
    held = held or {}
    everything = dict(inputs) | dict(held)
    if hasattr(found, "_asdict"):
        found = found._asdict()
    if isinstance(found, Mapping):
        gradients = _by_name(found, [*everything, *paths(everything)])
    else:
        listed = list(found) if isinstance(found, tuple | list) else [found]
        given = [gradient for gradient in listed if gradient is not None]
        if returns is not None:
            order = _asked_for(returns, listed, everything, who)
            listed = [g for g, name in zip(listed, returns, strict=True) if name is not None]
        elif (fit := _order(listed, inputs, held)) is not None:
            order = fit
        else:  # b of conv2d(x, w, b=None) was not given, and its gradient is None
            listed, order = given, _order(given, inputs, held) or _too_many(given, inputs, who)
        gradients = dict(zip(order, listed, strict=True))
    where = paths(everything)
    names = {path: name for name, path in where.items()}
    inside: dict[str, Any] = {}
    for name, gradient in gradients.items():
        path = where.get(name, (name,))
        for leaf, part in _inside(at(everything, path), gradient, path):
            value, called = at(everything, leaf), names.get(leaf, name)
            if not is_float(value) and not isinstance(value, float):
                raise InputError(
                    f"gradcheck: {called} is {dtype(value)}, so it cannot be moved a little, and "
                    f"the backward of {who} gives a gradient of it: give it as floats"
                )
            inside[called] = part
    return inside


def gradients_of(
    call: Called,
    dy: Any,
    inputs: Mapping[str, Any],
    who: str,
    returns: Sequence[str | None] | None = None,
    held: Mapping[str, Array] | None = None,
) -> dict[str, Any]:
    """What the backward of `call` returned for dy, `assigned`."""
    found = call.backward(dy)
    if found is None:
        return {}
    return assigned(found if call.takes_dy else times(dy, found), inputs, who, returns, held)


def times(dy: Any, found: Any) -> Any:
    """dy · each gradient."""
    if isinstance(found, Mapping):
        return {name: times(dy, gradient) for name, gradient in found.items()}
    if isinstance(found, list | tuple):
        return [times(dy, gradient) for gradient in found]
    return None if found is None else dy * found


def all_of(names: Iterable[str], found: Mapping[str, Any], who: str) -> Gradients:
    """Those of these names, as NumPy's arrays. Raises `InputError` where one is missing."""
    for name in names:
        if name not in found:
            raise InputError(
                f"gradcheck: the backward of {who} gave a gradient of {name} only once"
            )
    gradients = {name: asnumpy(found[name]) for name in names}
    for name, gradient in gradients.items():
        if not np.issubdtype(gradient.dtype, np.number) and gradient.dtype != bool:
            raise InputError(
                f"gradcheck: the backward of {who} gave {gradient.dtype} as the gradient of "
                f"{name}, expected numbers"
            )
    return gradients


def left_out(inputs: Mapping[str, Any], found: Mapping[str, Any], call: Called) -> Iterator[str]:
    """Lines on the float inputs and the outputs that have no part in backward."""
    where = paths(inputs)
    touched = {where[name][0] for name in found if name in where}
    for name, path in where.items():
        if (
            name not in found
            and is_float(at(inputs, path))
            and (len(path) == 1 or path[0] in touched)
        ):
            yield f"{name}: backward gives no gradient of it, so that none was checked"
    yield from call.said


def _by_name(found: Mapping[str, Any], names: list[str]) -> dict[str, Any]:
    owners = {key: owner(str(key), names) for key in found}
    gradients: dict[str, Any] = {}
    for key, name in owners.items():
        if name is not None and (name not in gradients or key == name):
            gradients[name] = found[key]
    return gradients


def _asked_for(
    returns: Sequence[str | None], listed: list[Any], everything: Mapping[str, Any], who: str
) -> list[str]:
    if len(returns) != len(listed):
        raise InputError(
            f"gradcheck: the backward of {who} gave {len(listed)} gradients, and returns= names "
            f"{len(returns)}: {', '.join(map(str, returns))}; None stands for what is the gradient "
            "of no input"
        )
    names = list(dict.fromkeys([*everything, *paths(everything)]))
    asked_for = [name for name in returns if name is not None]
    order = [owner(name, names) for name in asked_for]
    for asked, name in zip(asked_for, order, strict=True):
        if name is None or order.count(name) > 1:
            raise InputError(
                f"gradcheck: returns= names {asked!r}, expected each of these at most once: "
                f"{', '.join(names)}"
            )
    return [name for name in order if name is not None]


def _order(
    listed: list[Any], inputs: Mapping[str, Any], held: Mapping[str, Array]
) -> list[str] | None:
    """Of inputs with as many gradients, the first choice whose shapes are theirs, or the first."""
    floats = [name for name, value in inputs.items() if is_float(value)]
    choices = [
        floats,
        [n for n, value in inputs.items() if is_float(value) or isinstance(value, float)],
        [n for n, value in inputs.items() if is_float(value) or has_floats(value)],
        [n for n, value in inputs.items() if isinstance(value, np.ndarray)],
        list(inputs),
        [name for name in floats if name.lower() not in TARGETS],
        [*floats, *held],
    ]
    everything = dict(inputs) | dict(held)
    fit = [
        choice
        for choice in choices
        if len(choice) == len(listed)
        and all(_fits(everything[n], g) for n, g in zip(choice, listed, strict=True))
    ]
    shaped = [
        choice
        for choice in fit
        if all(_same_shape(everything[n], g) for n, g in zip(choice, listed, strict=True))
    ]
    return next(iter(shaped or fit), None)


def _too_many(given: list[Any], inputs: Mapping[str, Any], who: str) -> list[str]:
    floats = [name for name, value in inputs.items() if is_float(value)]
    whole = [name if name in floats else f"{name} ({dtype(v)})" for name, v in inputs.items()]
    raise InputError(
        f"gradcheck: the backward of {who} gave {len(given)} gradients for {len(floats)} inputs: "
        f"{', '.join(whole)}. Give one for each, None for what has none, or name them, as in "
        f"returns={tuple(floats[: len(given)])}"
    )


def _inside(value: Any, gradient: Any, path: Path) -> Iterator[tuple[Path, Any]]:
    """The gradient, or those of what is in a dictionary or a list."""
    if gradient is None:
        return
    if type(value) is dict and isinstance(gradient, Mapping):
        keys = {str(key): key for key in value}
        for key, part in gradient.items():
            if (name := owner(str(key), keys)) is not None:
                yield from _inside(value[keys[name]], part, (*path, keys[name]))
    elif type(value) in (list, tuple) and isinstance(gradient, list | tuple):
        for k, (part, its) in enumerate(zip(value, gradient, strict=False)):
            yield from _inside(part, its, (*path, k))
    else:
        yield path, gradient


def _fits(value: Any, gradient: Any) -> bool:
    """Whether both are arrays or numbers, or both dictionaries, or lists."""
    if gradient is None:
        return True
    if type(value) is dict:
        return isinstance(gradient, Mapping)
    return is_container(value) or not isinstance(gradient, list | tuple | Mapping)


def _same_shape(value: Any, gradient: Any) -> bool:
    if gradient is None or is_container(value):
        return True
    return bool(np.shape(here(gradient)) == np.shape(value))


def has_floats(value: Any) -> bool:
    """Whether it is a dictionary or a list with float arrays in it."""
    parts = value.values() if type(value) is dict else value
    return is_container(value) and any(is_float(part) or has_floats(part) for part in parts)


def dtype(value: Any) -> str:
    """int64, or what else it is."""
    return str(value.dtype) if isinstance(value, np.ndarray) else type(value).__name__
