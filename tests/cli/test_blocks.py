"""Every command takes the run of a net with any relative of SE."""

import re
from pathlib import Path

import numpy as np
import playing
import pytest
from in_c import needs_compiler
from in_node import needs_node

from minise import data, runs
from minise.play.collection import collect
from minise.play.session import Session

BLOCKS = {
    "ese": "block=ese", "eca": "block=eca", "scse": "block=scse", "sse": "block=sse",
    "ge": "block=ge", "no squeeze": "squeeze=none",
}  # fmt: skip
OF_PIXELS = {"sse": "SpatialSE", "no squeeze": "NoSqueeze"}
EACH = pytest.mark.parametrize("name", BLOCKS)


@pytest.fixture
def said(minise):
    """What a command prints that does what it should."""

    def said(*arguments):
        code, out, err = minise(*arguments)
        assert (code, err) == (0, "")
        return out

    return said


@pytest.fixture
def run(said, name):
    """A run on 40 of 60 digits."""
    sample = data.load("sample")
    np.savez(
        "own.npz",
        x_train=sample.train.images[:60, 0],
        y_train=sample.train.labels[:60],
        x_test=sample.test.images[:30, 0],
        y_test=sample.test.labels[:30],
    )
    out = said(
        "train", "--data", "own.npz", "--model", "se-resnet8", "--option", BLOCKS[name],
        "--option", "stem_stride=2", "--train-images", 40, "--epochs", 1, "--out", "run",
    )  # fmt: skip
    assert "on own, 40 to learn from" in out
    assert "40 training and 30 test images of 28×28" in out
    return Path("run")


@EACH
def test_a_run_of_any_relative_is_judged_listed_looked_into_played_with_and_exported(
    minise, said, run, name
):
    judged = said("eval", run)
    assert ", 30 images" in judged  # all that there are to test
    accuracy = re.search(r"test accuracy (\S+%)", judged)[1]
    (record,) = runs.find_records(Path())
    option, value = BLOCKS[name].split("=")
    assert record.config.options == {option: value, "stem_stride": 2}
    assert record.config.train_images == 40
    assert f"{record.history[-1].test_accuracy:.2%}" == accuracy

    code, out, err = minise("inspect", run)
    if name in OF_PIXELS:
        assert code == 1
        told = f"the net has no SE block to look into: {OF_PIXELS[name]} has no gates of channels"
        assert told in " ".join(err.split())
    else:
        assert (code, err) == (0, "")
        assert "block3.se" in out

    net, about = runs.load_run(run)
    test = data.load(about.data).test
    session = Session(net, collect(net, test.images, test.labels))
    seen = session.answer(playing.look(label=3)).header
    assert seen["kind"] == "seen"
    blocks = [layer for layer in seen["layers"] if layer["kind"] == "block"]
    assert len(blocks) == (6 if name == "scse" else 3)  # the channels' block and the pixels'

    assert float(re.search(r"by at most (\S+)", said("export", run, "net.onnx"))[1]) < 1e-5
    assert "net.h: se-resnet8" in said("export", run, "net.h")
    assert "net.js: se-resnet8" in said("export", run, "net.js")


@pytest.mark.slow
@EACH
@pytest.mark.parametrize(
    ("file", "options"),
    [
        pytest.param("net.h", ["--check"], marks=needs_compiler),
        pytest.param("net.h", ["--check", "--int8"], marks=needs_compiler),
        pytest.param("net.js", ["--check"], marks=needs_node),
        ("net.onnx", ["--int8"]),
    ],
)
def test_code_of_any_relative_says_the_same(said, run, file, options, name):
    difference = float(re.search(r"by at most (\S+)", said("export", run, file, *options))[1])
    assert difference < (1 if "--int8" in options else 1e-4)
