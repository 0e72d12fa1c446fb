"""The figures of many runs as one table, a row for each run: for pandas, a spreadsheet, a plot."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from typing import Any

from minise.runs.records import Record

FIGURES = (
    "epochs_done", "test_accuracy", "test_loss", "test_images", "train_accuracy", "train_loss",
    "parameters", "seconds", "images", "finished",
)  # fmt: skip
# Of a machine: what differs from moment to moment, or is told more shortly by another fact.
UNTOLD = ("load", "features")


def as_rows(records: Sequence[Record]) -> list[dict[str, Any]]:
    """What is known of each run, under the same names for all; None where it is not known.

    run, state, model, option.NAME for each option of a net, the other fields of `Config`; then
    `FIGURES`, and whatever else a result has; error; gates.BLOCK.FIGURE for each block with gates;
    machine.FACT.
    """
    rows = [_row(record) for record in records]
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


def _row(record: Record) -> dict[str, Any]:
    config, result = record.config._asdict(), dict(record.result)
    gates, machine = result.pop("gates", {}), result.pop("machine", {})
    return {
        "run": record.folder.name,
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
