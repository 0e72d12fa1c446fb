"""Every command in an encoding that lacks its signs: the same exit code, and words to be read."""

import io
import json
import logging
import sys
from contextlib import redirect_stderr, redirect_stdout

import numpy as np
import pytest
from PIL import Image

from minise import cli, data, runs, train
from minise.cli import terminal
from minise.cli.terminal import quoted, readable

WRONG_SIGN = """
def turned(x):
    return x, None

def turned_backward(dy, saved):
    return -dy

def turned_inputs(rng):
    return rng.standard_normal((2, 3))
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """With images, a picture, code, and runs of several seeds."""
    folder = tmp_path_factory.mktemp("encodings")
    sample = data.load("sample")
    few = {"x_train": sample.train.images[:40, 0], "y_train": sample.train.labels[:40]}
    few |= {"x_test": sample.test.images[:20, 0], "y_test": sample.test.labels[:20]}
    np.savez(folder / "own.npz", **few)
    Image.fromarray(sample.test.images[0, 0]).save(folder / "seven.png")
    (folder / "own.py").write_text(WRONG_SIGN)
    for seed, model in ((0, "se-cnn"), (1, "se-cnn"), (0, "cnn"), (1, "cnn")):
        leave_run(folder / "runs" / f"{model}-{9 - seed}", seed, model)
    config = runs.Config(data=str(folder / "own.npz"), epochs=1, batch_size=20)
    training = runs.training_of(config, runs.dataset_of(config))
    run = runs.Run(folder / "run-×", training, config)
    training.run(watchers=[run])
    return folder


def leave_run(folder, seed, model):
    folder.mkdir(parents=True)
    config = runs.Config(epochs=1, seed=seed, model=model)
    (folder / "config.json").write_text(json.dumps({"config": config._asdict()}))
    epoch = train.Epoch(1, 0.5, 0.8, 0.4, 0.9 + seed / 100, 0.05, 1.5, 8000.0)
    (folder / "metrics.jsonl").write_text(json.dumps(epoch._asdict()))


def printed(encoding, *arguments):
    """(exit code, standard output, errors), as they are in a file that is written to."""
    streams = [io.TextIOWrapper(io.BytesIO(), encoding, "strict") for _ in range(2)]
    out, err = redirect_stdout(streams[0]), redirect_stderr(streams[1])
    with out, err, pytest.raises(SystemExit) as exit_:
        cli.main(arguments)
    for stream in streams:
        stream.flush()
    return exit_.value.code, *(stream.buffer.getvalue().decode(encoding) for stream in streams)


NUMPY = ("--backend", "numpy")
COMMANDS = [
    ["--help"],
    *([name, "--help"] for name in sorted(cli.cli.commands)),
    ["models"],
    ["recipes"],
    ["summary", "se-cnn", "--full", *NUMPY],
    ["summary", "se-cnn", "--compare", "cnn", *NUMPY],
    ["runs"],
    ["plot", "runs/se-cnn-9"],
    ["gradcheck", "tanh"],
    ["gradcheck", "own.py:turned"],
    ["bench", "--list"],
    ["train", "--data", "own.npz", "--epochs", "1", "--out", "run-×", "--profile", *NUMPY],
    ["train", "--resume", "run-×"],
    ["eval", "run-×"],
    ["predict", "run-×", "seven.png", "für−.png"],
    ["inspect", "run-×", "0"],
    ["export", "run-×", "×.onnx"],
    ["warmup", "se-cnn", "--batch-size", "20", *NUMPY],
    ["tutorials", "×"],
    ["train", "--model", "se−cnn"],
]


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_every_command_prints_in_any_encoding(folder, monkeypatch, tmp_path, command):
    monkeypatch.chdir(folder)
    monkeypatch.setenv("COLUMNS", "120")
    if "--out" in command or command[0] == "tutorials":  # where nothing may be yet
        monkeypatch.chdir(tmp_path)
        (tmp_path / "own.npz").write_bytes((folder / "own.npz").read_bytes())
    found = {}
    for encoding in ("cp1252", "ascii", "utf-8"):
        found[encoding] = printed(encoding, *command)
        for made in ("×", "run-×"):
            if (tmp_path / made).exists():
                (tmp_path / made).rename(tmp_path / f"{made}-{encoding}")
    code, out, err = found["utf-8"]
    assert not err.startswith("Traceback")
    for narrow in found.values():
        assert narrow[0] == code
        for text, whole in zip(narrow[1:], (out, err), strict=True):
            assert text.count("?") == whole.count("?")
            assert bool(text) == bool(whole)


@pytest.mark.parametrize(
    ("text", "encoding", "shown"),
    [
        ("1 − 2 × 3 … ± 4", "cp1252", "1 - 2 × 3 … ± 4"),
        ("1 − 2 × 3 … ± 4", "cp437", "1 - 2 x 3 ... ± 4"),
        ("1 − 2 × 3 … ± 4", "ascii", "1 - 2 x 3 ... ~ 4"),
        ("y² = N·H, größe", "ascii", "y2 = N*H, gro?e"),
        ("▀▄█", "cp437", "▀▄█"),
        ("▀▄█", "cp1252", "'.#"),
        ("漢", "cp1252", "?"),
        ("a\udcff", "utf-8", "a?"),  # of a file's name that is no UTF-8
    ],
)
def test_a_sign_that_is_lacking_is_one_that_looks_like_it(text, encoding, shown):
    assert readable(text, encoding) == shown


def test_bytes_of_a_name_stay_where_the_stream_writes_them_as_they_are():
    assert readable("−\udcff", "ascii", "surrogateescape") == "-\udcff"


def test_streams_and_loggers_are_as_they_were_afterwards():
    logger = logging.getLogger("minise")
    before = sys.stdout, sys.stderr, list(logger.handlers), logger.level
    for arguments in (["models"], ["fly"]):
        with pytest.raises(SystemExit):
            cli.main(arguments)
        assert (sys.stdout, sys.stderr, list(logger.handlers), logger.level) == before


@pytest.mark.parametrize(
    ("argument", "posix", "windows"),
    [
        ("runs/se-cnn-1", "runs/se-cnn-1", "runs/se-cnn-1"),
        (r"C:\data\run_1", r"'C:\data\run_1'", r"C:\data\run_1"),
        ("my run", "'my run'", '"my run"'),
        ("it's", "'it'\"'\"'s'", '"it\'s"'),
        ("a&b (2)", "'a&b (2)'", '"a&b (2)"'),
        ("größe", "'größe'", "größe"),
        ("", "''", '""'),
    ],
)
def test_what_is_to_be_typed_is_quoted_for_the_shell(monkeypatch, argument, posix, windows):
    monkeypatch.setattr(terminal, "WINDOWS", False)
    assert quoted(argument) == posix
    monkeypatch.setattr(terminal, "WINDOWS", True)
    assert quoted(argument) == windows
