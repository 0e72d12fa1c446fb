import json
import re

import pytest
from swept import leave_point

from minise import runs, train
from minise.runs import pictures
from minise.runs.lock import locked

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
    assert out.splitlines()[-1] == "6 runs: 4 done, 2 stopped"
    assert lines[-3] == [
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
    assert out.count("minus") == out.count("each net minus cnn\n") == 1
    # tan(0.95 · π/2) = 12.7062 standard errors
    row = ["se-cnn", "2", "+2.000", "±", "1.000", "-10.706", "to", "+14.706"]
    assert table[-3:-1] == [row, table[-2]]
    assert out.splitlines()[-1] == "Student's t over paired seeds, 95 %"


@pytest.mark.parametrize("columns", ["80", "60", "50"])
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
    run, asked = ("".join(row[column].replace(" ", "") for row in rows) for column in (1, 3))
    names, data = [f"{long}-{end}" for end in "xyz"], [f"data={e}/{long}/{long}.npz" for e in "xyz"]
    if columns == "50":  # one column for both
        assert run == "".join(f"{n}se-cnn{d}" for n, d in zip(names, data, strict=True))
    else:
        assert run == "".join(names)
        assert asked == "".join(data)


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
    assert "minus" not in out


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


def leave_sweep(parent):
    """Two sizes of data; at the first a net with three reductions, and a plain one."""
    for seed in range(3):
        for images, gain in ((1000, 0.0), (5000, 0.02)):
            shared = {"seed": seed, "train_images": images}
            plain = 0.9 + gain + 0.01 * seed
            leave_point(parent, plain, **shared, model="resnet8", options={"stem_stride": 2})
            leave_point(parent, plain + 0.01 + 0.001 * seed, **shared, options={"stem_stride": 2})
            for reduction in (2, 8) if images == 1000 else ():
                options = {"reduction": reduction, "stem_stride": 2}
                leave_point(parent, plain - 0.001 * reduction * seed, **shared, options=options)
    return parent


def below(out, title):
    """The rows of the table with this title, and the line below it."""
    lines = out[out.index(title) :].splitlines()
    end = next(k for k, line in enumerate(lines) if line.startswith("└"))
    return words("\n".join(line for line in lines[:end] if line.startswith("│"))), lines[end + 1]


@pytest.mark.effect("minise runs --baseline")
def test_a_net_is_the_baseline_of_those_that_were_trained_as_it_was(minise, tmp_path, monkeypatch):
    monkeypatch.setenv("COLUMNS", "100")
    leave_sweep(tmp_path / "sweep")
    code, out, err = minise("runs", "sweep", "--baseline", "se-resnet8")
    assert (code, err) == (0, "")
    rows, caption = below(out, "train_images=1000: each net minus se-resnet8\n")
    # of 1 − 0.05/3 and 2 degrees of freedom t is 7.6488: √(2 p² / (1 − p²))
    assert rows == [
        ["resnet8", "3", "-1.100", "±", "0.058", "-1.542", "to", "-0.658"],
        ["se-resnet8", "reduction=2", "3", "-1.300", "±", "0.173", "-2.625", "to", "+0.025"],
        ["se-resnet8", "reduction=8", "3", "-1.900", "±", "0.520", "-5.874", "to", "+2.074"],
    ]
    assert caption == (
        "Student's t over paired seeds, 98.333 % each: 95 % for all 3 together (Bonferroni)"
    )
    rows, caption = below(out, "train_images=5000: each net minus se-resnet8\n")
    assert rows == [["resnet8", "3", "-1.100", "±", "0.058", "-1.348", "to", "-0.852"]]
    assert caption == "Student's t over paired seeds, 95 %"


def test_a_setting_is_the_baseline_of_those_that_are_the_same_in_all_else(minise, tmp_path):
    leave_sweep(tmp_path / "sweep")
    _, out, _ = minise("runs", "sweep", "--baseline", "option.reduction=8")
    assert out.count("minus") == 1
    rows, _ = below(out, "each net minus se-resnet8 reduction=8\n")
    assert [row[0] for row in rows] == ["se-resnet8", "se-resnet8"]
    assert "without a baseline: resnet8 train_images=1000, resnet8 train_images=5000, se-" in out


@pytest.mark.parametrize(
    ("baseline", "told"),
    [
        ("se-resnet9", "unknown model 'se-resnet9': did you mean 'se-resnet8'?"),
        ("reduction=4", "unknown reduction '4': there are 2, 8"),
        ("redution=2", "unknown setting 'redution': did you mean 'reduction'?"),
        ("seed=1", "unknown setting 'seed'"),
        ("resnet8 se-resnet8", "resnet8 and se-resnet8, expected one model"),
        ("reduction=2 reduction=8", "expected one reduction"),
        ("epochs=2", "no group is the same as another but for that, and has a seed in common"),
        ("resnet8 reduction=2", "no group is the same as another but for that"),
    ],
)
def test_a_baseline_that_nothing_is_like_is_refused(minise, tmp_path, baseline, told):
    leave_sweep(tmp_path / "sweep")
    code, out, err = minise("runs", "sweep", "--baseline", baseline, "--csv", "all.csv")
    assert (code, out, err.count("\n")) == (1, "", 1)
    assert err.startswith(f"minise: --baseline {baseline}: ")
    assert told in err
    assert not (tmp_path / "all.csv").exists()


def test_one_seed_in_common_has_a_difference_and_no_interval(minise, tmp_path, monkeypatch):
    monkeypatch.setenv("COLUMNS", "100")
    for seed in (0, 1):
        leave_point(tmp_path / "sweep", 0.5 + seed / 8, seed=seed)
        leave_point(tmp_path / "sweep", 0.25, seed=seed + 1, model="resnet8")
    _, out, _ = minise("runs", "sweep", "--baseline", "resnet8")
    rows, caption = below(out, "each net minus resnet8\n")
    assert rows == [["se-resnet8", "1", "+37.500", "none"]]
    assert caption.endswith("95 %; none of fewer than 2 seeds, or where all differences are equal")


@pytest.mark.parametrize("columns", ["80", "40"])
def test_a_row_says_how_many_of_its_seeds_are_finished(minise, tmp_path, monkeypatch, columns):
    monkeypatch.setenv("COLUMNS", columns)
    failed = {"failed.json": {"error": "too little memory"}}
    for seed in range(4):
        leave_point(tmp_path / "sweep", 0.5 + seed / 64, seed=seed)
        leave_point(tmp_path / "sweep", 0.5, seed=seed, model="resnet8")
    leave_point(tmp_path / "sweep", seed=4, epochs_done=0, left=failed)
    leave_point(tmp_path / "sweep", 0.5, seed=4, model="resnet8")
    leave_point(tmp_path / "sweep", seed=5, epochs_done=1, model="resnet8")
    asked = ("runs", "sweep", "--baseline", "resnet8")
    code, out, _ = minise(*asked)
    assert code == 0
    for title, counts in {"mean test": ["5/6", "4/5"], "each net minus": ["4/5"]}.items():
        found = [word for row in below(out, title)[0] for word in row]
        assert [word for word in found if re.fullmatch("[0-9]/[0-9]", word)] == counts
    found = json.loads(minise(*asked, "--json", "-")[1])
    told = [(each["n"], each["unfinished"]) for each in found["groups"] + found["comparisons"]]
    assert told == [(5, [5]), (4, [4]), (4, [4])]


@pytest.mark.effect("minise runs --all")
def test_many_runs_are_summed_up_and_listed_only_when_asked(minise, tmp_path, monkeypatch):
    for seed in range(41):
        leave_point(tmp_path / "sweep", 0.5, seed=seed)
    _, out, err = minise("runs", "sweep")
    assert err == ""
    assert ["se-resnet8", "41", "50.000%", "±", "0.000%", "0.000%"] in words(out)
    assert out.splitlines()[-1] == "41 runs: 41 done; --all lists each"
    assert out.count("seed=") == 0
    _, out, _ = minise("runs", "sweep", "--all")
    assert out.count("seed=") == 41


def test_what_is_not_finished_is_counted_and_told(minise, tmp_path):
    leave_point(tmp_path / "sweep", 0.5)
    running = leave_point(tmp_path / "sweep", seed=1, epochs_done=1)
    leave_point(tmp_path / "sweep", seed=2, epochs_done=1)
    failed = {"failed.json": {"error": "no [bold] images"}}
    folder = leave_point(tmp_path / "sweep", seed=3, left=failed, epochs_done=0)
    with locked(running / ".lock"):
        code, out, _ = minise("runs", "sweep")
    assert code == 0
    assert out.splitlines()[-2:] == [
        "4 runs: 1 done, 1 running, 1 stopped, 1 failed",
        f"failed: {folder.relative_to(tmp_path)}: no [bold] images",
    ]


def test_a_folder_that_is_named_twice_is_read_once(minise, tmp_path):
    leave_point(tmp_path / "sweep", 0.5)
    _, once, _ = minise("runs", "sweep")
    assert "left out" not in once
    assert minise("runs", "sweep", tmp_path / "sweep")[1] == once


def test_that_none_is_finished_is_told(minise, tmp_path):
    leave_point(tmp_path / "sweep", epochs_done=1)
    _, out, _ = minise("runs", "sweep")
    assert out.splitlines()[-1] == "1 run: 1 stopped"


def test_what_was_resumed_elsewhere_is_told(minise, tmp_path):
    folder = leave_point(tmp_path / "sweep", 0.5)
    result = json.loads((folder / "result.json").read_text())
    result["resumed_with_differences"] = ["numpy 2.0, now 2.1"]
    (folder / "result.json").write_text(json.dumps(result))
    out = minise("runs", "sweep")[1]
    assert "resumed with other versions, on another machine or the like: 1 runs, the first" in out
    assert "numpy 2.0, now 2.1" in out


@pytest.mark.parametrize(("again", "told"), [(0.5, ""), (0.6, ", 1 of them with another accuracy")])
def test_a_seed_that_is_run_twice_counts_once_and_that_is_told(minise, tmp_path, again, told):
    for folder, accuracy in {"a": 0.5, "b": again}.items():
        leave_point(tmp_path / folder, accuracy)
    _, out, _ = minise("runs", "a", "b")
    note = "left out of the means, as they repeat the seed of another: 1 run"
    assert note + told in " ".join(out.split())


def test_what_other_sources_gave_is_not_compared_in_silence(minise, tmp_path):
    leave_point(tmp_path / "sweep", 0.5)
    folder = leave_point(tmp_path / "sweep", 0.5, model="resnet8")
    path = folder / "result.json"
    path.write_text(path.read_text().replace('"aa"', '"bb"'))
    warning = "minise: runs that are put together or compared were made with different sources\n"
    assert minise("runs", "sweep")[2] == ""  # they stand beside one another
    assert minise("runs", "sweep", "--baseline", "resnet8")[2] == warning
    leave_point(tmp_path / "sweep", 0.5, model="resnet8", seed=1)
    assert minise("runs", "sweep")[2] == warning
    assert minise("runs", "sweep", "--csv", "-")[2] == warning


def test_tests_on_other_images_are_not_compared_in_silence(minise, tmp_path):
    for hold_out in (0, 100):
        leave_point(tmp_path / "sweep", 0.5, hold_out=hold_out)
    assert minise("runs", "sweep")[2] == ""
    told = "minise: runs that are put together or compared were made with different test images\n"
    assert minise("runs", "sweep", "--baseline", "hold_out=0")[2] == told


@pytest.mark.effect("minise runs --json")
def test_groups_and_what_they_compare_with_are_told_to_programs(minise, tmp_path):
    leave_sweep(tmp_path / "sweep")
    code, out, err = minise("runs", "sweep", "--baseline", "resnet8", "--json", "-")
    assert (code, err) == (0, "")
    found = json.loads(out)
    records = runs.find_records(tmp_path / "sweep")
    assert found["runs"] == runs.as_rows(records)
    groups = runs.over_seeds(records)
    assert [group["options"] for group in found["groups"]] == [c.options for c, _ in groups]
    assert [group["mean"] for group in found["groups"]] == [tests.mean for _, tests in groups]
    assert [group["n"] for group in found["groups"]] == [3] * 6
    assert found["groups"][0]["test_accuracy"] == {"0": 0.9, "1": 0.91, "2": 0.92}
    for told, c in zip(found["comparisons"], runs.compare(groups, "resnet8"), strict=True):
        assert told["interval"] == list(c.interval)
        assert told["confidence"] == c.confidence
        assert groups[told["group"]][0] == c.config
        assert groups[told["baseline"]][0] == c.baseline
    minise("runs", "sweep", "--baseline", "resnet8", "--json", "all.json", "--csv", "-")
    assert json.loads((tmp_path / "all.json").read_text()) == found
    code, out, err = minise("runs", "sweep", "--json", "-", "--csv", "-")
    assert (code, out) == (1, "")
    assert "expected two names" in err


@pytest.mark.effect("minise runs --plot")
def test_groups_are_drawn_or_their_differences_to_the_baseline(minise, tmp_path, monkeypatch):
    leave_sweep(tmp_path / "sweep")
    seen = []
    monkeypatch.setattr(pictures, "dots", lambda *of, zero: seen.append((*of, zero)) or b"drawn")
    assert minise("runs", "sweep", "--plot", "a.png")[1].splitlines()[-1] == "  a.png"
    assert (tmp_path / "a.png").read_bytes() == b"drawn"
    panels, meaning, zero = seen.pop()
    assert list(panels) == ["train_images=1000", "train_images=5000"]
    assert list(panels["train_images=1000"]) == [
        "resnet8", "se-resnet8 reduction=2", "se-resnet8 reduction=8", "se-resnet8",
    ]  # fmt: skip
    plain = panels["train_images=1000"]["resnet8"]
    assert (plain.figures, plain.mean) == ([0.9, 0.91, 0.92], pytest.approx(0.91))
    assert plain.interval == runs.Seeds(dict(enumerate(plain.figures))).interval(0.95)
    assert "test accuracy, %" in meaning
    assert not zero
    minise("runs", "sweep", "--baseline", "resnet8", "--plot", "a.png")
    panels, meaning, zero = seen.pop()
    (change,) = panels["train_images=5000"].values()
    assert change.figures == pytest.approx([0.01, 0.011, 0.012])
    assert "minus resnet8" in meaning
    assert "95 % for all of a panel (Bonferroni)" in meaning
    assert zero
    assert minise("runs", "sweep", "--plot", "a.jpg")[0] == 1


@pytest.mark.parametrize("columns", ["80", "40", "32", "20"])
def test_no_number_is_broken_in_a_narrow_terminal(minise, tmp_path, monkeypatch, columns):
    monkeypatch.setenv("COLUMNS", columns)
    leave_sweep(tmp_path / "sweep")
    _, out, _ = minise("runs", "sweep", "--baseline", "se-resnet8", "--all")
    assert max(map(len, out.split("without a baseline")[0].splitlines())) <= 90
    for number in ("91.000% ± 0.577%", "-1.100 ± 0.058", "-1.542 to -0.658", "92.00%"):
        assert number in out
    assert out.count("│ se-resnet8") > 9
    assert out.count("seed=0") == 6  # no word is broken either: a row for each run


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
