"""The figures of many runs as one table, a row for each run: for pandas, a spreadsheet, a plot."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Sequence
from typing import Any

from minise.runs.comparisons import Comparison, Groups
from minise.runs.records import Record, key
from minise.runs.seeds import Seeds

FIGURES = (
    "epochs_done", "test_accuracy", "test_loss", "test_images", "train_accuracy", "train_loss",
    "parameters", "seconds", "images", "finished",
)  # fmt: skip
DECISIVE = ("images", *(f"machine.{n}" for n in ("sources", "minise", "python", "numpy", "numba")))
# Of a machine: what differs from moment to moment, or is told more shortly by another fact.
UNTOLD = ("load", "features")


def as_rows(records: Sequence[Record]) -> list[dict[str, Any]]:
    """What is known of each run, under the same names for all; None where it is not known.

    run, the name of its folder (its path, where two have one name); state; model; option.NAME for
    each option of a net; the other fields of `Config`; `FIGURES`, and whatever else a result has;
    error; gates.BLOCK.FIGURE for each block with gates; machine.FACT.
    """
    whole = len({record.folder.name for record in records}) < len(records)
    rows = [_row(record, whole) for record in records]
    options = sorted({f"option.{name}" for record in records for name in record.config.options})
    names = ["run", "state", "model", *options]
    names += list(dict.fromkeys(name for row in rows for name in row if name not in names))
    facts = [name for name in names if not name.startswith(("gates.", "machine."))]
    gates = [name for name in names if name.startswith("gates.")]
    machine = [name for name in names if name.startswith("machine.")]
    machine = [name for name in machine if any(row.get(name) is not None for row in rows)]
    return [{name: row.get(name) for name in [*facts, *gates, *machine]} for row in rows]


def as_csv(records: Sequence[Record]) -> str:
    """The rows of `as_rows` as text, numbers as precise as they are, lists as JSON."""
    rows = as_rows(records)
    text = io.StringIO()
    written = csv.DictWriter(text, list(rows[0]) if rows else [], lineterminator="\n")
    written.writeheader()
    for row in rows:
        written.writerow(
            {k: json.dumps(v) if isinstance(v, list | dict) else v for k, v in row.items()}
        )
    return text.getvalue()


def as_json(
    records: Sequence[Record], groups: Groups, comparisons: Sequence[Comparison]
) -> dict[str, Any]:
    """Runs, their groups and how these compare, for `json.dumps`.

    groups: what they were configured with, n, mean, deviation, standard_error, the test_accuracy
    of each seed, and the seeds that are unfinished. comparisons: group and baseline, as places in
    groups; n, mean, standard_error, the difference of each seed, and the seeds that both have begun
    and not both finished; interval, with its confidence. runs: the rows of `as_rows`.
    """
    places = {key(config): place for place, (config, _) in enumerate(groups)}
    return {
        "groups": [
            {
                **{name: v for name, v in config._asdict().items() if name != "seed"},
                **_summary(tests),
                "deviation": tests.deviation if len(tests.figures) > 1 else None,
                "test_accuracy": tests.figures,
            }
            for config, tests in groups
        ],
        "comparisons": [
            {
                "group": places[key(c.config)],
                "baseline": places[key(c.baseline)],
                **_summary(c.difference),
                "confidence": c.confidence,
                "interval": c.interval,
                "difference": c.difference.figures,
            }
            for c in comparisons
        ],
        "runs": [{name: _finite(value) for name, value in row.items()} for row in as_rows(records)],
    }


def _summary(tests: Seeds) -> dict[str, Any]:
    n = len(tests.figures)
    error = tests.standard_error if n > 1 else None
    unfinished = list(tests.unfinished)
    return {"n": n, "unfinished": unfinished, "mean": tests.mean, "standard_error": error}


def _finite(value: Any) -> Any:
    """None for what JSON has no number for."""
    return None if isinstance(value, float) and not math.isfinite(value) else value


def mixed(records: Sequence[Record]) -> list[str]:
    """In which of the facts that decide on a run's bits its images, versions, sources differ."""
    rows = as_rows(records)
    return [
        name.removeprefix("machine.")
        for name in DECISIVE
        if len({str(row[name]) for row in rows if row.get(name) is not None}) > 1
    ]


def _row(record: Record, whole: bool) -> dict[str, Any]:
    config, result = record.config._asdict(), dict(record.result)
    gates, machine = result.pop("gates", {}), result.pop("machine", {})
    return {
        "run": str(record.folder) if whole else record.folder.name,
        "state": record.state,
        "model": config.pop("model"),
        **{f"option.{name}": value for name, value in config.pop("options").items()},
        **config,
        **dict.fromkeys(FIGURES) | {k: v for k, v in result.items() if k != "config"},
        "error": record.error,
        **{
            f"gates.{block}.{name}": value
            for block, figures in gates.items()
            for name, value in figures.items()
        },
        **{f"machine.{name}": value for name, value in machine.items() if name not in UNTOLD},
    }
