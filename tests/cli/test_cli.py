import itertools
import json
import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from minise import __version__, cli, data, models, runs, train

QUICK = ["train", "--epochs", "1", "--batch-size", "50", "--no-augment"]


@pytest.fixture
def small_data(tmp_path):
    """A hundredth of the sample, as a person's own `.npz`."""
    sample = data.load("sample")
    path = tmp_path / "own.npz"
    np.savez(
        path,
        x_train=sample.train.images[:300, 0],
        y_train=sample.train.labels[:300],
        x_test=sample.test.images[:100, 0],
        y_test=sample.test.labels[:100],
    )
    return path


@pytest.mark.effect("minise train --recipe")
def test_a_recipe_is_followed_in_all_that_is_not_asked_for_otherwise(minise, small_data, tmp_path):
    code, out, err = minise(
        "train", "--recipe", "record-8k", "--data", small_data, "--epochs", "2", "--seed", "3",
        "--test-each-epoch", "--model", "vgg-8k", "--out", "run",
    )  # fmt: skip
    assert (code, err) == (0, "")
    config = runs.read_record(tmp_path / "run").config
    recipe = runs.recipe("record-8k").config
    assert config == recipe._replace(
        data=str(small_data), epochs=2, seed=3, test_at_end=False, model="vgg-8k"
    )
    code, _, err = minise("train", "--recipe", "record-7k")
    assert code == 1
    assert err.startswith("minise: unknown recipe 'record-7k': did you mean 'record-8k'?")
    code, out, err = minise("train", "--resume", "run", "--recipe", "record-8k")
    assert (code, out) == (1, "")
    assert "  epochs: 2, now 15" in err
    assert "seed" not in err


def test_recipes_are_listed_with_every_figure_and_what_se_changes(minise):
    code, out, err = minise("recipes")
    assert (code, err) == (0, "")
    for name, recipe in runs.RECIPES.items():
        assert f"minise train --recipe {name} --seed 0" in out
        for accuracy in (recipe.accuracy, recipe.accuracy_without_se):
            assert f"{accuracy.mean:.3%}" in out
            assert all(f"{figure:.2%}" in out for figure in accuracy.figures.values())


def test_what_a_recipe_gave_is_told_with_se_and_without(minise, monkeypatch):
    config = runs.Config(model="se-cnn", options={"reduction": 8})
    recipe = runs.Recipe("by hand", config, wrong=(60, 50), wrong_without_se=(70, 90))
    monkeypatch.setattr(runs, "RECIPES", {"own": recipe})
    _, out, _ = minise("recipes")
    rows = [line.replace("│", " ").split() for line in out.splitlines()]
    nets = models.create("se-cnn", reduction=8), models.create("cnn")
    with_se, without = (f"{sum(p.value.size for p in net.parameters()):,}" for net in nets)
    # √(2 · 0.05² / 1) and √(2 · 0.1² / 1)
    assert ["se-cnn", with_se, "99.450%", "0.071%", "99.40%", "99.50%"] in rows
    assert ["cnn", without, "99.200%", "0.141%", "99.30%", "99.10%"] in rows
    assert "SE: +0.250% ± 0.150% over 2 seeds" in out  # of 0.1 and 0.4


def test_train_then_eval_then_predict(minise, small_data, tmp_path, monkeypatch):
    times = iter([1000.0, 1012.4])  # at its start and at its end
    monkeypatch.setattr("minise.cli.train.time", SimpleNamespace(perf_counter=times.__next__))
    code, out, err = minise(*QUICK, "--data", small_data, "--epochs", "3")
    assert (code, err) == (0, "")
    assert "se-cnn3, 10,662 parameters, on own (numba)" in out
    assert "300 training and 100 test images of 28×28, 10 classes: 0 to 9" in out
    assert [line.split()[1] for line in out.splitlines() if line.startswith("epoch")] == [
        "1/3",
        "2/3",
        "3/3",
    ]
    run = tmp_path / "runs" / "se-cnn3-1"
    names = {path.name for path in run.iterdir()}
    weights = {"model.safetensors", "best.safetensors", "checkpoint.safetensors"}
    assert names == {"config.json", "metrics.jsonl", "curves.png", "mistakes.png", *weights}
    assert all(str(run.relative_to(tmp_path) / name) in out for name in names)
    last = json.loads((run / "metrics.jsonl").read_text().splitlines()[-1])
    accuracy = f"test accuracy {last['test_accuracy']:.2%}"
    wrong = round(100 * (1 - last["test_accuracy"]))
    assert f"{accuracy} ({wrong} of 100 wrong) after 12 seconds" in out

    code, out, err = minise("eval", run)
    assert (code, err) == (0, "")
    assert accuracy in out

    Image.fromarray(data.load("sample").test.images[0, 0]).resize((90, 90)).save("seven.png")
    code, out, err = minise("predict", run, "seven.png", "seven.png")
    assert (code, err) == (0, "")
    assert out.count("seven.png: ") == 2

    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "._seven.png").write_bytes(b"of macOS")
    (tmp_path / "photos" / "notes.txt").write_text("no picture")
    code, out, err = minise("predict", run, "photos")
    assert (code, out) == (1, "")
    assert (
        err == "minise: photos: no picture in this folder, expected files such as 4.png or 4.jpg\n"
    )
    Image.open("seven.png").save("photos/seven.JPG")
    Image.open("seven.png").save("photos/six.png")
    code, out, err = minise("predict", run, "photos", "seven.png", "--show")
    assert (code, err) == (0, "")
    shown = [line.partition(":")[0].replace("\\", "/") for line in out.splitlines()]
    assert shown == [
        "photos/seven.JPG", "photos/six.png", "seven.png", "what the net was given",
    ]  # fmt: skip
    assert {path.name for path in (run / "seen").iterdir()} == {
        "seven.png", "six.png", "seven-2.png",
    }  # fmt: skip
    seen = np.asarray(Image.open(run / "seen" / "seven-2.png"))
    given = data.fit_digit(data.read_picture("seven.png"))
    np.testing.assert_array_equal(seen[::10, ::10], given)

    code, out, err = minise("predict", run / "model.safetensors", "nothing.png", "seven.png")
    assert code == 1
    assert out.startswith("seven.png: ")
    assert err.splitlines() == [
        "minise: nothing.png: there is no such file",
        "minise: 1 of 2 pictures could not be read",
    ]


def test_batches_of_every_size_are_warmed_up_before_the_first_step(minise, small_data, monkeypatch):
    seen = []
    monkeypatch.setattr(train, "warm_up", lambda net, shape, *what: seen.append(what))
    monkeypatch.setattr(runs.Run, "on_step", lambda run, step: seen.append("step"))
    assert minise(*QUICK, "--data", small_data, "--batch-size", "200")[0] == 0
    # first to see what is missing
    assert seen == [(200, None), (100, None)] * 2 + ["step", "step"]


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["train", "--model", "se-resnet9"], 1, "unknown model 'se-resnet9': did you mean 'se-re"),
        (["train", "--data", "mnits"], 1, "there is no 'mnits': did you mean 'mnist'"),
        (["train", "--out", "/dev/null/run"], 1, "/dev/null/run: cannot be written to: Not a dir"),
        (["train", "--backend", "cuda"], 1, "backend: unknown name 'cuda', expected one of numba"),
        (["train", "--device", "0"], 1, "device 0 is a GPU, and 'numba' does not use one"),
        (["train", "--threads", "9999"], 1, "threads must be 1 to"),
        (["train", "--lr", "-1"], 1, "lr: -1.0, expected 0 or more"),
        (["train", "--epochs", "0"], 2, "Invalid value for '--epochs'"),
        (["train", "--optimizer", "lion"], 2, "Invalid value for '--optimizer'"),
        (["eval", "nowhere"], 1, "nowhere: there is no such file"),
        (["predict", "nowhere", "a.png"], 1, "nowhere: there is no such file"),
        (["predict", "nowhere"], 1, "name a picture, as in minise predict nowhere photo.png"),
        (["summary", "se-cnnn"], 1, "did you mean 'se-cnn'"),
        (["summary", "cnn", "--input", "1,20,20"], 1, "an input of (1, 20, 20) does not fit"),
        (["summary", "cnn", "--input", "28"], 1, "--input '28', expected C,H,W"),
        (["summary", "cnn", "--input", "1,0,28"], 1, "expected sizes of at least 1"),
        (["summary", "cnn", "--compare", "se-cn"], 1, "did you mean 'se-cnn'"),
        (["summary", "cnn", "--compare", "cnn"], 1, "--compare cnn, expected a net other than cnn"),
        (["summary", "cnn", "--compare", "se-cnn", "--full"], 1, "leave out --full"),
        (["fly"], 2, "unknown command 'fly': see minise --help for all 17"),
    ],
)
def test_every_mistake_is_one_clear_line_and_leaves_nothing(
    minise, tmp_path, arguments, code, message
):
    got, _, err = minise(*arguments)
    assert got == code
    assert message in err
    assert "Traceback" not in err
    assert list(tmp_path.iterdir()) == []


def test_classes_are_called_by_the_names_of_their_folders(minise, tmp_path):
    for k in range(60):
        path = tmp_path / "pets" / ("[dog]" if k % 2 else "cat") / f"{k}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.full((28, 28), 250 * (k % 2), np.uint8)).save(path)
    code, out, err = minise(*QUICK, "--data", "pets")
    assert (code, err) == (0, "")
    assert "48 training and 12 test images of 28×28, 2 classes: [dog], cat;" in out
    _, out, _ = minise("eval", "runs/se-cnn3-1")
    assert [line.split()[1:4:2] for line in out.splitlines() if "│" in line] == [
        ["[dog]", "6"],
        ["cat", "6"],
    ]
    Image.fromarray(data.load("sample").test.images[0, 0]).resize((90, 90)).save("seven.png")
    _, out, _ = minise("predict", "runs/se-cnn3-1", "seven.png")
    assert sorted(word for word in out.split() if word in ("[dog]", "cat")) == ["[dog]", "cat"]


def test_images_of_another_size_are_refused_before_anything_is_written(minise, tmp_path):
    np.savez(
        tmp_path / "big.npz",
        x_train=np.zeros((4, 40, 40), np.uint8),
        y_train=np.arange(4),
        x_test=np.zeros((4, 40, 40), np.uint8),
        y_test=np.arange(4),
    )
    code, _, err = minise("train", "--data", "big.npz")
    assert code == 1
    assert err.startswith("minise: images of (1, 40, 40) do not fit the net: linear")
    assert "; nets that take such images: se-resnet8, se-inception-tiny, se-mobilenet-tiny, " in err
    assert not (tmp_path / "runs").exists()


def test_a_run_is_not_overwritten(minise, small_data):
    assert minise(*QUICK, "--data", small_data, "--out", "here")[0] == 0
    code, _, err = minise(*QUICK, "--data", small_data, "--out", "here")
    assert code == 1
    assert err == "minise: here: already holds files; a run needs a folder of its own\n"


def test_eval_refuses_images_that_the_net_did_not_learn(minise, small_data, tmp_path):
    assert minise(*QUICK, "--data", small_data, "--out", "here")[0] == 0
    small = {"x_train": np.zeros((2, 9, 9), np.uint8), "y_train": np.arange(2)}
    np.savez(tmp_path / "s.npz", **small, x_test=small["x_train"], y_test=small["y_train"])
    code, _, err = minise("eval", "here", "--data", "s.npz")
    assert code == 1
    assert "learned 10 classes of images (1, 28, 28); s has 2 of (1, 9, 9)" in err


def test_the_version_is_told(minise):
    assert minise("--version") == (0, f"minise, version {__version__}\n", "")


@pytest.mark.parametrize(
    "command",
    [
        "",
        "train",
        "eval",
        "predict",
        "inspect",
        "export",
        "runs",
        "plot",
        "summary",
        "gradcheck",
        "bench",
        "models",
    ],
)
def test_every_command_explains_itself(minise, command):
    code, out, err = minise(*command.split(), "--help")
    assert (code, err) == (0, "")
    assert out.startswith("Usage: minise")


def test_half_blocks_show_two_rows_in_a_line():
    digit = np.zeros((28, 28), np.uint8)
    digit[2:4, 3], digit[4, 4], digit[7, 5] = 255, 255, 255
    assert cli.predict.half_blocks(digit).split("\n") == ["   █", "    ▀", "     ▄"]


def test_python_m_minise_is_the_command():
    done = subprocess.run(
        [sys.executable, "-m", "minise", "--version"], capture_output=True, text=True
    )
    assert done.stdout == f"minise, version {__version__}\n"


@pytest.mark.effect("minise train --profile")
def test_a_profile_tells_where_the_time_of_a_step_goes(minise, small_data, monkeypatch):
    timed = train.Profile

    def ticking():  # all parts take as long: on a busy machine some take too little to be shown
        return timed(itertools.count(0, 0.001).__next__)

    monkeypatch.setattr(train, "Profile", ticking)
    code, out, err = minise(*QUICK, "--data", small_data, "--profile")
    assert (code, err) == (0, "")
    rows = [line.split("│")[1:-1] for line in out.splitlines() if line.startswith("│")]
    names = [row[0].strip() for row in rows]
    assert names[0] == "(batch)"
    assert {"conv1", "se2", "conv2", "fc", "(loss)", "(optimizer)"} < set(names)
    assert names[-1] == "all"
    assert float(rows[-1][2]) > 0  # what it says is held in test_result.py


def test_warming_up_names_the_nets_that_are_ready_and_compiles_nothing_twice(minise):
    code, out, err = minise("warmup", "se-cnn", "cnn", "--batch-size", "3")
    assert (code, err) == (0, "")
    assert out.splitlines()[-1] == "ready: se-cnn, cnn"
    assert minise("warmup", "se-cnn", "--batch-size", "3") == (0, "ready: se-cnn\n", "")
    code, _, err = minise("warmup", "se-cn")
    assert code == 1
    assert "did you mean 'se-cnn'" in err
