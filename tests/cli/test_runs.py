import json

import pytest
from swept import leave_point

from minise import runs, train
from minise.runs import pictures

pytestmark = pytest.mark.usefixtures("drawn")


def leave(folder, accuracies, **options):
    config = runs.Config(**{"model": "se-cnn", "epochs": 2, **options})
    folder.mkdir(parents=True)
    (folder / "config.json").write_text(json.dumps({"config": config._asdict()}))
    epochs = [
        train.Epoch(n, 0.5 / n, 0.8, 0.4, a, 0.05, 1.5, 8000.0)
        for n, a in enumerate(accuracies, start=1)
    ]
    (folder / "metrics.jsonl").write_text("".join(json.dumps(e._asdict()) + "\n" for e in epochs))


def words(out):
    return [line.replace("│", " ").split() for line in out.splitlines()]


@pytest.mark.effect("minise runs FOLDER")
def test_runs_are_listed_with_what_they_differ_in_and_over_seeds(minise, tmp_path, monkeypatch):
    monkeypatch.setenv("COLUMNS", "120")
    leave(tmp_path / "runs" / "a-1", [0.99, 0.95], seed=0)  # the last test is shown, not the best
    leave(tmp_path / "runs" / "a-2", [0.9, 0.97], seed=1)
    leave(tmp_path / "runs" / "a-3", [0.99, 0.97], seed=2)  # a tie, which counts as any
    leave(tmp_path / "runs" / "b-1", [0.5], options={"placement": "pre"})
    leave(tmp_path / "runs" / "c-1", [None, None], options={"placement": "pre"}, lr=0.25)
    leave(tmp_path / "runs" / "d-1", [])
    code, out, err = minise("runs")
    assert (code, err) == (0, "")
    lines = words(out)
    assert lines[3:9] == [
        ["a-1", "se-cnn", "seed=0", "2/2", "0.2500", "95.00%"],
        ["a-2", "se-cnn", "seed=1", "2/2", "0.2500", "97.00%"],
        ["a-3", "se-cnn", "seed=2", "2/2", "0.2500", "97.00%"],
        ["b-1", "se-cnn", "placement=pre", "seed=0", "1/2", "0.5000", "50.00%"],
        ["c-1", "se-cnn", "placement=pre", "lr=0.25", "seed=0", "2/2", "0.2500"],
        ["d-1", "se-cnn", "seed=0", "0/2"],
    ]
    # √((4 + 1 + 1) / 9 · 3 / 2) = 1.1547 is the deviation, and a √3rd of it the error
    assert lines[-2] == [
        "se-cnn", "3", "96.333%", "±", "0.667%", "1.155%", "95.00%", "97.00%", "97.00%",
    ]  # fmt: skip
    assert minise("runs", "nowhere")[::2] == (1, "minise: nowhere: there is no such folder\n")


def test_what_se_changes_is_told_seed_by_seed(minise, tmp_path, monkeypatch):
    monkeypatch.setenv("COLUMNS", "120")
    for seed, (with_se, without) in enumerate([(0.95, 0.94), (0.97, 0.94)]):
        leave(tmp_path / "runs" / f"a-{seed}", [0.99, with_se], seed=seed)
        leave(tmp_path / "runs" / f"b-{seed}", [0.5, without], seed=seed, model="cnn")
        leave(tmp_path / "runs" / f"c-{seed}", [0.5, 0.1], seed=seed, model="cnn", lr=0.2)
    leave(tmp_path / "runs" / "a-2", [0.5, 0.90], seed=2)  # without its like
    leave(tmp_path / "runs" / "b-3", [0.5, 0.10], seed=3, model="cnn")
    code, out, _ = minise("runs")
    assert code == 0
    table = words(out)
    assert ["cnn", "3", "66.000%", "±", "28.000%", "48.497%", "94.00%", "94.00%", "10.00%"] in table
    assert ["cnn", "lr=0.2", "2", "10.000%", "±", "0.000%", "0.000%", "10.00%", "10.00%"] in table
    assert out.splitlines()[-1] == "se-cnn − cnn: +2.000% ± 1.000% over 2 seeds"
    assert out.count(" − ") == 1


@pytest.mark.parametrize("columns", ["80", "50"])
def test_runs_that_differ_at_the_end_of_long_names_look_different(
    minise, tmp_path, monkeypatch, columns
):
    monkeypatch.setenv("COLUMNS", columns)
    long = "a-name-that-is-as-long-as-people-make-them-with-all-they-know-of-it"
    for end in "xyz":
        leave(tmp_path / "runs" / f"{long}-{end}", [0.9], data=f"/where/{end}/{long}/{long}.npz")
    code, out, _ = minise("runs")
    assert code == 0
    rows = [line.split("│") for line in out.splitlines() if line.startswith("│")]
    run, asked = ("".join(row[column].strip() for row in rows) for column in (1, 3))
    assert run == "".join(f"{long}-{end}" for end in "xyz")
    assert asked == "".join(f"data={end}/{long}/{long}.npz" for end in "xyz")


def test_the_epochs_have_one_column(minise, tmp_path):
    for epochs in (3, 4):
        leave(tmp_path / "runs" / f"a-{epochs}", [0.9, 0.95], lr=0.1 * epochs)
        text = json.dumps({"config": runs.Config(epochs=epochs, lr=0.1 * epochs)._asdict()})
        (tmp_path / "runs" / f"a-{epochs}" / "config.json").write_text(text)
    _, out, _ = minise("runs")
    assert out.splitlines()[1].count("epochs") == 1
    assert ["2/3", "2/4"] == [line[3] for line in words(out)[3:5]]


def test_what_se_changes_is_not_told_of_one_seed(minise, tmp_path):
    for seed in (0, 1):
        leave(tmp_path / "runs" / f"a-{seed}", [0.5, 0.9], seed=seed)
        leave(tmp_path / "runs" / f"b-{seed}", [0.5, 0.8], seed=seed + 1, model="cnn")
    code, out, err = minise("runs")
    assert (code, err) == (0, "")
    assert " − " not in out


@pytest.mark.effect("minise runs --csv")
def test_every_figure_goes_into_a_file_or_to_standard_output(minise, tmp_path):
    leave_point(tmp_path / "sweep", 0.1 + 0.2)
    leave(tmp_path / "other" / "a-1", [0.9])
    text = runs.as_csv([r for f in ("sweep", "other") for r in runs.find_records(tmp_path / f)])
    assert text.count("\n") == 3
    assert minise("runs", "sweep", "other", "--csv", "-") == (0, text, "")
    assert minise("runs", "sweep", "other", "--csv", "all.csv")[::2] == (0, "")
    assert (tmp_path / "all.csv").read_bytes() == text.encode()
    code, out, err = minise("runs", "sweep", "--csv", "nowhere/all.csv")
    assert (code, out, err.count("\n")) == (1, "", 1)
    assert "nowhere" in err


@pytest.mark.effect("minise plot RUNS", "minise plot --out")
def test_curves_of_each_run_are_drawn_over_one_another(minise, tmp_path, monkeypatch):
    leave(tmp_path / "a", [0.9, 0.95])
    leave(tmp_path / "b", [0.8, None])
    seen = []
    monkeypatch.setattr(pictures, "overlay", lambda drawn: seen.append(drawn) or b"drawn")
    assert minise("plot", "b", "a", "--out", "both.png") == (0, "  both.png\n", "")
    assert (tmp_path / "both.png").read_bytes() == b"drawn"
    (drawn,) = seen
    assert {
        name: [epoch.test_accuracy for epoch in history] for name, history in drawn.items()
    } == {
        "b": [0.8, None],
        "a": [0.9, 0.95],
    }
    assert list(drawn) == ["b", "a"]


def test_a_run_without_an_epoch_is_passed_over_and_told(minise, tmp_path):
    leave(tmp_path / "runs" / "a", [0.9, 0.95])
    assert minise("plot")[0] == 0
    before = (tmp_path / "runs.png").read_bytes()
    leave(tmp_path / "runs" / "c", [])
    told = "minise: no epoch is finished yet, skipped: runs/c\n"
    for words in (["runs/a", "runs/c"], ["runs"], []):
        assert minise("plot", *words) == (0, "  runs.png\n", told)
        assert (tmp_path / "runs.png").read_bytes() == before
    code, _, err = minise("plot", "runs/c", "--out", "c.png")
    assert (code, err.count("\n")) == (1, 1)
    assert "runs/c: no epoch is finished yet" in err
    assert not (tmp_path / "c.png").exists()


@pytest.mark.parametrize("names", [("$_{$", "$a$"), ("_a", "_b")])
def test_the_name_of_a_run_is_shown_as_it_is(minise, tmp_path, names):
    pictures = []
    for name in names:
        leave(tmp_path / name, [0.9, 0.95])
        assert minise("plot", name, "--out", "one.png")[0] == 0
        pictures.append((tmp_path / "one.png").read_bytes())
    assert pictures[0] != pictures[1]
