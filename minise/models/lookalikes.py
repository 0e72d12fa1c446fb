"""Which net a file is of, if it is one of ours under some library's names.

Asked only where a file does not fit: every net that a library has is outlined, and compared by the
names and shapes of its arrays.
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from minise.arrays import Array
from minise.errors import InputError
from minise.models.libraries import NAMINGS
from minise.models.naming import OURS, Family
from minise.models.registry import arguments, create, has_option, names
from minise.models.states import find_state
from minise.nn.layer import Layer, MadeAs

Shape = tuple[int, ...]
Outline = tuple[tuple[str, Shape], ...]  # in the order of the layers


def call_that_reads(path: Path, name: str, arrays: Mapping[str, Array]) -> str:
    """As in: models.load("se-resnet18", "x.pth", naming="timm"); "" where none does.

    The net that was asked for comes first, under any names.
    """
    for net, naming, family in sorted(_candidates(), key=lambda candidate: candidate[0] != name):
        made = _made(path, net, family, arrays)
        if made is not None:
            given = "" if naming is None else f', naming="{naming}"'
            return f'models.load("{net}", {quoted(path)}{given}{arguments(made)})'
    return ""


def quoted(path: Path) -> str:
    """As it is typed in Python, in double quotes."""
    return json.dumps(str(path), ensure_ascii=False)


def _candidates() -> Iterator[tuple[str, str | None, Family]]:
    yield from ((name, None, OURS) for name in names())
    for naming, library in NAMINGS.items():
        for family in library.families:
            yield from ((name, naming, family) for name in family.nets)


def _made(path: Path, name: str, family: Family, arrays: Mapping[str, Array]) -> MadeAs | None:
    """The classes and channels with which the file fits this net."""
    options = tuple((key, v) for key, v in family.options.items() if has_option(name, key))
    outline = {family.to_theirs(ours): shape for ours, shape in _outline(name, options)}
    if len(arrays) < len(outline):
        return None
    try:
        with warnings.catch_warnings(action="ignore"):
            found = find_state(path, arrays, set(outline), None)
    except InputError:
        return None
    if found.keys() != outline.keys() or any(v.dtype.kind != "f" for v in found.values()):
        return None
    given = {key: _as_linear(np.shape(found[key])) for key in outline}
    first, *_, weight, bias = outline  # of the classifier
    num_classes, in_channels = given[bias][0], given[first][1]
    expected = {key: _as_linear(shape) for key, shape in outline.items()}
    expected[first] = (expected[first][0], in_channels, *expected[first][2:])
    expected[weight], expected[bias] = (num_classes, *expected[weight][1:]), (num_classes,)
    return MadeAs(name, num_classes, in_channels, {}) if given == expected else None


@cache
def _outline(name: str, options: tuple[tuple[str, Any], ...]) -> Outline:
    net: Layer = create(name, filled=False, **dict(options))
    return tuple((key, entry.value.shape) for key, entry in net.named_state())


def _as_linear(shape: Shape) -> Shape:
    """The weights of a linear map and those of a 1×1 convolution are the same numbers."""
    return shape[:2] if shape[2:] == (1, 1) else shape
