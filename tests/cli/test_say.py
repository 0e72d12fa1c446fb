"""What is said in a terminal of 80 columns: no line is longer, and no word is broken."""

import io
import json
import re
import sys

import numpy as np
import pytest
from PIL import Image
from rich.console import Console

from minise import cli, data, runs, train
from minise.cli import say
from minise.cli.result import profile_table
from minise.train.progress import EpochProgress

COMMANDS = [
    ["models"],
    ["models", "mobile"],
    ["recipes"],
    ["runs"],
    ["plot", "runs"],
    ["summary", "se-cnn", "--full"],
    ["summary", "se-resnet50", "--compare", "resnet50"],
    ["bench", "--list"],
    ["gradcheck", "softmax_cross_entropy", "channel_scale"],
    ["predict", "seven.png"],
    ["eval"],
    ["inspect", "3"],
    ["export", "model.onnx"],
    ["train", "--data", "own.npz", "--epochs", "1"],
    ["train", "--resume", "runs/se-cnn-9"],
    ["train", "--model", "se-resnet9"],
    ["train", "mnist", "se-resnet8", "record-8k"],
    ["train", "--batch-size", "many"],
    ["nonsense"],
    *([command, "--help"] for command in cli.cli.commands),
    ["--help"],
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Where there is a run, with others that differ in much beside it."""
    folder = tmp_path_factory.mktemp("runs")
    sample = data.load("sample")
    images, labels = (array[:60] for array in sample.train)
    tests = {"x_test": images[:, 0], "y_test": labels}
    np.savez(folder / "own.npz", x_train=images[:, 0], y_train=labels, **tests)
    Image.fromarray(sample.test.images[0, 0]).save(folder / "seven.png")
    for number in range(1, 5):
        config = runs.Config(
            options={"placement": "pre", "reduction": 8, "gate": "tanh"},
            data=f"/a/long/path/to/what/a/person/has/of/{number}/digits.npz",
            lr=0.1 * number,
            seed=number,
            epochs=2 * number,
        )
        left = folder / "runs" / f"se-cnn-by-hand-{number}"
        left.mkdir(parents=True)
        (left / "config.json").write_text(json.dumps({"config": config._asdict()}))
        epochs = [train.Epoch(n, 0.5, 0.8, 0.4, 0.9, 0.05, 1.5, 8e3) for n in range(1, number)]
        lines = (json.dumps(epoch._asdict()) + "\n" for epoch in epochs)
        (left / "metrics.jsonl").write_text("".join(lines))
    config = runs.Config(data=str(folder / "own.npz"), epochs=1)
    training = runs.training_of(config, runs.dataset_of(config))
    run = runs.Run(folder / "runs" / "se-cnn-9", training, config)
    training.run(watchers=[run])
    return folder


@pytest.fixture
def said(folder, minise, monkeypatch):
    """What a command prints in a terminal of so many columns."""

    def said(columns, *arguments):
        monkeypatch.chdir(folder)
        monkeypatch.setenv("COLUMNS", str(columns))
        monkeypatch.setenv("FORCE_COLOR", "1")  # as rich is told of a terminal
        for stream in (sys.stdout, sys.stderr):
            monkeypatch.setattr(stream, "isatty", lambda: True, raising=False)
        _, out, err = minise(*arguments)
        shown = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", f"{out}\n{err}")
        return re.sub(r"[\r⠀-⣿]", "\n", shown)  # what turns while one waits

    return said


def words(text):
    """Without frames, and with the same figure for every number: times differ."""
    return set(re.sub(r"\d+", "0", re.sub(r"[│┃─━┏┓└┘]", " ", text)).split())


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_no_line_is_longer_and_no_word_is_broken(said, command, monkeypatch):
    monkeypatch.setattr(
        "minise.comparison.peak_memory", lambda net, shape: 1234.5
    )  # is slow to find
    first = said(80, *command)  # may have to compile, and says so
    narrow, wide = said(80, *command), said(240, *command)
    assert [line for line in (first + narrow).splitlines() if len(line) > 80] == []
    assert words(narrow) <= words(wide)
    assert len(words(narrow)) > 3


def test_the_table_of_a_profile_fits():
    profile = train.Profile()
    profile.steps = 2
    profile.spent = {
        "(batch)": train.Spent("", 0.001),
        "block3.shortcut.layers.0": train.Spent("BatchNormReLU", 0.25, 0.125),
        "(optimizer)": train.Spent("", 0.002),
    }
    shown = []
    for columns in (80, 240):
        console = Console(file=io.StringIO(), force_terminal=True, width=columns)
        console.print(profile_table(profile))
        shown.append(re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", console.file.getvalue()))
    assert max(map(len, shown[0].splitlines())) <= 80
    assert words(shown[0]) == words(shown[1])
    assert {"(batch)", "block0.shortcut.layers.0", "BatchNormReLU"} <= words(shown[0])


def test_the_bar_of_an_epoch_fits():
    for columns in (60, 80, 120):
        screen = io.StringIO()
        console = Console(file=screen, force_terminal=True, width=columns)
        with EpochProgress(console, epochs=100, images=10_000) as progress:
            progress.on_step(train.Step(100, 9_999, 0.25, 1.0))
            progress.bar.refresh()
        shown = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", screen.getvalue())
        bars = [line for line in re.split(r"[\r\n]", shown) if "100/100" in line]
        assert bars
        assert all("0.2500 accuracy 100.00%" in bar and len(bar) <= columns for bar in bars)
        assert ("images/s" in bars[0]) == (columns >= 80)


def test_what_is_logged_is_broken_between_words(said):
    words = ["sweep", "--data", "own.npz", "--model", "se-cnn,cnn", "--option", "reduction=2"]
    shown = said(40, *words, "--train-images", "99")
    assert "\ncnn has no option reduction: it is\n  trained without\n" in shown


def test_what_is_told_elsewhere_is_one_line(minise):
    code, _, err = minise("train", "--model", "a-very-long-name-" * 9)
    assert (code, err.count("\n")) == (1, 1)


def test_a_path_that_is_longer_than_a_line_is_left_whole(capsys):
    path = "a/" * 60 + "model.safetensors"
    say.show(Console(force_terminal=True, width=80), f"  weights    {path}")
    assert path in capsys.readouterr().out
