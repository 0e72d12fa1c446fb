"""A run's whole life where files, names, locks, encodings and the shell are those of Windows."""

import contextlib
import errno
import io
import os
import pathlib
import shlex
import signal
import sys
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from minise import cli, data, runs
from minise.cli import terminal

TRAIN = ("train", "--batch-size", "20", "--epochs", "2", "--backend", "numpy")


def refusal(code):
    error = PermissionError(errno.EACCES, "Access is denied")
    error.winerror = code
    return error


@pytest.fixture
def windows(tmp_path, monkeypatch):
    """Run the command as if there were Windows below; gives what it printed in cp1252."""
    real = {name: getattr(os, name) for name in ("open", "replace", "mkdir", "unlink")}
    refused = {}

    def open_(path, *given, **options):
        if os.path.isdir(path):
            raise PermissionError(errno.EACCES, "Permission denied", path)
        return real["open"](path, *given, **options)

    def replace(source, target):
        refused[target] = refused.get(target, 0) + 1
        if os.path.exists(target) and refused[target] % 3:  # a virus scanner looks at it
            raise refusal(5 if refused[target] % 3 == 1 else 32)
        real["replace"](source, target)

    def mkdir(path, mode=0o777):
        there = pathlib.Path(path)
        if there.parent.is_dir() and there.name.casefold() in {
            name.casefold() for name in os.listdir(there.parent)
        }:
            raise FileExistsError(errno.EEXIST, "File exists", path)
        real["mkdir"](path, mode)

    def refuse(*_, **__):
        raise OSError(errno.EPERM, "no modes")

    for name, stand_in in (("open", open_), ("replace", replace), ("mkdir", mkdir)):
        monkeypatch.setattr(os, name, stand_in)
    monkeypatch.setattr(os, "chmod", refuse)
    monkeypatch.setattr("minise.files.time.sleep", lambda seconds: None)
    for module, name in ((os, "sched_getaffinity"), (os, "getloadavg"), (signal, "SIGHUP")):
        monkeypatch.delattr(module, name, raising=False)
    for name in ("fcntl", "resource", "termios", "pwd"):
        monkeypatch.setitem(sys.modules, name, None)
    locks = SimpleNamespace(locking=lambda *_: None, LK_NBLCK=2)
    monkeypatch.setitem(sys.modules, "msvcrt", locks)
    monkeypatch.setattr(io, "text_encoding", lambda encoding, *_: encoding or "cp1252")
    monkeypatch.setattr(terminal, "WINDOWS", True)
    monkeypatch.chdir(tmp_path)

    def run(*arguments):
        out, err = (io.TextIOWrapper(io.BytesIO(), "cp1252", newline="\r\n") for _ in range(2))
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            with pytest.raises(SystemExit) as exit_:
                cli.main([str(argument) for argument in arguments])
            texts = []
            for stream in (out, err):
                stream.flush()
                texts.append(stream.buffer.getvalue().decode("cp1252").replace("\r\n", "\n"))
        return exit_.value.code, *texts

    return run


@pytest.fixture
def images(tmp_path):
    sample = data.load("sample")
    few = {"x_train": sample.train.images[:40, 0], "y_train": sample.train.labels[:40]}
    few |= {"x_test": sample.test.images[:20, 0], "y_test": sample.test.labels[:20]}
    np.savez(tmp_path / "Größe.npz", **few)
    Image.fromarray(sample.test.images[0, 0]).save(tmp_path / "a seven.png")
    return tmp_path / "Größe.npz"


def test_a_runs_whole_life(windows, images, tmp_path, monkeypatch):
    def on_step(run, step):
        if run.training.all_steps == 1:
            signal.raise_signal(signal.SIGINT)

    with monkeypatch.context() as patch:
        patch.setattr(runs.Run, "on_step", on_step)
        code, _, err = windows(*TRAIN, "--data", images, "--out", "my run")
    assert code == 130
    again = err.partition("to resume:\n  minise ")[2]
    assert again == 'train --resume "my run"\n'
    code, out, err = windows(*shlex.split(again), "--backend", "numpy")
    assert (code, err) == (0, "")
    assert "my run resumes in epoch 1, after 1 of 2 steps" in out
    record = runs.read_record(tmp_path / "my run")
    assert record.config.data == str(images)
    assert len(record.history) == 2

    for command, told in (
        (["predict", "my run", "a seven.png"], "a seven.png: "),
        (["eval", "my run"], "test accuracy"),
        (["inspect", "my run", "0"], "gates.png"),
        (["export", "my run", "My net.onnx"], "My net.onnx: se-cnn"),
        (["export", "my run", "My net.onnx"], "My net.onnx: se-cnn"),  # over the first
        (["runs", "."], "my run"),
        (["plot", "my run"], "runs.png"),
        (["tutorials", "my tutorials"], 'jupyter lab "my tutorials"'),
    ):
        code, out, err = windows(*command)
        assert (code, err) == (0, "")
        assert told in out
    for path in tmp_path.rglob("*"):
        assert not set(path.name) & set('<>:"\\|?*')
        assert not path.name.startswith(".")  # no part of a file, and no lock


def test_a_name_that_differs_in_case_alone_is_another_runs(windows, images, tmp_path):
    (tmp_path / "runs" / "SE-CNN3-1").mkdir(parents=True)
    code, _, err = windows(*TRAIN, "--data", images, "--epochs", "1")
    assert (code, err) == (0, "")
    assert {path.name for path in (tmp_path / "runs").iterdir()} == {"SE-CNN3-1", "se-cnn3-2"}
    assert not list((tmp_path / "runs" / "SE-CNN3-1").iterdir())


def test_a_file_that_stays_open_elsewhere_is_one_line_and_the_run_is_whole(
    windows, images, tmp_path, monkeypatch
):
    assert windows(*TRAIN, "--data", images, "--epochs", "1", "--out", "run")[0] == 0
    before = {path.name: path.read_bytes() for path in (tmp_path / "run").iterdir()}

    def replace(source, target):
        raise refusal(32)

    monkeypatch.setattr(os, "replace", replace)
    code, _, err = windows(*TRAIN, "--resume", "run", "--allow-change")
    assert code == 1
    assert err.startswith("minise: run/config.json: cannot be written: Access is denied; ")
    assert err.count("\n") == 1
    assert {path.name: path.read_bytes() for path in (tmp_path / "run").iterdir()} == before
