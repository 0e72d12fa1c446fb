import csv
import io
import json

import pytest
from swept import GATES, leave_point

from minise import runs
from minise.runs.lock import locked


@pytest.fixture
def table(tmp_path):
    """One point of each state, and a run of `minise train`."""
    leave_point(tmp_path, 0.1 + 0.2, seed=0, options={"stages": [1, 2], "bias": False})
    leave_point(tmp_path, 0.875, seed=1, model="resnet8", data='/an "odd", path')
    running = leave_point(tmp_path, seed=2, epochs_done=1)
    leave_point(tmp_path, seed=3, epochs_done=1)
    leave_point(tmp_path, seed=4, epochs_done=0, left={"failed.json": {"error": "a, b\n«c»"}})
    with locked(running / ".lock"):
        return runs.find_records(tmp_path)


def by_seed(rows):
    return {int(row["seed"]): row for row in rows}


def test_each_run_has_a_row_with_all_that_is_known(table):
    rows = by_seed(runs.as_rows(table))
    assert [rows[seed]["state"] for seed in range(5)] == [
        "done", "done", "running", "stopped", "failed",
    ]  # fmt: skip
    done = rows[0]
    assert done["run"].startswith("se-resnet8-stages")
    assert (done["model"], done["option.stages"], done["option.bias"]) == (
        "se-resnet8", [1, 2], False,
    )  # fmt: skip
    assert (done["epochs"], done["epochs_done"], done["test_at_end"]) == (2, 2, True)
    figures = (
        "test_accuracy",
        "test_loss",
        "train_accuracy",
        "train_loss",
        "parameters",
        "seconds",
    )
    assert [done[name] for name in figures] == [0.1 + 0.2, 0.125, 0.75, 0.25, 80582, 3.0]
    assert (done["images"], done["finished"][:4]) == ("0123456789abcdef", "2026")
    assert done["gates.block1.se.between_classes"] == GATES["block1.se"]["between_classes"]
    assert done["gates.block1.se.dead"] == 1
    assert (done["machine.processor"], done["machine.sources"]) == ("an abacus", "aa")
    assert "machine.features" not in done
    assert "machine.load" not in done
    assert rows[1]["option.stages"] is rows[1]["gates.block1.se.dead"] is None
    for seed, epochs in ((2, 1), (3, 1), (4, 0)):
        assert (rows[seed]["test_accuracy"], rows[seed]["epochs_done"]) == (None, epochs)
        assert rows[seed]["machine.sources"] == "aa"
    assert rows[4]["error"] == "a, b\n«c»"
    assert all(list(row) == list(done) for row in rows.values())


def test_the_table_comes_back_from_csv_as_it_was(table):
    rows, text = by_seed(runs.as_rows(table)), runs.as_csv(table)
    read = by_seed(csv.DictReader(io.StringIO(text, newline="")))
    for seed, row in rows.items():
        for name, value in row.items():
            cell = read[seed][name]
            if isinstance(value, list):
                assert json.loads(cell) == value
            elif isinstance(value, int | float) and not isinstance(value, bool):
                assert type(value)(cell) == value  # to the last bit
            else:
                assert cell == ("" if value is None else str(value))


def test_a_figure_that_is_new_to_minise_is_a_column_too(tmp_path):
    folder = leave_point(tmp_path, 0.9)
    result = json.loads((folder / "result.json").read_text())
    (folder / "result.json").write_text(json.dumps({**result, "resumed": ["a", "b"]}))
    (row,) = runs.as_rows(runs.find_records(tmp_path))
    assert row["resumed"] == ["a", "b"]
    assert "config" not in row


def test_a_run_of_train_has_what_its_epochs_say(tmp_path):
    leave_point(tmp_path, 0.9)
    (record,) = runs.find_records(tmp_path)
    (record.folder / "result.json").unlink()
    (record.folder / "config.json").write_text(json.dumps({"config": record.config._asdict()}))
    (row,) = runs.as_rows(runs.find_records(tmp_path))
    assert (row["state"], row["test_accuracy"], row["test_loss"]) == ("done", 0.9, 0.125)
    assert (row["train_accuracy"], row["train_loss"], row["seconds"]) == (0.75, 0.25, 3.0)
    assert row["parameters"] is row["images"] is None
