"""Groups of runs that differ only in their seed, each compared with its baseline."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from minise import models
from minise.errors import InputError
from minise.nearest import FEW, nearest
from minise.runs.config import Config, with_usual_rates
from minise.runs.records import key
from minise.runs.seeds import Seeds

JOINT = 0.95  # the confidence of all intervals of one training together
Groups = Sequence[tuple[Config, Seeds]]  # as `over_seeds` returns them


class Comparison(NamedTuple):
    """What a change does: a group of runs against another, over the seeds that both have."""

    config: Config
    baseline: Config
    difference: Seeds  # config − baseline, seed by seed
    family: int  # comparisons whose baselines were trained alike: data, images, epochs, …

    @property
    def confidence(self) -> float:
        """Of the interval, so that it is `JOINT` for the whole family (Bonferroni)."""
        return 1 - (1 - JOINT) / self.family

    @property
    def interval(self) -> tuple[float, float] | None:
        """Student's; None where there is none, as of one seed."""
        return self.difference.interval(self.confidence)


def compare(groups: Groups, baseline: str | None = None) -> list[Comparison]:
    """Compare each group with its baseline, where it has one with a seed in common.

    The baseline of a group is the one that is the same in all but what the words of `baseline`
    name: a model, or NAME=VALUE. A model stands for a whole net: it has the options that all its
    groups have, those that are named, and no others. Without words, it is the same net without SE,
    where there are two seeds in common.

    Raises `InputError` for what no group has, and where no group has such a baseline.
    """
    known = {key(config): (config, tests) for config, tests in groups}
    named = None if baseline is None else _read(baseline, [config for config, _ in groups])
    pairs = []
    for config, tests in groups:
        wanted = without_se(config) if named is None else named.of(config)
        other, others = known.get(key(wanted), (None, None)) if wanted else (None, None)
        if other is None or others is None or other == config:
            continue
        if len(tests.both(others)) >= (1 if named else 2):
            pairs.append((config, other, tests - others))
    if named and not pairs:
        names = [name for name in differing_settings([c for c, _ in groups]) if name != "model"]
        fitting = [in_words(c, names) for c, _ in groups if named.fits(c)]
        rest = f", … ({len(fitting)})" if len(fitting) > FEW else ""
        raise InputError(
            f"--baseline {baseline}: no group is the same as another but for that, and has a seed "
            f"in common with it; there are: {', '.join(fitting[:FEW]) or 'none'}{rest}"
        )
    families = Counter(trained(other) for _, other, _ in pairs)
    return [Comparison(*pair, families[trained(pair[1])]) for pair in pairs]


def without_se(config: Config) -> Config | None:
    """The same training without SE; None where there is no such net."""
    plain = config.model.removeprefix("se-")
    if plain == config.model or plain not in models.names():
        return None
    options = {k: v for k, v in config.options.items() if models.has_option(plain, k)}
    return config._replace(model=plain, options=options)


def trained(config: Config) -> str:
    """Equal for nets that are trained alike."""
    return key(config._replace(model="", options={}))


def settings(config: Config) -> dict[str, Any]:
    """Its fields by name, and its options among them."""
    fields = config._asdict()
    options: dict[str, Any] = fields.pop("options")
    return {"model": fields.pop("model"), **options, **fields}


def told(config: Config, names: Iterable[str]) -> str:
    """Those of its settings that it has, as in "placement=pre epochs=2"."""
    found = settings(config)
    return " ".join(f"{n}={as_word(found[n])}" for n in names if found.get(n) is not None)


def in_words(config: Config, names: Iterable[str]) -> str:
    """Its model, and what is `told` of it, as in "se-resnet8 reduction=2"."""
    return f"{config.model} {told(config, names)}".strip()


def differing_settings(configs: Sequence[Config]) -> list[str]:
    """In which of their `settings` the configurations differ, the options one by one."""
    found = [settings(config) for config in configs]
    options = {name for config in configs for name in config.options}
    fields = [name for name in Config._fields if name != "options"]
    names = ["model", *sorted(options), *fields[1:]]
    return [n for n in names if len({json.dumps(e.get(n), sort_keys=True) for e in found}) > 1]


def as_word(value: Any) -> str:
    """A setting as it is shown, and may be typed."""
    if isinstance(value, float):
        short = f"{value:g}"
        return short if float(short) == value else repr(value)  # no two look alike
    return value if isinstance(value, str) else json.dumps(value, separators=(",", ":"))


def with_short_paths(configs: Sequence[Config]) -> list[Config]:
    """Each `data` as its last parts, as many as tell it from the others."""
    paths = {config.data: Path(config.data).parts for config in configs}
    short = dict.fromkeys(paths, "")
    for data, parts in paths.items():
        others = [other for other in paths.values() if other != parts]
        count = next(
            (n for n in range(1, len(parts)) if all(o[-n:] != parts[-n:] for o in others)),
            len(parts),
        )
        short[data] = str(Path(*parts[-count:]))
    return [config._replace(data=short[config.data]) for config in configs]


class _Named(NamedTuple):
    model: str | None
    options: dict[str, Any]
    fields: dict[str, Any]
    shared: dict[str, Any]  # options of all groups of the model

    def of(self, config: Config) -> Config:
        options = config.options if self.model is None else self.shared
        changed = config._replace(**self.fields, options=options | self.options)
        return changed if self.model is None else changed._replace(model=self.model)

    def fits(self, config: Config) -> bool:
        return (self.model is None or config.model == self.model) and (
            self.options | self.fields
        ).items() <= settings(with_usual_rates(config)).items()


def _words(text: str, models: Collection[str]) -> list[str]:
    """Those of a baseline; a path of data may have blanks in it."""
    words: list[str] = []
    for word in text.split():
        if words and words[-1].startswith("data=") and "=" not in word and word not in models:
            words[-1] += f" {word}"
        else:
            words.append(word)
    return words


def _read(text: str, configs: Sequence[Config]) -> _Named:
    model = None
    options: dict[str, Any] = {}
    fields: dict[str, Any] = {}
    found = [settings(with_usual_rates(config)) for config in configs]
    optional = sorted({name for config in configs for name in config.options})
    for word in _words(text, {config.model for config in configs}):
        name, is_setting, value = word.partition("=")
        if not is_setting or name == "model":
            name, value = "model", value or name
        name = name.removeprefix("option.").replace("-", "_")
        names = [n for n in Config._fields if n not in ("options", "seed")] + optional
        if name not in names:
            raise InputError(f"--baseline {text}: {nearest('setting', name, names)}")
        values = {as_word(each[name]): each[name] for each in found if name in each}
        if name == "data":  # as the tables show it, too
            shown = [config.data for config in with_short_paths(configs)]
            values = dict(zip(shown, [c.data for c in configs], strict=True)) | values
        if value not in values:
            raise InputError(f"--baseline {text}: {nearest(name, value, list(values))}")
        if name == "model":
            if model not in (None, value):
                raise InputError(f"--baseline {text}: {model} and {value}, expected one model")
            model = value
        else:
            of = options if name in optional else fields
            if of.setdefault(name, values[value]) != values[value]:
                raise InputError(f"--baseline {text}: expected one {name}")
    of_model = [config.options for config in configs if config.model == model]
    shared = {
        name: value
        for name, value in (of_model[0] if of_model else {}).items()
        if all(name in other and other[name] == value for other in of_model)
    }
    return _Named(model, options, fields, shared)
