"""The points of a sweep: every combination of values of options, from words or from a file.

On the command line an axis is a list with commas, `0-4` is 0,1,2,3,4, and what is in brackets or
quotes stays together: `stages=[1,2],[3]` has two values. A file is TOML:

    data = "mnist"            # for all points
    seed = "0-4"

    [[points]]                # the combinations of one table; every table adds its own
    model = ["se-resnet8", "resnet8"]

    [[points]]
    model = "se-resnet8"
    option.reduction = [2, 8, 16]
    "train_images, epochs" = [[1000, 60], [10000, 8]]   # two that go together
"""

from __future__ import annotations

import itertools
import json
import re
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from minise import data, runs
from minise.errors import InputError
from minise.nearest import nearest
from minise.runs.config import Config

OPTION = "option"  # the name of those of the net, as in --option and in a file
RANGE = re.compile(r"(\d+)-(\d+)")
MOST = 100_000  # points; more is a slip of the pen

# By the name of a field of `Config`, or "option.NAME"; or by several, whose values go together.
Axes = Mapping[str, Sequence[Any]]


def read_axis(text: str) -> list[str]:
    """The values of a list with commas, each as it was typed; `0-4` is 0,1,2,3,4."""
    values: list[str] = []
    depth, quoted, begin = 0, False, 0
    for place, sign in enumerate(text):
        if sign == '"':
            quoted = not quoted
        elif not quoted and sign in "[{":
            depth += 1
        elif not quoted and sign in "]}":
            depth -= 1
        elif not quoted and not depth and sign == ",":
            values.append(text[begin:place])
            begin = place + 1
    values.append(text[begin:])
    return [each for value in values for each in _range(value.strip())]


def _range(value: str) -> list[str]:
    if found := RANGE.fullmatch(value):
        first, last = int(found[1]), int(found[2])
        if last < first:
            raise InputError(f"{value}: the range ends before it begins")
        if last - first >= MOST:
            raise InputError(f"{value}: has {last - first + 1:,} values, expected at most {MOST:,}")
        return [str(number) for number in range(first, last + 1)]
    return [value]


def points_of(axes: Axes, base: Config | None = None) -> list[Config]:
    """Every combination of the values of the axes, the last one running fastest.

    What no axis names is that of `base`. Raises `InputError` for an unknown axis, one without
    values, and for too many points.
    """
    base = Config() if base is None else base
    count = 1
    for name, values in axes.items():
        for each in _names(name):
            field, _, option = each.partition(".")
            if field not in (*Config._fields, OPTION) or (field == OPTION) != bool(option):
                raise InputError(nearest("axis", each, [*Config._fields, f"{OPTION}.NAME"]))
        if not values:
            raise InputError(f"{name}: no value")
        count *= len(values)
    if count > MOST:
        raise InputError(f"the sweep has {count:,} points, expected at most {MOST:,}")
    return [
        _point(base, dict(pair for some in chosen for pair in some))
        for chosen in itertools.product(
            *([_together(name, value) for value in values] for name, values in axes.items())
        )
    ]


def _names(axis: str) -> list[str]:
    return [name.strip() for name in axis.split(",")]


def _together(axis: str, value: Any) -> list[tuple[str, Any]]:
    """The name and value of an axis, or those of several that go together."""
    names = _names(axis)
    if len(names) == 1:
        return [(axis, value)]
    if not isinstance(value, list) or len(value) != len(names):
        raise InputError(f"{axis}: {value!r}, expected {len(names)} values in a list")
    return list(zip(names, value, strict=True))


def _point(base: Config, chosen: Mapping[str, Any]) -> Config:
    options = dict(base.options)
    fields: dict[str, Any] = {}
    for name, value in chosen.items():
        field, _, option = name.partition(".")
        if field == OPTION:
            options[option] = value
        elif field == "options":
            options |= value
        elif field == "data":
            fields["data"] = data.located(str(value))
        else:
            fields[field] = value
    # sorted: the order in which options were typed makes no other training
    return base._replace(**fields, options=dict(sorted(options.items())))


def read_file(path: Path) -> list[Config]:
    """The points of a TOML file, each once. Raises `InputError` for anything else."""
    try:
        found = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: not TOML: {error}") from None
    tables = found.pop("points", [{}])
    if not isinstance(tables, list) or not all(isinstance(table, dict) for table in tables):
        raise InputError(f"{path}: points: expected tables, each begun by [[points]]")
    try:
        points = []
        for table in tables:
            axes = _axes(found) | _axes(table)
            recipe = axes.pop("recipe", [None])
            for name in recipe:
                base = None if name is None else runs.recipe(name).config._replace(seed=0)
                points += points_of(axes, base)
        return once(points)
    except InputError as error:
        raise InputError(f"{path}: {error}") from None


def _axes(table: Mapping[str, Any]) -> dict[str, list[Any]]:
    axes: dict[str, list[Any]] = {}
    for name, value in table.items():
        if name == OPTION and isinstance(value, dict):
            axes |= {f"{OPTION}.{option}": _values(of) for option, of in value.items()}
        else:
            axes[name.replace("-", "_")] = _values(value)
    return axes


def _values(value: Any) -> list[Any]:
    values = value if isinstance(value, list) else [value]
    ranges = [_range(each) if isinstance(each, str) else [each] for each in values]
    return [_number(each) for some in ranges for each in some]


def _number(value: Any) -> Any:
    return int(value) if isinstance(value, str) and value.isdecimal() else value


def once(points: Iterable[Config]) -> list[Config]:
    """The points without those that came before."""
    return list({json.dumps(point, sort_keys=True): point for point in points}.values())
