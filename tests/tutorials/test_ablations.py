"""The ablation: its plan is the one that was committed first, and its page says what its runs say.

Each figure is computed anew here from the csv, with NumPy and SciPy, by none of the code that made
the page.
"""

import csv
import hashlib
import json
import re
from collections import Counter
from pathlib import Path

import ablations
import numpy as np
import pytest
from scipy import stats

from minise import InputError, models
from minise.sweep import Point, read_file

SITE = Path(ablations.__file__).parent
README = SITE.parent / "README.md"
PAGE = (SITE / "ablations.md").read_text(encoding="utf-8")
CSV = (SITE / "ablations.csv").read_text(encoding="utf-8")
ROWS = list(csv.DictReader(CSV.splitlines()))
PLAN = "9c8fec9d09fa3ecdd9f38e3b7cc6faaa764ea440903022fa583f9bf5b1a79d91"
TOML = "ab357b6992f4b4facd5df337f6040f13f1445da88191693864e21730448619e1"
SIZES = (1_000, 10_000, 60_000)
LINES = {  # of the page's tables: the model, and its one option
    "no SE": ("resnet8", None, None),
    "`se-resnet8`": ("se-resnet8", None, None),
    "reduction 2": ("se-resnet8", "reduction", 2),
    "reduction 8": ("se-resnet8", "reduction", 8),
    "reduction 16": ("se-resnet8", "reduction", 16),
    "squeeze: maximum": ("se-resnet8", "squeeze", "max"),
    "squeeze: the mean of both": ("se-resnet8", "squeeze", "avg+max"),
    "no squeeze": ("se-resnet8", "squeeze", "none"),
    "gate: tanh": ("se-resnet8", "gate", "tanh"),
    "gate: relu": ("se-resnet8", "gate", "relu"),
    "gate: hard sigmoid": ("se-resnet8", "gate", "hard_sigmoid"),
    "stage 1 alone": ("se-resnet8", "stages", [1]),
    "stage 2 alone": ("se-resnet8", "stages", [2]),
    "stage 3 alone": ("se-resnet8", "stages", [3]),
    "place: pre": ("se-resnet8", "placement", "pre"),
    "place: post": ("se-resnet8", "placement", "post"),
    "place: identity": ("se-resnet8", "placement", "identity"),
    "place: after the first 3×3": ("se-resnet8", "placement", "3x3"),
    "without biases": ("se-resnet8", "bias", False),
    "ECA": ("se-resnet8", "block", "eca"),
    "scSE": ("se-resnet8", "block", "scse"),
    "GE without parameters": ("se-resnet8", "block", "ge"),
}


def digest(text):
    return hashlib.sha256(text.strip().encode()).hexdigest()


def options_of(line):
    model, name, value = LINES[line]
    return model, {"stem_stride": 2} | ({} if name is None else {name: value})


def runs_of(line, size):
    """By seed, the rows of a line of the tables."""
    model, options = options_of(line)
    wanted = {f"option.{k}": v if isinstance(v, str) else str(v) for k, v in options.items()}
    return {
        int(row["seed"]): row
        for row in ROWS
        if row["model"] == model
        and int(row["train_images"]) == size
        and {k: v for k, v in row.items() if k.startswith("option.") and v} == wanted
    }


def differences(line, other, size):
    """In points, by seed, of the seeds that both have."""
    one, two = runs_of(line, size), runs_of(other, size)
    right = [(one[k]["test_accuracy"], two[k]["test_accuracy"]) for k in sorted(one.keys() & two)]
    return np.array([100 * (float(a) - float(b)) for a, b in right])


def summary(changes, share):
    """Their mean, its standard error, and the interval that may err in this share of 5 %."""
    error = stats.sem(changes)
    ends = stats.t.interval(1 - 0.05 / share, len(changes) - 1, loc=changes.mean(), scale=error)
    return changes.mean(), error, *ends


def numbers(text):
    return [
        float(n.replace("−", "-").replace(",", "")) for n in re.findall(r"[+−]?\d[\d,.]*", text)
    ]


def table(name):
    """Its rows below the heading, as cells."""
    found = re.search(f"<!-- table {name} -->\n\n(.*?)\n\n<!-- end -->", PAGE, re.DOTALL)[1]
    heading, _, *rows = (
        [c.strip() for c in row.strip("|").split("|")] for row in found.split("\n")
    )
    return heading, rows


def assert_shown(shown, figures, digits):
    """Each is a figure rounded to so many digits; a half may go either way."""
    for number, figure, decimals in zip(shown, figures, digits, strict=True):
        assert abs(number - figure) <= 0.5000001 * 10**-decimals, (shown, figures)


def test_the_plan_is_the_one_that_was_committed_before_the_first_run():
    plan = re.search(r"## The plan, written before .*?(?=^## What was found)", PAGE, re.S | re.M)
    assert digest(plan[0]) == PLAN
    assert digest((SITE / "ablations.toml").read_text(encoding="utf-8")) == TOML


def test_the_csv_has_each_run_of_the_plan_once():
    planned = read_file(SITE / "ablations.toml")
    few = [c for c in planned if c.options != {"stem_stride": 2}]
    for size in SIZES:  # "if time is left, seeds 5 to 9 as well, all of a size or none"
        if any(
            int(r["seed"]) > 4 for line in list(LINES)[2:] for r in runs_of(line, size).values()
        ):
            planned += [c._replace(seed=c.seed + 5) for c in few if c.train_images == size]
    (images,) = {row["images"] for row in ROWS}
    wanted = Counter(Point(config, images).name for config in planned)
    assert Counter(row["run"] for row in ROWS) == wanted
    assert set(wanted.values()) == {1}
    assert {(row["state"], row["error"]) for row in ROWS} == {("done", "")}


def test_the_rows_are_of_the_configurations_that_name_them():
    for line in LINES:
        for size in SIZES:
            assert len(runs_of(line, size)) in (5, 10), (line, size)
    assert len(ROWS) == sum(len(runs_of(line, size)) for line in LINES for size in SIZES)
    for column in ("machine.sources", "machine.processor", "machine.numpy", "machine.numba"):
        (told,) = {row[column] for row in ROWS}
        assert told in PAGE or column == "machine.sources"


def test_the_csv_knows_nothing_of_where_it_was_made():
    assert "/" not in CSV
    assert "machine.system" not in ROWS[0]


def test_what_se_changes_is_what_the_runs_say():
    _, rows = table("se")
    assert [row[0] for row in rows] == [f"{size:,}" for size in SIZES]
    for size, (_, plain, se, change, interval, seeds) in zip(SIZES, rows, strict=True):
        means = [
            100 * np.mean([float(row["test_accuracy"]) for row in runs_of(line, size).values()])
            for line in ("no SE", "`se-resnet8`")
        ]
        assert_shown(numbers(plain + " " + se), means, (3, 3))
        found = differences("`se-resnet8`", "no SE", size)
        mean, error, low, high = summary(found, 3)
        assert_shown(numbers(change), (mean, error), (3, 3))
        assert_shown(numbers(interval), (low, high), (2, 2))
        assert change.startswith("**") == (not low <= 0 <= high)
        assert int(seeds) == len(found) == 10


def test_each_comparison_is_what_the_runs_say():
    heading, rows = table("comparisons")
    assert [row[1] for row in rows] == list(LINES)[2:]
    for line, cells in ((row[1], row[2:5]) for row in rows):
        for size, title, cell in zip(SIZES, heading[2:5], cells, strict=True):
            found = differences(line, "`se-resnet8`", size)
            assert title == f"{size:,} images, n = {len(found)}"
            figures = summary(found, 20)
            assert_shown(numbers(cell), figures, (3, 3, 2, 2))
            assert cell.startswith("**") == (not figures[2] <= 0 <= figures[3])


def test_the_papers_differences_are_those_of_its_errors():
    _, rows = table("comparisons")
    for row in rows:
        if row[5]:
            standard = 22.25 if row[0] == "2" else 22.28
            assert numbers(row[6]) == [pytest.approx(standard - float(row[5]), abs=1e-9)]


def gates(line, size, block, name):
    found = [
        [float(v) for k, v in row.items()
         if v and k.startswith(f"gates.block{block}.") and k.endswith(f".{name}")]
        for row in runs_of(line, size).values()
    ]  # fmt: skip
    return float(np.mean(found)) if any(found) else None


def test_what_the_gates_do_is_what_the_runs_say():
    _, rows = table("gates")
    assert len(rows) == 9
    for size, block, *shown, dead in rows:
        names = ("mean", "between_classes", "within_class", "dead", "hidden")
        found = [gates("`se-resnet8`", int(size.replace(",", "")), block, name) for name in names]
        assert_shown([*map(float, shown), *numbers(dead)], found, (3, 3, 3, 1, 0))


def test_parameters_steps_and_gates_of_all_nets_are_theirs():
    _, rows = table("nets")
    assert [row[1] for row in rows] == list(LINES)
    steps = dict(csv.reader((SITE / "ablations-steps.csv").read_text("utf-8").splitlines()))
    for _, line, parameters, step, *between, dead in rows:
        model, options = options_of(line)
        net = models.create(model, filled=False, **options)
        count = sum(parameter.value.size for parameter in net.parameters())
        assert parameters == f"{count:,}"
        told = {row["parameters"] for size in SIZES for row in runs_of(line, size).values()}
        assert told == {str(count)}
        assert_shown([float(step)], [float(steps[line])], (2,))
        for block, shown in zip("123", between, strict=True):
            found = gates(line, SIZES[-1], block, "between_classes")
            assert shown == ("–" if found is None else f"{found:.3f}")
        counts = [[gates(line, SIZES[-1], b, n) for b in "123"] for n in ("dead", "hidden")]
        of = [sum(filter(None, each)) for each in counts]
        assert numbers(dead) == [] if not of[1] else True
        if of[1]:
            assert_shown(numbers(dead), of, (1, 0))


def said(text):
    """The pairs "x ± y" of a text."""
    return [tuple(numbers(pair)) for pair in re.findall(r"[+−]\d\.\d+(?: points)? ± \d\.\d+", text)]


@pytest.mark.parametrize("path", [SITE / "ablations.md", README], ids=lambda path: path.name)
def test_figures_in_sentences_are_those_of_the_runs_or_of_the_records(path):
    records = (SITE / "records.md").read_text(encoding="utf-8")
    known = re.findall(
        r"seed by seed: ([+-][\d.]+) points, with a standard error of ([\d.]+\d)", records
    )
    pairs = [(float(a), float(b)) for a, b in known]
    for size in SIZES:
        pairs.append(summary(differences("`se-resnet8`", "no SE", size), 3)[:2])
        pairs += [
            summary(differences(line, "`se-resnet8`", size), 20)[:2]
            for line in LINES if line != "`se-resnet8`"
        ]  # fmt: skip
    found = said(path.read_text(encoding="utf-8"))
    assert found
    for mean, error in found:
        assert any(abs(mean - a) < 0.0051 and abs(error - b) < 0.0051 for a, b in pairs)


def test_the_page_is_what_the_script_makes():
    assert ablations.filled(PAGE, ablations.read()) == PAGE


def test_a_net_without_runs_is_an_error(tmp_path):
    with pytest.raises(InputError, match="seeds: 0"):
        ablations.accuracy([], ablations.SE, 1_000)


def test_stages_and_other_lists_are_json_in_the_csv():
    assert {json.loads(row["option.stages"])[0] for row in ROWS if row["option.stages"]} == {
        1,
        2,
        3,
    }
