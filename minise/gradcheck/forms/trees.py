"""Dictionaries, lists and tuples of arrays, as inputs and as outputs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any


def leaves(tree: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    """What is in it, with names such as "params['w']" and "states[0]"."""
    if isinstance(tree, Mapping):
        for key, value in tree.items():
            yield from leaves(value, f"{name}[{key!r}]" if name else str(key))
    elif isinstance(tree, list | tuple):
        for k, value in enumerate(tree):
            yield from leaves(value, f"{name}[{k}]")
    else:
        yield name, tree


def mapped(function: Callable[[str, Any], Any], tree: Any, name: str = "") -> Any:
    """The same tree, of what `function` makes of each name and leaf."""
    if isinstance(tree, Mapping):
        return {
            key: mapped(function, value, f"{name}[{key!r}]" if name else str(key))
            for key, value in tree.items()
        }
    if isinstance(tree, list | tuple):
        made = [mapped(function, value, f"{name}[{k}]") for k, value in enumerate(tree)]
        return type(tree)(*made) if hasattr(tree, "_fields") else type(tree)(made)
    return function(name, tree)
