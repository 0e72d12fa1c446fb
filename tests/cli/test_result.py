"""What `minise train` says at its end, and the table of --profile."""

import io
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from minise import runs, train
from minise.cli.result import profile_table, tell_result
from minise.cli.train import train_watched
from minise.data import Dataset, Split
from minise.runs import pictures
from minise.train.progress import EpochProgress

IMAGES = np.random.default_rng(0).integers(0, 256, (10, 1, 28, 28), np.uint8)
FEW = Dataset("few", Split(IMAGES[:4], np.arange(4) % 3), Split(IMAGES[::-1], np.arange(10) % 3))


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Makes what a training leaves in a folder."""
    monkeypatch.chdir(tmp_path)

    def make(folder="runs/a", model="se-cnn"):
        config = runs.Config(model=model, epochs=1)
        training = runs.training_of(config, FEW)
        training.history.append(train.Epoch(1, 0.5, 0.8, 0.4, 0.9, 0.05, 1.5, 8000.0))
        return runs.Run(Path(folder), training, config)

    return make


def told(run, seconds=12.4, width=200):
    console = Console(file=io.StringIO(), width=width)
    tell_result(run, console, seconds)
    return console.file.getvalue().replace("\\", "/")


def test_the_result_of_a_run(run):
    done = run()
    done.training.tested = train.Evaluation(1.0, 0.9, np.eye(3)[np.arange(10) % 3])
    assert told(done) == (
        "\ntest accuracy 90.00% (1 of 10 wrong) after 12 seconds\n"
        "  checkpoint runs/a/checkpoint.safetensors\n"
        "  config     runs/a/config.json\n"
        "  curves     runs/a/curves.png\n"
        "  mistakes   runs/a/mistakes.png\n"
        "\nNext:\n"
        "  minise predict runs/a photo.png  read a picture of a digit\n"
        "  minise inspect runs/a            see its gates, by class\n"
        "  minise play runs/a               see it think, in a browser\n"
        "  minise runs                      compare it with others\n"
    )


def test_what_comes_next_fits_the_net_and_the_folder(run):
    done = run("else/b", "cnn")
    done.training.tested = train.Evaluation(1.0, 0.0, np.eye(3)[np.arange(10) % 3])
    lines = told(done, width=40).splitlines()
    assert lines[1] == "test accuracy 0.00% (10 of 10 wrong) after 12 seconds"
    # without SE there are no gates; what has no room for its purpose stands alone
    assert [line.split()[1] for line in lines[-3:]] == ["predict", "play", "runs"]
    assert lines[-3:-1] == ["  minise predict else/b photo.png", "  minise play else/b"]
    done.about = done.about._replace(image_shape=(3, 32, 32))
    assert told(done).splitlines()[-3:] == [
        "Next:",
        "  minise play else/b  see it think, in a browser",
        "  minise runs else    compare it with others",
    ]


def test_a_run_that_had_finished_before_is_tested_again(run, monkeypatch):
    seen = []
    monkeypatch.setattr(pictures, "mistakes", lambda test, p, called: seen.append(p) or b"")
    done = run()
    lines = told(done).splitlines()
    t = done.training
    x = (IMAGES[::-1] / 255 - IMAGES[:4].mean() / 255) / (IMAGES[:4] / 255).std()
    e = np.exp(t.net(x.astype(np.float32)))
    np.testing.assert_allclose(seen[0], e / e.sum(axis=1, keepdims=True), rtol=1e-3)
    wrong = (e.argmax(axis=1) != np.arange(10) % 3).sum()
    assert lines[1].startswith(f"test accuracy {10 * (10 - wrong)}.00% ({wrong} of 10 wrong) ")


@pytest.mark.filterwarnings("ignore:.* learned nothing in epoch")
def test_the_bar_of_a_training_counts_its_epochs_and_training_images(run, monkeypatch):
    seen = []

    def look(progress, step):
        seen.append((progress.epochs, progress.bar.tasks[0].total, step.images))

    monkeypatch.setattr(EpochProgress, "on_step", look)
    train_watched(run(), Console(file=io.StringIO()), profile=None, tensorboard=False)
    assert seen == [(1, 4, 4)]


def test_a_profile_is_a_table_of_an_average_step():
    profile = train.Profile()
    profile.steps = 4
    profile.spent = {
        "(batch)": train.Spent("", 0.010),
        "conv": train.Spent("Conv2d", 0.020, 0.030),
        "bn": train.Spent("BatchNorm2d", 0.0, 0.038),
        "least": train.Spent("ReLU", 0.00019),
        "little": train.Spent("ReLU", 0.0002),  # no less than is shown
        "(optimizer)": train.Spent("", 0.00161),
    }
    console = Console(file=io.StringIO(), width=80)
    console.print(profile_table(profile))  # 100 ms in all, 25 in a step
    rows = [line.split("│")[1:-1] for line in console.file.getvalue().splitlines() if "│" in line]
    assert [[cell.strip() for cell in row] for row in rows] == [
        ["(batch)", "", "2.50", "", "10.0%"],
        ["conv", "Conv2d", "5.00", "7.50", "50.0%"],
        ["bn", "BatchNorm2d", "0.00", "9.50", "38.0%"],
        ["little", "ReLU", "0.05", "0.00", "0.2%"],
        ["(optimizer)", "", "0.40", "", "1.6%"],
        ["all", "", "25.00", "", ""],
    ]
