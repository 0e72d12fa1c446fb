"""The arrays that an object holds, and which of them are gradients of which.

W and dW (or W_grad, …)             in one object
params["W1"] and grads["W1"]        or dW1, or W1 and grads["W1"]
params[0] and grads[0]              lists in the same order
value and grad                      in an object of its own
"""

from __future__ import annotations

import copy
import types
from collections import Counter
from collections.abc import Container, Iterator, Mapping
from typing import Any, TypeAlias

import numpy as np

from minise.arrays import Array
from minise.errors import InputError
from minise.gradcheck.forms.naming import owner
from minise.gradcheck.subject import is_float

Where: TypeAlias = tuple[Any, ...]  # `Attribute`s, and keys of dictionaries and lists

GRADIENT = ("grad", "gradient")  # of the one array beside it
NO_HOLDERS = (type, types.ModuleType, types.FunctionType, types.MethodType)


class Attribute(str):
    """The name of an attribute."""

    __slots__ = ()


def arrays(thing: Any) -> dict[Where, Array]:
    """Float arrays in its attributes, in dictionaries, lists and objects there, and so on."""
    return dict(_walk(thing, (), set()))


def _walk(value: Any, where: Where, seen: set[int]) -> Iterator[tuple[Where, Array]]:
    if is_float(value):
        yield where, value
    elif id(value) not in seen:
        seen.add(id(value))
        for key, part in _parts(value):
            yield from _walk(part, (*where, key), seen)


def _parts(value: Any) -> list[tuple[Any, Any]]:
    if isinstance(value, dict):
        return list(value.items())
    if isinstance(value, list | tuple):
        return list(enumerate(value))
    if isinstance(value, NO_HOLDERS):
        return []
    return [(Attribute(name), part) for name, part in getattr(value, "__dict__", {}).items()]


def named(places: list[Where], taken: Container[str]) -> dict[str, Where]:
    """By name, as it is written: layers[0].W; W1 for params["W1"] where nothing else is that."""
    lasts = Counter(place[-1] for place in places)
    names: dict[str, Where] = {}
    for place in places:
        parts = (f".{key}" if isinstance(key, Attribute) else f"[{key!r}]" for key in place)
        name = "".join(parts).removeprefix(".")
        if len(place) == 2 and isinstance(place[-1], str) and lasts[place[-1]] == 1:
            name = str(place[-1]) if not isinstance(place[-1], Attribute) else name
        names[f"self.{name}" if name in taken else name] = place
    return names


def copied(thing: Any, values: Mapping[int, Array] | None = None) -> Any:
    """A copy that holds these arrays in every place of those with these ids.

    Raises `InputError` where Python cannot copy it.
    """
    try:
        return copy.deepcopy(thing, dict(values or {}))
    except TypeError as error:
        raise InputError(
            f"gradcheck: {type(thing).__name__} is copied for each run, and cannot be: {error}"
        ) from error


def at(thing: Any, where: Where) -> Any:
    """What is there."""
    for key in where:
        thing = getattr(thing, key) if isinstance(key, Attribute) else thing[key]
    return thing


def in_float64(thing: Any) -> Any:
    """A copy whose float arrays are of this type."""
    return copied(thing, {id(a): a.astype(np.float64) for a in arrays(thing).values()})


def owned(gradient: Where, parameters: list[Where]) -> Where | None:
    """The parameter whose gradient this place has by its name, if any."""
    *before, last = gradient
    if isinstance(last, Attribute):
        near = _names(parameters, tuple(before))
        if last.lower() in GRADIENT:
            own = [p for p in near.values() if isinstance(p[-1], Attribute) and p != gradient]
            return own[0] if len(own) == 1 else None
        return near.get(owner(last, near, itself=False) or "")
    if not before or not isinstance(before[-1], Attribute):
        return None
    *around, container = before
    same_key = {
        p[-2]: p
        for p in parameters
        if p[:-2] == tuple(around) and len(p) > 1 and p[-1] == last and p[-2] != container
    }
    if both := owner(container, same_key, itself=False):  # W[0] and dW[0]
        return same_key[both]
    if not is_gradients(container):
        return None
    if isinstance(last, str):
        near = _names(parameters, tuple(around))
        return near.get(owner(last, near) or "")
    lists = [place for key, place in same_key.items() if isinstance(key, Attribute)]
    return same_key.get(Attribute("params"), lists[0] if len(lists) == 1 else None)


def is_gradients(name: str) -> bool:
    """Whether a list or a dictionary of this name holds gradients."""
    return "grad" in name.lower() or name.lower() == "dparams"


def _names(parameters: list[Where], around: Where) -> dict[str, Where]:
    """Parameters that are attributes there, or in a dictionary that is one, by name."""
    near: dict[str, Where] = {}
    for place in parameters:
        own = place[:-1] == around and isinstance(place[-1], Attribute)
        inside = place[:-2] == around and len(place) > 1 and not isinstance(place[-1], Attribute)
        if own or (inside and isinstance(place[-2], Attribute) and isinstance(place[-1], str)):
            near.setdefault(str(place[-1]), place)
    return near
