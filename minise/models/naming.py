"""What others call the parts of the same nets, and what they build differently.

A row of a table has our pattern on the left and theirs on the right; * stands for any text, and on
the right *+1 and *-1 for a number that is counted from another start. The first row that matches
counts; a name that matches none is the same in both. `libraries` has the tables.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from typing import Any, NamedTuple

import numpy as np

from minise.arrays import Array
from minise.nearest import FEW, near

Table = tuple[tuple[str, str], ...]


class Family(NamedTuple):
    """Nets of a library that are built and named alike.

    `nets` has their name for each of ours, `options` is what `create` needs for a net like theirs.
    `places` says first where blocks are that are numbered otherwise there. Linear maps whose
    weights match `convolutions` are 1×1 convolutions there: (out, in, 1, 1).
    """

    nets: Mapping[str, str]
    table: Table
    options: Mapping[str, Any] = {}
    places: Table = ()
    convolutions: tuple[str, ...] = ("*.se.fc*.weight",)

    def to_theirs(self, name: str) -> str:
        """Their name for ours."""
        return _translated(_translated(name, self.places), self.table)

    def state_of_theirs(self, state: Mapping[str, Array]) -> dict[str, Array]:
        """A `state_dict` of ours with their names and their shapes."""
        return {
            self.to_theirs(name): value[:, :, None, None]
            if np.ndim(value) == 2 and any(_pattern(p).fullmatch(name) for p in self.convolutions)
            else value
            for name, value in state.items()
        }


OURS = Family({}, (), convolutions=())  # our own names


class Naming(NamedTuple):
    """A library: its families of nets, and why some nets of its own cannot be read."""

    source: str
    families: tuple[Family, ...]
    refused: Mapping[str, str] = {}  # by our name

    @property
    def nets(self) -> dict[str, str]:
        """Their name for each net that can be read and written."""
        return {ours: theirs for family in self.families for ours, theirs in family.nets.items()}

    def family(self, name: str) -> Family | None:
        """The one that has the net, by our name."""
        return next((family for family in self.families if name in family.nets), None)


def no_such_net(name: str, naming: str, library: Naming) -> str:
    """A sentence that says so, and what the library has instead."""
    if name in library.refused:
        return f"naming={naming!r} does not know {name}: {library.refused[name]}"
    nets = list(library.nets)
    close = nets if len(nets) <= FEW else near(name, nets)[:FEW] or nets
    more = f" and {len(nets) - len(close)} more" if len(nets) > len(close) else ""
    return f"naming={naming!r} has no net like {name}: it has {', '.join(close)}{more}"


def _translated(name: str, table: Table) -> str:
    for ours, theirs in table:
        if parts := _pattern(ours).fullmatch(name):
            return _filled(theirs, parts.groups())
    return name


@cache
def _pattern(ours: str) -> re.Pattern[str]:
    return re.compile(re.escape(ours).replace(r"\*", "(.*?)"))


def _filled(theirs: str, texts: tuple[str, ...]) -> str:
    ahead = iter(texts)

    def fill(star: re.Match[str]) -> str:
        text = next(ahead)
        return str(int(text) + int(star[1])) if star[1] else text

    return re.sub(r"\*([+-]1)?", fill, theirs)
