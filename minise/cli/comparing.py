"""Tables of runs, of groups of them that differ only in their seed, and of what changes do."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from minise import runs
from minise.cli.say import show, table
from minise.runs import pictures
from minise.runs.comparisons import (
    JOINT,
    Comparison,
    Groups,
    differing_settings,
    in_words,
    told,
    with_short_paths,
)

NARROW = 60  # columns; fewer leave no room for a column for each figure


def listed(console: Console, records: Sequence[runs.Record]) -> Table:
    """A row for each run."""
    configs = with_short_paths([record.config for record in records])
    differing = [n for n in differing_settings(configs) if n not in ("model", "epochs")]
    narrow = console.width < NARROW
    figures = ["epochs", *([] if narrow else ["loss"]), "test"]
    made = table("run", *([] if narrow else _titles(differing, narrow)), *figures)
    _numbers(made, len(figures))
    for record, config in zip(records, configs, strict=True):
        loss, accuracy = record.result.get("train_loss"), record.test_accuracy
        name, named = escape(_short(record.folder.name)), _named(config, differing, narrow)
        made.add_row(
            *([f"{name}\n{named[0]}"] if narrow else [name, *named]),
            f"{record.result['epochs_done']}/{config.epochs}",
            *([] if narrow else ["" if loss is None else f"{loss:.4f}"]),
            "" if accuracy is None else f"{accuracy:.2%}",
        )
    return made


def grouped(console: Console, groups: Groups, *, each: bool) -> Table:
    """A row for each group, `each` with the figures of its runs."""
    configs = with_short_paths([config for config, _ in groups])
    differing = _but_model(configs)
    narrow = console.width < NARROW
    each = each and not narrow
    figures = ["seeds", "mean test\n± std. error", *([] if narrow else ["deviation\nof a run"])]
    made = table(*_titles(differing, narrow), *figures, *(["each"] if each else []))
    _numbers(made, len(figures), before=int(each))
    for config, (_, tests) in zip(configs, groups, strict=True):
        many = len(tests.figures) > 1
        error = f" ± {tests.standard_error:.3%}" if many else ""
        made.add_row(
            *_named(config, differing, narrow),
            _seeds(tests),
            f"{tests.mean:.3%}{error}",
            *([] if narrow else [f"{tests.deviation:.3%}" if many else ""]),
            *([" ".join(f"{a:.2%}" for a in tests.figures.values())] if each else []),
        )
    return made


def show_compared(console: Console, comparisons: Sequence[Comparison]) -> None:
    """A table for each training in which nets are compared: differences, and their intervals."""
    for where, family in families(comparisons).items():
        what = subtracted(family)
        minus = f"each net minus {what[0]}" if len(set(what)) == 1 else "differences"
        show(console, f"\n{where}: {minus}" if where else f"\n{minus}")
        console.print(_compared(console.width < NARROW, family, what))
        show(console, caption(family))


def picture(groups: Groups, comparisons: Sequence[Comparison]) -> bytes:
    """The differences, where there are any, or else the groups; a panel for each training."""
    if comparisons:
        return _picture_of_differences(comparisons)
    configs = with_short_paths([config for config, _ in groups])
    net = _options(configs)
    panels: dict[str, dict[str, pictures.Dots]] = {}
    for config, (_, tests) in zip(configs, groups, strict=True):
        panel = panels.setdefault(told(config, _training(configs)), {})
        panel[in_words(config, net)] = pictures.Dots(
            list(tests.figures.values()), tests.mean, tests.interval(JOINT)
        )
    meaning = f"test accuracy, %: each run, the mean, and its interval (Student's t, {JOINT:.0%})"
    return pictures.dots(panels, meaning, zero=False)


def _picture_of_differences(comparisons: Sequence[Comparison]) -> bytes:
    panels, whole = {}, families(comparisons)
    differing = _but_model([config for c in comparisons for config in (c.config, c.baseline)])
    training = _training([c.baseline for c in comparisons])
    names = [name for name in differing if name not in training]
    for where, family in whole.items():
        panels[where] = {
            in_words(c.config, names): pictures.Dots(
                list(c.difference.figures.values()), c.difference.mean, c.interval
            )
            for c in family
        }
    what = {text for family in whole.values() for text in subtracted(family)}
    minus = f"minus {min(what)}" if len(what) == 1 else "minus that of its baseline"
    captions = {caption(family) for family in whole.values()}
    told_of = (
        min(captions)
        if len(captions) == 1
        else f"Student's t, {100 * JOINT:g} % for all of a panel (Bonferroni)"
    )
    return pictures.dots(
        panels,
        f"test accuracy {minus}, points: each seed, the mean, and its interval\n{told_of}",
        zero=True,
    )


def _compared(narrow: bool, family: Sequence[Comparison], subtracted: list[str]) -> Table:
    several = len(set(subtracted)) > 1
    differing = _but_model([config for c in family for config in (c.config, c.baseline)])
    figures = ["seeds", "points\n± std. error", *([] if narrow else ["interval"])]
    made = table(*_titles(differing, narrow), *(["minus"] if several else []), *figures)
    _numbers(made, len(figures))
    for c, baseline in zip(family, subtracted, strict=True):
        n, interval = len(c.difference.figures), c.interval
        error = f" ± {100 * c.difference.standard_error:.3f}" if n > 1 else ""
        change = f"{100 * c.difference.mean:+.3f}{error}"
        ends = () if interval is None else (f"{100 * end:+.3f}" for end in interval)
        reach = " to ".join(ends) or "none"
        made.add_row(
            *_named(c.config, differing, narrow),
            *([escape(baseline)] if several else []),
            _seeds(c.difference),
            *([f"{change}\n{reach}"] if narrow else [change, reach]),
        )
    return made


def subtracted(family: Sequence[Comparison]) -> list[str]:
    """Each baseline, in as few words as tell it from what it is compared with."""
    differing = _but_model([config for c in family for config in (c.config, c.baseline)])
    whole = [in_words(c.baseline, differing) for c in family]
    if len(set(whole)) == 1:
        return whole
    short = [told(c.baseline, differing_settings([c.config, c.baseline])) for c in family]
    return short if len(set(short)) == 1 and short[0] else whole


def families(comparisons: Sequence[Comparison]) -> dict[str, list[Comparison]]:
    """Those whose baselines were trained alike, together, by what these trainings differ in."""
    shortened = with_short_paths([config for c in comparisons for config in (c.config, c.baseline)])
    short = [
        c._replace(config=config, baseline=baseline)
        for c, config, baseline in zip(comparisons, shortened[::2], shortened[1::2], strict=True)
    ]
    training = _training([c.baseline for c in short])
    found: dict[str, list[Comparison]] = {}
    for comparison in short:
        found.setdefault(told(comparison.baseline, training), []).append(comparison)
    return found


def caption(family: Sequence[Comparison]) -> str:
    """What the intervals of one table are."""
    text = f"Student's t over paired seeds, {100 * family[0].confidence:.5g} %"
    if len(family) > 1:
        text += f" each: {100 * JOINT:g} % for all {len(family)} together (Bonferroni)"
    if any(comparison.interval is None for comparison in family):
        text += "; none of fewer than 2 seeds, or where all differences are equal"
    return text


def _titles(differing: list[str], narrow: bool) -> list[str]:
    return ["model", *(["settings"] if differing and not narrow else [])]


def _named(config: runs.Config, differing: list[str], narrow: bool) -> list[str]:
    if narrow:
        return [escape(in_words(config, differing))]
    return [config.model, *([escape(told(config, differing))] if differing else [])]


def _seeds(tests: runs.Seeds) -> str:
    """How many, as in "5"; where not all that have begun are finished, as in "4/5"."""
    n, unfinished = len(tests.figures), len(tests.unfinished)
    return f"{n}/{n + unfinished}" if unfinished else str(n)


def _training(configs: Sequence[runs.Config]) -> list[str]:
    """In which settings they differ that are not of the net."""
    return _but_model([config._replace(options={}) for config in configs])


def _options(configs: Sequence[runs.Config]) -> list[str]:
    training = _training(configs)
    return [name for name in _but_model(configs) if name not in training]


def names(groups: Sequence[runs.Config], chosen: Sequence[runs.Config]) -> list[str]:
    """What to call some of all groups."""
    differing = _but_model(groups)
    return [in_words(config, differing) for config in chosen]


def _but_model(configs: Sequence[runs.Config]) -> list[str]:
    return [name for name in differing_settings(configs) if name != "model"]


def _numbers(made: Table, count: int, *, before: int = 0) -> None:
    """The last columns, but for so many: right-justified, and no number is broken."""
    end = len(made.columns) - before
    for column in made.columns[end - count : end]:
        column.justify, column.no_wrap = "right", True


def _short(name: str) -> str:
    """The end of the name of a sweep's point: its settings stand beside it."""
    point, _, digest = name.rpartition("-")
    is_point = "-seed=" in point and len(digest) == 12 and set(digest) <= set("0123456789abcdef")
    return f"*{digest}" if is_point else name
