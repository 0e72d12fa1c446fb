"""Where the state of a net is in a file: checkpoints hold several, and nets wrap others.

A net in `DataParallel` has "module." before its names, a compiled one "_orig_mod.", one within
another module that module's name for it, and its head may have another prefix.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from pathlib import Path

from minise.arrays import Array
from minise.errors import InputError


def find_state(
    path: Path, arrays: Mapping[str, Array], expected: set[str], key: str | None
) -> dict[str, Array]:
    """The arrays that fit best, without the prefixes that wrappers put before the names.

    In "model/fc.bias" the first part is the dictionary that the array was found in. Warns where
    names had different prefixes. Raises `InputError` where several dictionaries have all the
    expected names and `key` does not say which, or names one that is not there.
    """
    if key is not None:
        under = _under(arrays, key)
        if not under:
            raise InputError(f"{path} has no {key!r}: there are {', '.join(_tops(arrays))}")
        arrays = under
    states = _states(arrays, expected)
    fitting = [place for place, state in states.items() if expected <= state.keys()]
    if len(fitting) > 1:
        raise InputError(
            f"{path} holds several states that fit, {', '.join(fitting)}: "
            f"say which, as in key={fitting[0]!r}"
        )
    best = max(states.values(), key=lambda state: len(expected & state.keys()), default={})
    before = {name.removesuffix(short) for short, name in best.items() if short in expected}
    if not before:
        return dict(arrays)  # shown as they are
    if len(before) > 1 and fitting:
        told = ", others with ".join(repr(text) if text else "nothing" for text in sorted(before))
        warnings.warn(f"{path}: some names begin with {told}", stacklevel=3)
    return {short: arrays[name] for short, name in best.items()}


def count_found(arrays: Mapping[str, Array], expected: set[str]) -> int:
    """How many of the expected names are in the state that has the most of them."""
    found = (len(expected & state.keys()) for state in _states(arrays, expected).values())
    return max(found, default=0)


def _states(arrays: Mapping[str, Array], expected: set[str]) -> dict[str, dict[str, str]]:
    """For each dictionary of the file, the full names by those without wrappers."""
    states: dict[str, dict[str, str]] = {}
    for name in arrays:
        place, _, short = name.rpartition("/")
        states.setdefault(place, {})[short] = name
    return {place: _unwrapped(state, expected) for place, state in states.items()}


def _unwrapped(state: dict[str, str], expected: set[str]) -> dict[str, str]:
    """Without what precedes the expected names, where that finds more of them."""
    first = {name.partition(".")[0] for name in expected}
    shorter: dict[str, str] = {}
    for name, full in state.items():
        parts = name.split(".")
        while parts[0] not in first and len(parts) > 1:
            parts = parts[1:]
        short = ".".join(parts)
        shorter[short if short in expected else name] = full
    if len(shorter) < len(state):  # two became one: not a choice to make silently
        return state
    return max(state, shorter, key=lambda names: len(expected & names.keys()))


def fitting_keys(arrays: Mapping[str, Array], expected: set[str]) -> list[str]:
    """The prefixes under which all expected names are found, where there are others."""
    tops = _tops(arrays)
    fits = [top for top in tops if count_found(_under(arrays, top), expected) == len(expected)]
    return fits if len(tops) > 1 else []


def _under(arrays: Mapping[str, Array], key: str) -> dict[str, Array]:
    beginnings = f"{key}/", f"{key}."
    return {n[len(key) + 1 :]: v for n, v in arrays.items() if n.startswith(beginnings)}


def _tops(arrays: Mapping[str, Array]) -> list[str]:
    """What the names begin with, each once."""
    return sorted({name.split("/")[0].split(".")[0] for name in arrays})
