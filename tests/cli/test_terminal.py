"""Pipes and terminals that close, full disks behind the output, Ctrl-C before it begins."""

import errno
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from minise import data, runs
from minise.runs.run import CHECKPOINT, METRICS, WEIGHTS

MINISE = (sys.executable, "-m", "minise")
POSIX = pytest.mark.skipif(os.name == "nt", reason="of POSIX")


@pytest.fixture
def folder(tmp_path):
    sample = data.load("sample")
    few = {"x_train": sample.train.images[:120, 0], "y_train": sample.train.labels[:120]}
    few |= {"x_test": sample.test.images[:40, 0], "y_test": sample.test.labels[:40]}
    np.savez(tmp_path / "own.npz", **few)
    return tmp_path


def start(folder, *arguments, **options):
    options = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **options}
    return subprocess.Popen([*MINISE, *arguments], cwd=folder, text=True, **options)


TRAIN = ("train", "--data", "own.npz", "--batch-size", "20", "--epochs", "100000", "--out", "run")


@pytest.mark.slow
def test_a_training_whose_pipe_closes_has_saved_its_weights_and_says_how_to_go_on(folder):
    process = start(folder, *TRAIN)
    assert process.stdout.readline().startswith("se-cnn3")
    process.stdout.close()
    assert process.wait(300) == 1
    with process.stderr as stderr:
        err = stderr.read()
    told = (
        r"\nminise: stopped in epoch \d+, after 0 of 6 steps; to resume:\n"
        r"  minise train --resume run\n"
    )
    assert re.fullmatch(told, err)
    epochs = int(re.search(r"\d+", err)[0])
    run = folder / "run"
    assert {WEIGHTS, CHECKPOINT} < {path.name for path in run.iterdir()}
    more = start(folder, "train", "--resume", "run", "--epochs", f"{epochs}", "--allow-change")
    assert f"epoch {epochs}/{epochs}" in more.communicate(timeout=300)[0]
    assert more.returncode == 0


@pytest.mark.parametrize("arguments", [["models"], ["summary", "se-cnn"], ["--help"]])
def test_a_pipe_that_closes_ends_a_command_without_a_word(folder, arguments):
    read, write = os.pipe()
    os.close(read)
    process = start(folder, *arguments, stdout=write)
    os.close(write)
    assert process.communicate(timeout=300)[1] == ""
    assert process.returncode == 1


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="of Linux")
def test_output_that_does_not_fit_on_a_disk_is_one_line(folder):
    with open("/dev/full", "w") as full:
        process = start(folder, "models", stdout=full)
        _, err = process.communicate(timeout=300)
    message = "minise: the output cannot be written: No space left on device\n"
    assert (process.returncode, err) == (1, message)


# The terminal is taken in the new process: code between fork and exec would be warned of by JAX.
WITH_A_TERMINAL = """
import fcntl, os, sys, termios
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
os.execv(sys.argv[1], sys.argv[1:])
"""


@POSIX
def test_a_terminal_that_closes_leaves_a_checkpoint_of_the_step_that_went_on(folder):
    import pty

    terminal_of_it, its_own = pty.openpty()
    command = [sys.executable, "-c", WITH_A_TERMINAL, *MINISE, *TRAIN]
    process = subprocess.Popen(
        [*command, "--checkpoint-every", "90 minutes"],
        cwd=folder,
        stdin=its_own,
        stdout=its_own,
        stderr=its_own,
        start_new_session=True,
        env={**os.environ, "TERM": "xterm"},
    )
    os.close(its_own)
    while not (folder / "run" / METRICS).exists():
        os.read(terminal_of_it, 4096)
    os.close(terminal_of_it)  # the system sends SIGHUP, and refuses what is printed from now on
    assert process.wait(300) in (1, 130)
    position = json.loads(runs.load_checkpoint(folder / "run").state.metadata["training"])
    assert position["epoch"] > 1  # where it stood at the start


# Ctrl-C as the import of a package begins, wherever Python is started with this beside it.
INTERRUPTED = """
import sys

class Interrupt:
    def find_spec(self, name, path=None, target=None):
        if name == %r:
            raise KeyboardInterrupt

sys.meta_path.insert(0, Interrupt())
"""


@pytest.mark.parametrize("package", ["numpy", "click", "minise.cli.train", "numba"])
def test_ctrl_c_while_importing_is_one_line(folder, package):
    (folder / "sitecustomize.py").write_text(INTERRUPTED % package)
    paths = os.pathsep.join([str(folder), *filter(None, [os.environ.get("PYTHONPATH")])])
    process = start(folder, *TRAIN, env={**os.environ, "PYTHONPATH": paths})
    assert process.communicate(timeout=300)[1] == "\nminise: stopped\n"
    assert process.returncode == 130
    assert not (folder / "run").exists()


def test_a_program_that_imports_minise_hears_of_ctrl_c_itself(folder):
    (folder / "sitecustomize.py").write_text(INTERRUPTED % "numpy")
    paths = os.pathsep.join([str(folder), *filter(None, [os.environ.get("PYTHONPATH")])])
    code = "try: import minise\nexcept KeyboardInterrupt: print('heard')"
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": paths},
        capture_output=True,
        text=True,
    )
    assert (done.stdout, done.stderr) == ("heard\n", "")


@pytest.mark.parametrize(
    "arguments",
    [
        ["train", "--data", "own.npz", "--out", "closed/run"],
        ["inspect", "run", "--out", "closed"],
        ["export", "run", "closed/net.onnx"],
        ["plot", "run", "--out", "closed/runs.png"],
        ["gradcheck", "relu", "--plot", "closed/reports"],
        ["bench", "conv3x3-16-28", "--plot", "closed/bench.png"],
        ["bench", "conv3x3-16-28", "--json", "closed/bench.json"],
    ],
)
def test_a_folder_that_cannot_be_written_to_is_found_before_the_work(
    minise, folder, monkeypatch, arguments
):
    def worked(*_, **__):
        pytest.fail("worked before it looked")

    def refuse(path, *given, **options):
        if "closed" in Path(path).parts:
            raise PermissionError(errno.EACCES, "Permission denied")
        return real(path, *given, **options)

    (folder / "closed").mkdir()
    for name in ("runs.load_run", "runs.dataset_of", "runs.read_record", "gradcheck.check"):
        monkeypatch.setattr(f"minise.{name}", worked)
    monkeypatch.setattr("minise.bench.run", worked)
    real = os.open
    monkeypatch.setattr(os, "open", refuse)
    code, out, err = minise(*arguments)
    assert (code, out) == (1, "")
    assert err.startswith("minise: closed")
    assert err.endswith(": cannot be written to: Permission denied\n")
    assert not list((folder / "closed").iterdir())
