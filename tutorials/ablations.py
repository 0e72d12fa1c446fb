"""The tables of `ablations.md` and its picture, from what the runs left in `ablations.csv`.

    python tutorials/ablations.py               # both anew
    python tutorials/ablations.py ablations     # first the csv, from the runs in that folder
    python tutorials/ablations.py --steps       # first ablations-steps.csv: a step of each net

The last one measures, and wants a machine that does nothing else.
"""

from __future__ import annotations

import csv
import re
import statistics
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

from minise import runs
from minise.runs import pictures

FOLDER = Path(__file__).parent
PAGE, RUNS, STEPS = (FOLDER / f"ablations{end}" for end in (".md", ".csv", "-steps.csv"))
PICTURE = FOLDER / "pictures" / "ablations.png"
UNTOLD = "machine.system"  # the build of a kernel, which names its host
SIZES = 1_000, 10_000, 60_000
BLOCKS = 1, 2, 3
COMPARED = 1 - 0.05 / 20  # the level of each interval, of 20 comparisons of a size
FIRST = 1 - 0.05 / 3  # of those of the first question
ONE_WORD = "\N{NO-BREAK SPACE}"  # holds figures of a cell together
ROUNDS = 15  # in which a step of each net is measured

Rows = list[dict[str, str]]


class Variant(NamedTuple):
    """What is compared with `se-resnet8`, and what the paper says of it."""

    question: int
    name: str
    option: str = ""  # as in the csv
    value: str = ""
    error: float | None = None  # top-1, in %, in its table
    standard: float = 22.28  # that of the net which this is compared with there


PLAIN = Variant(1, "no SE")
SE = Variant(0, "`se-resnet8`")
VARIANTS = (
    Variant(2, "reduction 2", "reduction", "2", 22.29, 22.25),
    Variant(2, "reduction 8", "reduction", "8", 22.26, 22.25),
    Variant(2, "reduction 16", "reduction", "16", 22.28, 22.25),
    Variant(3, "squeeze: maximum", "squeeze", "max", 22.57),
    Variant(3, "squeeze: the mean of both", "squeeze", "avg+max"),
    Variant(3, "no squeeze", "squeeze", "none", 22.93),
    Variant(4, "gate: tanh", "gate", "tanh", 23.00),
    Variant(4, "gate: relu", "gate", "relu", 23.47),
    Variant(4, "gate: hard sigmoid", "gate", "hard_sigmoid"),
    Variant(5, "stage 1 alone", "stages", "[1]", 23.03),
    Variant(5, "stage 2 alone", "stages", "[2]", 23.04),
    Variant(5, "stage 3 alone", "stages", "[3]", 22.68),
    Variant(6, "place: pre", "placement", "pre", 22.23),
    Variant(6, "place: post", "placement", "post", 22.78),
    Variant(6, "place: identity", "placement", "identity", 22.20),
    Variant(6, "place: after the first 3×3", "placement", "3x3", 22.48),
    Variant(7, "without biases", "bias", "False"),
    Variant(8, "ECA", "block", "eca"),
    Variant(8, "scSE", "block", "scse"),
    Variant(8, "GE without parameters", "block", "ge"),
)
ALL = (PLAIN, SE, *VARIANTS)


def read(path: Path = RUNS) -> Rows:
    """The finished runs of a csv that `minise runs --csv` wrote."""
    with path.open(encoding="utf-8", newline="") as file:
        return [row for row in csv.DictReader(file) if row["state"] == "done"]


def of(rows: Iterable[Mapping[str, str]], variant: Variant, size: int) -> Rows:
    """The runs of a variant at one size of the training set."""
    wanted = {"option.stem_stride": "2", "train_images": str(size)}
    wanted["model"] = "resnet8" if variant is PLAIN else "se-resnet8"
    if variant not in (PLAIN, SE):
        wanted[f"option.{variant.option}"] = variant.value
    return [
        dict(row)
        for row in rows
        if {k: v for k, v in row.items() if v and (k in wanted or k.startswith("option."))}
        == wanted
    ]


def accuracy(rows: Rows, variant: Variant, size: int) -> runs.Seeds:
    """In points, by seed. Raises `InputError` where there is no such run."""
    found = of(rows, variant, size)
    return runs.Seeds({int(row["seed"]): 100 * float(row["test_accuracy"]) for row in found})


def signed(number: float, digits: int = 3) -> str:
    """With a true minus."""
    return f"{number:+.{digits}f}".replace("-", "−")


def first_question(rows: Rows) -> str:
    """What SE changes, at each size."""
    lines = [
        "| training images | `resnet8`, % | `se-resnet8`, % | what SE changes, points "
        "| 98.33 % interval | seeds |",
        "|---:|---:|---:|---:|---:|---:|",
    ]
    for size in SIZES:
        plain, se = (accuracy(rows, variant, size) for variant in (PLAIN, SE))
        change = se - plain
        lines.append(
            f"| {size:,} | {plain.mean:.3f} | {se.mean:.3f} "
            f"| {_difference(change, FIRST)} | {_interval(change, FIRST)} | {len(change.figures)} |"
        )
    return "\n".join(lines)


def comparisons(rows: Rows) -> str:
    """Each variant minus `se-resnet8`."""
    changes = {size: {v: minus_se(rows, v, size) for v in VARIANTS} for size in SIZES}
    counts = {s: sorted({len(c.figures) for c in changes[s].values()}) for s in SIZES}
    heads = [f"{s:,} images, n = {' or '.join(map(str, counts[s]))}" for s in SIZES]
    lines = [
        f"| | | {' | '.join(heads)} | the paper, % | and points |",
        "|---|---|---:|---:|---:|---:|---:|",
    ]
    for v in VARIANTS:
        cells = [
            f"{_difference(changes[s][v], COMPARED)}<br>{_interval(changes[s][v], COMPARED)}"
            for s in SIZES
        ]
        paper = f"{v.error:.2f} | {signed(v.standard - v.error, 2)}" if v.error else " | "
        lines.append(f"| {v.question} | {v.name} | {' | '.join(cells)} | {paper} |")
    return "\n".join(lines)


def counted(rows: Rows) -> str:
    """How many of the comparisons are seen, and how many nets are ahead of the one without SE."""
    told, ahead = [], 0
    for size in SIZES:
        for v in VARIANTS:
            low, high = _ends(minus_se(rows, v, size), COMPARED)
            told += [] if low <= 0 <= high else [f"{v.name} at {size:,} images"]
            ahead += (accuracy(rows, v, size) - accuracy(rows, PLAIN, size)).mean > 0
    count = len(SIZES) * len(VARIANTS)
    names = f": {', '.join(told)}" if told else ""
    return (
        f"Of these {count} differences {len(told)} can be seen{names}. Over the same seeds, "
        f"{count - ahead} of the {count} means lie below that of the net without SE."
    )


def minus_se(rows: Rows, variant: Variant, size: int) -> runs.Seeds:
    """What a variant changes, in points, by seed."""
    return accuracy(rows, variant, size) - accuracy(rows, SE, size)


def _difference(change: runs.Seeds, level: float) -> str:
    text = f"{signed(change.mean)}{ONE_WORD}±{ONE_WORD}{change.standard_error:.3f}"
    low, high = _ends(change, level)
    return text if low <= 0 <= high else f"**{text}**"  # seen


def _interval(change: runs.Seeds, level: float) -> str:
    return f"{ONE_WORD}to{ONE_WORD}".join(signed(end, 2) for end in _ends(change, level))


def _ends(change: runs.Seeds, level: float) -> tuple[float, float]:
    ends = change.interval(level)
    assert ends is not None  # two seeds at least, not all of one difference
    return ends


def gates(rows: Rows) -> str:
    """What those of `se-resnet8` do, at each size."""
    lines = [
        "| training images | block | mean gate | between classes | within a class | dead units |",
        "|---:|---:|---:|---:|---:|---:|",
    ]
    for size in SIZES:
        found = of(rows, SE, size)
        for block in BLOCKS:
            mean, between, within, dead, hidden = (
                mean_of(found, block, name)
                for name in ("mean", "between_classes", "within_class", "dead", "hidden")
            )
            lines.append(
                f"| {size:,} | {block} | {mean:.3f} | {between:.3f} | {within:.3f} "
                f"| {dead:.1f} of {hidden:.0f} |"
            )
    return "\n".join(lines)


def nets(rows: Rows, steps: Mapping[str, float]) -> str:
    """Of each net its parameters and time; what its gates do after the largest training set."""
    lines = [
        "| | net | parameters | a step, ms | between classes: block 1 | 2 | 3 | dead units |",
        "|---|---|---:|---:|---:|---:|---:|---:|",
    ]
    for variant in ALL:
        found = of(rows, variant, SIZES[-1])
        between, dead, hidden = (
            [mean_of(found, block, name) for block in BLOCKS]
            for name in ("between_classes", "dead", "hidden")
        )
        units = sum(filter(None, hidden))
        told = f"{sum(filter(None, dead)):.1f} of {units:.0f}" if units else "–"
        cells = ["–" if each is None else f"{each:.3f}" for each in between]
        lines.append(
            f"| {variant.question or ''} | {variant.name} | {int(found[0]['parameters']):,} "
            f"| {steps[variant.name]:.2f} | {' | '.join(cells)} | {told} |"
        )
    return "\n".join(lines)


def mean_of(rows: Rows, block: int, figure: str) -> float | None:
    """That of a figure of the gates in a block, over the runs that have it."""
    name = re.compile(rf"gates\.block{block}\..*\.{figure}")
    found = [float(v) for row in rows for k, v in row.items() if v and name.fullmatch(k)]
    return statistics.mean(found) if found else None


def picture(rows: Rows) -> bytes:
    """Each variant minus `se-resnet8`: the differences, their means and intervals."""
    panels: dict[str, dict[str, pictures.Dots]] = {}
    for size in SIZES:
        panel = panels.setdefault(f"{size:,} training images", {})
        for variant in (PLAIN, *VARIANTS):
            change = minus_se(rows, variant, size)
            low, high = _ends(change, FIRST if variant is PLAIN else COMPARED)
            each = [figure / 100 for figure in change.figures.values()]
            panel[variant.name] = pictures.Dots(each, change.mean / 100, (low / 100, high / 100))
    caption = (
        "test accuracy minus that of se-resnet8, points: each seed, the mean, and its interval\n"
        "Student's t, 99.75 % each, 95 % for the 20 of a panel together; "
        "no SE: 98.33 %, 95 % for the three"
    )
    return pictures.dots(panels, caption, zero=True)


def read_steps(path: Path = STEPS) -> dict[str, float]:
    """Milliseconds, by the names of the variants."""
    with path.open(encoding="utf-8", newline="") as file:
        return {row["net"]: float(row["ms"]) for row in csv.DictReader(file)}


def measure_steps() -> None:
    """Write how long a step of each net takes with one thread: of many, the shortest."""
    from minise.sweep import estimate

    base = runs.Config(data="mnist", model="se-resnet8", options={"stem_stride": 2})
    configs = {}
    for variant in ALL:
        options = dict(base.options)
        if variant not in (PLAIN, SE):
            options[variant.option] = _value(variant.value)
        model = "resnet8" if variant is PLAIN else base.model
        configs[variant.name] = base._replace(model=model, options=options)
    for config in configs.values():
        estimate.warm_up(config)
    found: dict[str, list[float]] = {name: [] for name in configs}
    for _ in range(ROUNDS):  # all nets in each, so that what else happens meets all
        for name, config in configs.items():
            found[name].append(1000 * estimate.measured(config).step)
    lines = ["net,ms", *(f"{name},{min(times):.3f}" for name, times in found.items())]
    STEPS.write_text("\n".join(lines) + "\n", encoding="utf-8")


def _value(text: str) -> object:
    known = {"False": False, "[1]": [1], "[2]": [2], "[3]": [3]}
    return known.get(text, int(text) if text.isdecimal() else text)


def keep(folder: Path) -> None:
    """Write the csv of the runs in a folder, as `minise runs --csv` does, without `UNTOLD`."""
    table = csv.DictReader(runs.as_csv(runs.find_records(folder)).splitlines())
    names = [name for name in table.fieldnames or [] if name != UNTOLD]
    with RUNS.open("w", encoding="utf-8", newline="") as file:
        written = csv.DictWriter(file, names, extrasaction="ignore", lineterminator="\n")
        written.writeheader()
        written.writerows(row for row in table if row["state"] == "done")


def tables(rows: Rows) -> dict[str, str]:
    """Those of the page, by the names of their places."""
    return {
        "se": first_question(rows),
        "comparisons": comparisons(rows),
        "counted": counted(rows),
        "gates": gates(rows),
        "nets": nets(rows, read_steps()),
    }


def filled(page: str, rows: Rows) -> str:
    """The page with its tables anew, each between the comments that have its name."""
    for name, table in tables(rows).items():
        place = re.compile(f"(<!-- table {name} -->\n).*?(\n<!-- end -->)", re.DOTALL)
        places = list(place.finditer(page))
        if len(places) != 1:
            raise ValueError(f"{PAGE}: expected one place for the table {name}")
        begin, end = places[0].end(1), places[0].start(2)
        page = f"{page[:begin]}\n{table}\n{page[end:]}"
    return page


def main(words: list[str]) -> None:
    if words == ["--steps"]:
        measure_steps()
    elif words:
        keep(Path(words[0]))
    rows = read()
    PAGE.write_text(filled(PAGE.read_text(encoding="utf-8"), rows), encoding="utf-8")
    PICTURE.write_bytes(picture(rows))


if __name__ == "__main__":
    main(sys.argv[1:])
