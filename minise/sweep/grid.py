"""The points of a sweep: every combination of values of options, from words or from a file.

On the command line an axis is a list with commas, of whole numbers `0-4` is 0,1,2,3,4, and what is
in brackets or quotes stays together: `stages=[1,2],[3]` has two values. A file is TOML:

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
import logging
import re
import tomllib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from minise import data, models, runs
from minise.errors import InputError
from minise.nearest import nearest
from minise.runs.config import LARGEST, Config

_log = logging.getLogger(__name__)

USUAL = Config()._asdict()
FIELDS = [name for name in USUAL if name != "options"]
OPTION = "option"  # the name of those of the net, as in --option and in a file
POINTS = "points"  # that of tables in a file
RANGE = re.compile(r"(\d{1,18})-(\d{1,18})", re.ASCII)
MOST = 100_000  # points; more is a slip of the pen

# By the name of a field of `Config`, or "option.NAME"; or by several, whose values go together.
Axes = Mapping[str, Sequence[Any]]


def read_axis(text: str, *, ranges: bool = True) -> list[str]:
    """The values of a list with commas, each as it was typed; with `ranges`, `0-4` is 0,1,2,3,4.

    A comma within a value of JSON, as in `[1,2]` or `"a,b"`, parts nothing.
    """
    values, begin = [], 0
    while True:
        comma = _after_json(text, begin)
        if comma is None:
            comma = text.find(",", begin)
        if not 0 <= comma < len(text):
            values.append(text[begin:].strip())
            break
        values.append(text[begin:comma].strip())
        begin = comma + 1
    return [each for value in values for each in _range(value)] if ranges else values


def _after_json(text: str, begin: int) -> int | None:
    """Where the list or text in JSON that begins here ends, if it is all of a value."""
    begin = _after_blanks(text, begin)
    if not text.startswith(("[", "{", '"'), begin):
        return None
    try:
        _, end = json.JSONDecoder().raw_decode(text, begin)
    except (ValueError, RecursionError):
        return None
    end = _after_blanks(text, end)
    return end if end == len(text) or text[end] == "," else None


def _after_blanks(text: str, place: int) -> int:
    return len(text) - len(text[place:].lstrip())


def _range(value: str) -> list[str]:
    if found := RANGE.fullmatch(value):
        first, last = int(found[1]), int(found[2])
        if last < first:
            raise InputError(f"the range {value} ends before it begins")
        if last - first >= MOST:
            raise InputError(f"{value} has {last - first + 1:,} values, expected at most {MOST:,}")
        return [str(number) for number in range(first, last + 1)]
    return [value]


def points_of(axes: Axes, starts: Sequence[Config] = (Config(),)) -> list[Config]:
    """Every combination of the values of the axes, the last one running fastest.

    What no axis names is that of each of `starts`. A net without an option that another net of
    these has, as one without SE has no reduction, is there without it; that is logged.

    Raises `InputError` for an unknown axis, one without values, and for too many points.
    """
    count = len(starts)
    for name, values in axes.items():
        for each in _names(name):
            if each not in FIELDS and not re.fullmatch(rf"{OPTION}\..+", each):
                raise InputError(nearest("setting", each, [*FIELDS, f"{OPTION}.NAME"]))
        if not values:
            raise InputError(f"{name}: no value")
        count *= len(values)
    if count > MOST:
        raise InputError(f"the sweep has {count:,} points, expected at most {MOST:,}")
    if not count:
        raise InputError("the sweep has no points")
    together = [[_together(name, value) for value in values] for name, values in axes.items()]
    return _fitting(
        [
            _point(start, dict(pair for some in chosen for pair in some))
            for start in starts
            for chosen in itertools.product(*together)
        ]
    )


def _fitting(points: list[Config]) -> list[Config]:
    """The points, each without options that its net lacks and the net of another one has."""
    known = [name for name in dict.fromkeys(str(p.model) for p in points) if name in models.names()]
    used = dict.fromkeys(option for point in points for option in point.options)
    lacking = {
        name: {option for option in used if not models.has_option(name, option)} for name in known
    }
    nowhere = set.intersection(*lacking.values()) if lacking else set()
    told: dict[str, dict[str, None]] = {}
    fitting = []
    for point in points:
        # a model may be anything yet, as a list of TOML
        unfit = lacking.get(str(point.model), set()) - nowhere
        if without := [option for option in point.options if option in unfit]:
            told.setdefault(point.model, {}).update(dict.fromkeys(without))
            kept = {o: v for o, v in point.options.items() if o not in unfit}
            point = point._replace(options=kept)
        fitting.append(point)
    for name, lost in told.items():
        _log.info("%s has no option %s: it is trained without", name, ", ".join(lost))
    return fitting


def _names(axis: str) -> list[str]:
    return [name.strip() for name in axis.split(",")]


def _together(axis: str, value: Any) -> list[tuple[str, Any]]:
    """The name and value of an axis, or those of several that go together."""
    names = _names(axis)
    if len(names) == 1:
        return [(names[0], value)]
    if not isinstance(value, list) or len(value) != len(names):
        raise InputError(f"{axis}: {value!r}, expected {len(names)} values in a list")
    return list(zip(names, value, strict=True))


def _point(start: Config, chosen: Mapping[str, Any]) -> Config:
    options = dict(start.options)
    fields: dict[str, Any] = {}
    for name, value in chosen.items():
        field, _, option = name.partition(".")
        if field == OPTION:
            options[option] = value
        elif field == "data":
            fields["data"] = data.located(str(value))
        elif isinstance(USUAL[field], float | None) and type(value) is int:
            # the same training as with 1.0
            fields[field] = float(value) if abs(value) <= LARGEST else value
        else:
            fields[field] = value
    # sorted: the order in which options were typed makes no other training
    return start._replace(**fields, options=dict(sorted(options.items())))


def read_file(path: Path) -> list[Config]:
    """The points of a TOML file, in its order. Raises `InputError` for anything else."""
    try:
        found = tomllib.loads(path.read_text(encoding="utf-8-sig"))  # Windows' editors sign it
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from None
    except (ValueError, RecursionError) as error:  # also a number of 5,000 digits
        raise InputError(f"{path}: not TOML: {error}") from None
    tables = found.pop(POINTS, [{}])
    if not isinstance(tables, list) or not all(isinstance(table, dict) for table in tables):
        raise InputError(f"{path}: {POINTS}: expected tables, each begun by [[{POINTS}]]")
    points = []
    try:
        for table in tables:
            axes = _merged(_axes(found), _axes(table))
            starts = starts_of(map(str, axes.pop("recipe", [])))
            points += points_of(axes, starts)
    except InputError as error:
        raise InputError(f"{path}: {error}") from None
    return points


def starts_of(recipes: Iterable[str]) -> list[Config]:
    """The configurations of the recipes, without their seeds; the defaults where none is named."""
    return [runs.recipe(name).config._replace(seed=0) for name in recipes] or [Config()]


def _axes(table: Mapping[str, Any]) -> dict[str, list[Any]]:
    """The axes of a table. Raises `InputError` where two of them are of one name."""
    pairs: list[tuple[str, list[Any]]] = []
    for name, value in table.items():
        if name == OPTION and isinstance(value, dict):
            pairs += [(f"{OPTION}.{o}", _values(of, ranges=True)) for o, of in value.items()]
        else:
            name = name.replace("-", "_")
            pairs.append((name, _values(value, ranges=isinstance(USUAL.get(name), int))))
    names = [name for axis, _ in pairs for name in _names(axis)]
    if twice := [name for name, count in Counter(names).items() if count > 1]:
        raise InputError(f"{twice[0]}: it is there twice, expected once")
    return dict(pairs)


def _merged(usual: dict[str, list[Any]], table: dict[str, list[Any]]) -> dict[str, list[Any]]:
    """The axes of all points, but for those whose names a table has, and those of the table."""
    own = {name for axis in table for name in _names(axis)}
    return {axis: of for axis, of in usual.items() if not own.issuperset(_names(axis))} | table


def _values(value: Any, *, ranges: bool) -> list[Any]:
    """What a list holds, or else the value itself; with `ranges`, "0-4" is 0, 1, 2, 3, 4."""
    found: list[Any] = []
    for each in value if isinstance(value, list) else [value]:
        is_range = ranges and isinstance(each, str) and RANGE.fullmatch(each)
        found += map(int, _range(each)) if is_range else [each]
    return found
