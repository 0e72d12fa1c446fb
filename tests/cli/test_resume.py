"""Runs that are stopped, killed and changed, as processes of their own."""

import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from minise import data, runs
from minise.files import read_tensors, write_tensors
from minise.runs.environment import NAMES, versions

KILLS = int(os.environ.get("MINISE_KILLS", "3"))
INTERVAL = 3  # steps between checkpoints

# A run as `minise train` makes it, which also writes each step down before anything can follow.
DRIVER = f"""
import os
from pathlib import Path
from minise import runs, train

folder, log = Path("run"), os.open("steps", os.O_WRONLY | os.O_APPEND | os.O_CREAT)
resumed = (folder / "checkpoint.safetensors").exists()
config = runs.Config(data="own.npz", epochs=8, batch_size=20)
training = runs.training_of(config, runs.dataset_of(config))
if resumed:
    runs.load_checkpoint(folder).restore(training)
every = runs.read_every("{INTERVAL} steps")
run = runs.Run(folder, training, config, every=every, resumed=resumed)

class Log(train.Watcher):
    def on_step(self, step):
        done = (training.epoch - 1) * len(training.batches) + training.steps
        os.write(log, b"%d\\n" % done)

training.run(watchers=[Log(), run])
"""
# `minise`, which within its second epoch waits for Ctrl-C.
WAITS = """
import time
from minise import cli, runs
from minise.train.signals import StopSignals

on_step, ask, asked = runs.Run.on_step, StopSignals._ask, []

def wait(self, step):
    on_step(self, step)
    while step.epoch == 2 and not asked:
        time.sleep(0.01)

def note(self, number, frame):
    asked.append(number)
    ask(self, number, frame)

runs.Run.on_step, StopSignals._ask = wait, note
cli.main()
"""
# As DRIVER, which tells of each Ctrl-C and of its second step, which takes long.
SLOW = DRIVER.replace(
    "training.run(",
    """import time
from minise.train.signals import StopSignals

ask = StopSignals._ask

def tell(self, number, frame):
    os.write(1, b"asked\\n")
    ask(self, number, frame)

class Slow(train.Watcher):
    def on_step(self, step):
        if step.images > 20:
            os.write(1, b"slow\\n")
            time.sleep(600)

StopSignals._ask = tell
training.run(""",
).replace("Log(), run", "Log(), run, Slow()")
MINISE = (sys.executable, "-m", "minise")
TRAIN = (*MINISE, "train", "--data", "own.npz", "--epochs", "8", "--batch-size", "20")


def leave_images(folder):
    sample = data.load("sample")
    images, labels = sample.train.images[:240, 0], sample.train.labels[:240]
    test = {"x_test": sample.test.images[:50, 0], "y_test": sample.test.labels[:50]}
    np.savez(folder / "own.npz", x_train=images, y_train=labels, **test)


@pytest.fixture
def folder(tmp_path):
    """Where there are a few images to learn from."""
    leave_images(tmp_path)
    return tmp_path


def start(folder, *command, **options):
    return subprocess.Popen(
        command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **options
    )


def run(folder, *command):
    """(exit code, what it printed, its errors)."""
    process = start(folder, *command)
    out, err = process.communicate(timeout=300)
    return process.returncode, out, err


def wait_for(path):
    deadline = time.monotonic() + 300
    while not path.exists() and time.monotonic() < deadline:
        time.sleep(0.02)


def position(folder):
    """How many steps the last checkpoint has behind it."""
    state = json.loads(read_tensors(folder / "checkpoint.safetensors").metadata["training"])
    return (state["epoch"] - 1) * 12 + state["steps"]


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory):
    """The weights of the run that nobody stopped."""
    folder = tmp_path_factory.mktemp("uninterrupted")
    leave_images(folder)
    assert run(folder, *TRAIN, "--out", "whole")[0] == 0
    return weights(folder / "whole")


def weights(folder):
    """The bits of all arrays."""
    arrays = read_tensors(folder / "model.safetensors").arrays
    return {name: array.tobytes() for name, array in arrays.items()}


@pytest.mark.slow
@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGTERM])
def test_a_run_that_was_stopped_goes_on_to_the_same_bits(folder, uninterrupted, stop):
    process = start(folder, sys.executable, "-c", WAITS, *TRAIN[len(MINISE) :], "--out", "run")
    wait_for(folder / "run" / "metrics.jsonl")
    process.send_signal(stop)
    _, err = process.communicate(timeout=300)
    assert process.returncode == 130
    assert err.startswith("\nminise: stopped in epoch ")
    assert err.endswith(" of 12 steps; to resume:\n  minise train --resume run\n")
    assert err.count("\n") == 3

    code, out, err = run(folder, *MINISE, "train", "--resume", "run")
    assert (code, err) == (0, "")
    assert "run resumes in epoch " in out
    assert weights(folder / "run") == uninterrupted
    assert len((folder / "run" / "metrics.jsonl").read_text().splitlines()) == 8


@pytest.mark.slow
def test_killed_at_any_moment_a_run_loses_no_more_than_the_interval(folder):
    rng, python = np.random.default_rng(0), (sys.executable, "-c", DRIVER.replace("=8", "=25"))
    began = time.monotonic()
    assert run(folder, *python)[0] == 0
    seconds = time.monotonic() - began
    whole = weights(folder / "run")
    put_aside(folder, "0")
    kills, finished = 0, 0
    while kills < KILLS or not finished:
        began, process = time.monotonic(), start(folder, *python)
        try:
            process.wait(rng.uniform(0, seconds) if kills < KILLS else 300)
        except subprocess.TimeoutExpired:
            process.kill()
            kills += 1
        assert "Error" not in process.communicate(timeout=300)[1]
        steps = (folder / "steps").read_text().split() if (folder / "steps").exists() else []
        if steps:
            assert position(folder / "run") >= int(steps[-1]) - INTERVAL
        if process.returncode == 0:
            seconds = min(seconds, time.monotonic() - began)  # what is left of a run is shorter
            assert weights(folder / "run") == whole
            assert not list((folder / "run").glob(".*"))  # nothing half-written
            finished += 1
            put_aside(folder, finished)
    print(f"{kills} kills, {finished} runs finished")


def put_aside(folder, number):
    for name in ("run", "steps"):
        os.rename(folder / name, folder / f"{name}-{number}")


@pytest.mark.slow
def test_a_second_ctrl_c_stops_at_once_and_the_last_checkpoint_is_whole(folder, uninterrupted):
    process = start(folder, sys.executable, "-c", SLOW)
    for said in ("slow", "asked"):
        assert process.stdout.readline() == f"{said}\n"
        process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=300)
    assert "KeyboardInterrupt" in err
    assert run(folder, *MINISE, "train", "--resume", "run")[0] == 0
    assert weights(folder / "run") == uninterrupted


def stop_after_two_steps(monkeypatch, then=lambda: None):
    """Let a run in this process hear Ctrl-C, and something happen before it stops."""

    def on_step(run, step):
        if run.training.all_steps == 2:
            signal.raise_signal(signal.SIGINT)
            then()

    monkeypatch.setattr(runs.Run, "on_step", on_step)


def test_a_run_that_was_stopped_goes_on_from_the_step_that_was_the_last(
    minise, folder, monkeypatch
):
    with monkeypatch.context() as patch:
        stop_after_two_steps(patch)
        code, _, err = minise("train", "--data", "own.npz", "--epochs", "1", "--out", "run")
    assert code == 130
    assert "minise: stopped in epoch 1, after 2 of 4 steps; to resume:\n" in err
    code, out, _ = minise("train", "--resume", "run")
    assert code == 0
    assert "run resumes in epoch 1, after 2 of 4 steps" in out


def test_a_second_ctrl_c_while_the_last_checkpoint_is_written_leaves_the_one_before(
    minise, folder, monkeypatch
):
    checkpoint, before = folder / "run" / "checkpoint.safetensors", []

    def again(_):
        signal.raise_signal(signal.SIGINT)

    def then():
        before.append(checkpoint.read_bytes())
        monkeypatch.setattr(os, "fsync", again)

    stop_after_two_steps(monkeypatch, then)
    code, _, err = minise("train", "--data", "own.npz", "--epochs", "1", "--out", "run")
    message = "stopped at once; to resume from the last checkpoint:\n  minise train --resume run"
    assert (code, err) == (130, f"\nminise: {message}\n")
    assert [checkpoint.read_bytes()] == before
    assert {path.name for path in checkpoint.parent.iterdir()} == {"config.json", checkpoint.name}


@pytest.mark.parametrize(
    ("options", "lines"),
    [
        (["--epochs", "9"], ["  epochs: 8, now 9", "--allow-change lets the run go on"]),
        (["--seed", "1", "--lr", "0.1"], ["  lr: None, now 0.1", "  seed: 0, now 1"]),
        (["--allow-change", "--model", "cnn"], ["  model: 'se-cnn3', now 'cnn'"]),
        (["--option", "reduction=2"], ["  options: {}, now {'reduction': 2}"]),
        (["--out", "other"], ["a resumed run stays in its folder, run"]),
    ],
)
def test_other_options_are_refused_with_the_difference_shown(minise, folder, options, lines):
    assert minise("train", "--data", "own.npz", "--epochs", "8", "--out", "run")[0] == 0
    before = {path: path.read_bytes() for path in (folder / "run").iterdir()}
    code, _, err = minise("train", "--resume", "run", *options)
    assert code == 1
    assert all(line in err for line in lines)
    assert {path: path.read_bytes() for path in (folder / "run").iterdir()} == before


def test_checkpoints_go_on_to_be_written_as_often_as_before(minise, folder):
    train = ["train", "--data", "own.npz", "--out", "run", "--checkpoint-every", "7 steps"]
    assert minise(*train, "--epochs", "2")[0] == 0
    for options, often in (([], "7 step"), (["--checkpoint-every", "2 epochs"], "2 epoch")):
        more = 3 if not options else 4
        resume = ["train", "--resume", "run", "--allow-change", "--epochs", more, *options]
        assert minise(*resume)[0] == 0
        assert read_tensors(folder / "run" / "checkpoint.safetensors").metadata["every"] == often


def test_a_change_that_is_allowed_goes_on_from_there(minise, folder):
    assert minise("train", "--data", "own.npz", "--epochs", "2", "--out", "run")[0] == 0
    code, out, _ = minise("train", "--resume", "run", "--epochs", "3", "--allow-change")
    assert code == 0
    assert "run resumes in epoch 3, after 0 of 4 steps" in out
    explained = json.loads((folder / "run" / "config.json").read_text())
    assert explained["config"]["epochs"] == 3
    assert len(explained["starts"]) == 2
    assert len((folder / "run" / "metrics.jsonl").read_text().splitlines()) == 3


def test_of_a_run_that_was_killed_at_its_very_end_the_pictures_are_drawn(minise, folder):
    assert minise("train", "--data", "own.npz", "--epochs", "1", "--out", "run")[0] == 0
    (folder / "run" / "mistakes.png").unlink()
    code, out, err = minise("train", "--resume", "run")
    assert (code, err) == (0, "")
    assert "run has finished all its epochs\n" in out
    assert (folder / "run" / "mistakes.png").exists()


def test_images_that_moved_are_known_again(minise, folder):
    assert minise("train", "--data", "own.npz", "--epochs", "1", "--out", "run")[0] == 0
    (folder / "own.npz").rename(folder / "moved.npz")
    assert minise("train", "--resume", "run")[0] == 1
    assert minise("train", "--resume", "run", "--data", "moved.npz")[0] == 0


def test_a_run_goes_on_from_another_folder(minise, folder, monkeypatch):
    assert minise("train", "--data", "own.npz", "--epochs", "1", "--out", "run")[0] == 0
    monkeypatch.chdir(folder / "run")
    code, _, err = minise("train", "--resume", folder / "run")
    assert (code, err) == (0, "")


def test_fewer_epochs_than_are_begun_are_refused(minise, folder):
    assert minise("train", "--data", "own.npz", "--epochs", "3", "--out", "run")[0] == 0
    code, _, err = minise("train", "--resume", "run", "--epochs", "2", "--allow-change")
    assert code == 1
    assert "epochs: 2, but epoch 3 has already begun" in err


def test_a_rate_that_ends_in_nothing_leaves_the_good_checkpoint(minise, folder):
    one_step = ["train", "--data", "own.npz", "--epochs", "1", "--batch-size", "240"]
    code, _, err = minise(*one_step, "--lr", "1e30", "--out", "run")
    assert code == 1
    assert "try a smaller one" in err
    code, _, err = minise("train", "--resume", "run", "--lr", "0.01", "--allow-change")
    assert (code, err) == (0, "")
    code, _, err = minise(*one_step, "--lr", "inf", "--out", "other")
    assert (code, "lr: inf" in err) == (1, True)


def test_other_images_are_refused(minise, folder):
    assert minise("train", "--data", "own.npz", "--epochs", "1", "--out", "run")[0] == 0
    arrays = dict(np.load(folder / "own.npz"))
    arrays["x_train"][7, 3, 3] += 1
    np.savez(folder / "own.npz", **arrays)
    code, _, err = minise("train", "--resume", "run")
    assert (code, err) == (1, "minise: own: these are not the images the run was trained on\n")


def test_what_is_no_checkpoint_is_one_clear_line(minise, folder):
    assert minise("train", "--data", "own.npz", "--epochs", "1", "--out", "run")[0] == 0
    code, _, err = minise("train", "--resume", "nothing")
    assert (code, err) == (1, "minise: nothing/checkpoint.safetensors: there is no such file\n")
    code, _, err = minise("train", "--resume", "run/model.safetensors")
    message = "minise: run/model.safetensors is a file, expected a run's folder\n"
    assert (code, err) == (1, message)


def test_a_run_that_is_done_has_no_steps_to_profile(minise, folder):
    assert minise("train", "--data", "own.npz", "--epochs", "1", "--out", "run")[0] == 0
    code, out, err = minise("train", "--resume", "run", "--profile")
    assert (code, err) == (0, "")
    assert "an average step" not in out


def test_names_with_brackets_are_shown_as_they_are(minise, folder):
    (folder / "own.npz").rename(folder / "[red]own.npz")
    train = ["train", "--data", "[red]own.npz", "--epochs", "1", "--out", "[bold]run"]
    code, out, err = minise(*train)
    assert (code, err) == (0, "")
    assert "on [red]own (numba)\n240 training" in out
    assert "[bold]run/metrics.jsonl" in out
    code, out, err = minise("train", "--resume", "[bold]run")
    assert (code, err) == (0, "")
    assert "[bold]run has finished all its epochs" in out


def test_where_tensorboards_package_is_missing_no_folder_is_made(minise, folder, monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorboardX", None)
    code, _, err = minise("train", "--data", "own.npz", "--tensorboard", "--out", "run")
    assert code == 1
    assert "needs the package tensorboardX" in err
    assert not (folder / "run").exists()


def test_what_is_another_now_is_told_in_one_line_and_the_run_goes_on(minise, folder, monkeypatch):
    assert minise("train", "--data", "own.npz", "--epochs", "1", "--out", "run")[0] == 0
    now = versions()
    others = {"pillow": "1.2.3", "sources": "0123456789abcdef"}
    monkeypatch.setattr("minise.runs.run.versions", lambda: now | others)
    code, _, err = minise("train", "--resume", "run")
    told = (
        f"the digest of minise's sources was {now['sources']}, is now 0123456789abcdef; "
        f"Pillow was {now['pillow']}, is now 1.2.3"
    )
    assert (code, err) == (0, f"minise: the same bits are not guaranteed: {told}\n")
    start = json.loads((folder / "run" / "config.json").read_text())["starts"][-1]
    assert start["environment"].items() >= others.items()


def test_a_checkpoint_of_an_older_minise_says_what_it_does_not_tell(minise, folder):
    assert minise("train", "--data", "own.npz", "--epochs", "1", "--out", "run")[0] == 0
    path = folder / "run" / "checkpoint.safetensors"
    state = read_tensors(path)
    told = json.loads(state.metadata["versions"])
    new = ("target", "features", "sources")
    old = json.dumps({what: value for what, value in told.items() if what not in new})
    write_tensors(path, state._replace(metadata=state.metadata | {"versions": old}))
    code, _, err = minise("train", "--resume", "run", "--epochs", "2", "--allow-change")
    names = ", ".join(NAMES[what] for what in new)
    told = f"the checkpoint does not record {names}"
    assert (code, err) == (0, f"minise: the same bits are not guaranteed: {told}\n")
    assert minise("train", "--resume", "run")[2] == ""  # the checkpoint has been written anew
