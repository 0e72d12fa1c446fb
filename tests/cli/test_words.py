"""What a person types first, and a word at a place of its own choice."""

import os

import numpy as np
import pytest
from PIL import Image

from minise import __version__, data, models, runs


@pytest.fixture
def two_runs(tmp_path):
    """Two runs, of which the first has the newer weights, one without any, and a picture."""
    for name, time in (("se-cnn-1", 2000), ("se-cnn-2", 1000)):
        folder = tmp_path / "runs" / name
        folder.mkdir(parents=True)
        about = runs.About("se-cnn", 10, (1, 28, 28), 0.13, 0.3, "sample", 0)
        runs.save_weights(folder / "model.safetensors", models.create("se-cnn"), about)
        os.utime(folder / "model.safetensors", (time, time))
    (tmp_path / "runs" / "se-cnn-3").mkdir()
    (tmp_path / "runs" / "se-cnn-3" / "config.json").write_text("{}")
    Image.fromarray(data.load("sample").test.images[0, 0]).save(tmp_path / "seven.png")
    return tmp_path / "runs"


NEWEST = f"minise: using {os.path.join('runs', 'se-cnn-1')}, the newest run\n"


@pytest.mark.parametrize(
    ("command", "made"),
    [
        (["predict", "seven.png"], "seven.png"),
        (["eval"], "test accuracy"),
        (["inspect"], "gates.png"),
        (["inspect", "3"], "maps-3.png"),
        (["inspect", "seven.png"], "maps-seven.png"),
        (["export", "model.onnx"], "model.onnx"),
    ],
)
def test_without_a_run_it_is_the_newest_and_told(minise, two_runs, command, made):
    code, out, err = minise(*command)
    assert (code, err) == (0, NEWEST)
    assert made in out


def test_a_run_that_is_named_is_taken(minise, two_runs):
    for run in (two_runs / "se-cnn-2", "runs/se-cnn-2", "runs/se-cnn-2/model.safetensors"):
        code, out, err = minise("predict", run, "seven.png")
        assert (code, err) == (0, "")
        assert out.startswith("seven.png: ")


@pytest.mark.parametrize(
    ("command", "message"),
    [
        (["predict"], "name a picture, as in minise predict runs/se-cnn-1 photo.png"),
        (["predict", "runs/se-cnn-2"], "as in minise predict runs/se-cnn-2 photo.png"),
        (["predict", "runs/se-cnn-3", "seven.png"], "se-cnn-3 has no model.safetensors yet"),
        (["predict", "runs/se-cnn-7", "seven.png"], "runs/se-cnn-7: there is no such file"),
        (["predict", "runs", "seven.png"], "runs is not a run, but holds runs: name one, as in"),
        (["predict", "nothing.png"], "nothing.png: there is no such file"),
        (["export"], "name one file to write, as in minise export runs/se-cnn-1 model.onnx"),
        (["export", "runs/se-cnn-2"], "as in minise export runs/se-cnn-2 model.onnx"),
        (["eval", "runs/se-cnn-7"], "runs/se-cnn-7: there is no such file"),
    ],
)
def test_what_is_missing_is_told_with_what_to_type(minise, two_runs, command, message):
    code, out, err = minise(*command)
    assert (code, out) == (1, "")
    assert message in err
    assert "Traceback" not in err


@pytest.mark.parametrize(
    "command", [["predict", "a.png"], ["eval"], ["inspect"], ["export", "a.onnx"]]
)
def test_where_there_is_no_run_it_is_told_how_to_make_one(minise, command):
    message = "minise: no run is named, and there is none in runs: minise train makes one\n"
    assert minise(*command) == (1, "", message)


@pytest.mark.parametrize(
    ("words", "typed"),
    [
        ("mnist", "minise train --data mnist"),
        ("se-resnet8 mnist", "minise train --model se-resnet8 --data mnist"),
        ("record-8k", "minise train --recipe record-8k"),
        ("own.npz", "minise train --data own.npz"),
        ("runs/se-cnn-3", "minise train --resume runs/se-cnn-3"),
        ("resume runs/se-cnn-3", "minise train --resume runs/se-cnn-3"),
        ("epochs 3 model cnn", "minise train --epochs 3 --model cnn"),
    ],
)
def test_words_without_options_are_answered_with_what_to_type(minise, two_runs, words, typed):
    np.savez("own.npz", x=1)
    code, out, err = minise("train", *words.split())
    assert (code, out) == (1, "")
    assert err == f"minise: {words!r} needs options before it: {typed}\n"


def test_a_word_that_nothing_is_called_is_answered_with_the_nearest(minise):
    code, _, err = minise("train", "se-resnet9")
    assert code == 1
    assert "unknown model, recipe or data 'se-resnet9': did you mean 'se-resnet8'" in err


def test_version_and_help_are_commands_too(minise):
    assert minise("version") == minise("--version") == (0, f"minise, version {__version__}\n", "")
    assert minise("help") == minise("--help") == minise()
    assert minise("help", "train") == minise("train", "--help")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["tran"], "unknown command 'tran': did you mean 'train'? See minise --help for all 17"),
        (["train", "--epohcs", "3"], "'--epochs'? See minise train --help"),
        (["train", "--epochs", "x"], "'x' is not a valid integer range. See minise train --help"),
        (["summary"], "Missing argument 'MODEL[:PRESET]'. See minise summary --help"),
        (["train", "--data"], "Option '--data' requires an argument."),
    ],
)
def test_what_was_typed_wrongly_is_one_line(minise, arguments, message):
    code, out, err = minise(*arguments)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert message in err


def test_models_are_listed_by_a_part_of_their_names(minise):
    code, out, _ = minise("models", "mobilenet")
    assert code == 0
    listed = [line.split()[1] for line in out.splitlines() if "×" in line]
    families = ("mobilenet-tiny", "mobilenetv3-tiny", "mobilenet", "mobilenetv3-large")
    pairs = [f"{se}{name}" for name in (*families, "mobilenetv3-small") for se in ("se-", "")]
    assert listed == pairs
    code, _, err = minise("models", "mobilnet")
    assert code == 1
    assert "did you mean 'mobilenet'" in err


def test_a_training_ends_with_what_to_type_next(minise, tmp_path):
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (40, 28, 28), np.uint8)
    arrays = {"x_train": images, "y_train": np.arange(40) % 10}
    np.savez("own.npz", **arrays, x_test=images, y_test=np.arange(40) % 10)
    train_own = ["train", "--data", "own.npz", "--epochs", "1"]
    code, out, _ = minise(*train_own, "--out", "my runs/a")
    assert code == 0
    assert [line.split("  ")[1] for line in out.splitlines()[-4:]] == [
        "minise predict 'my runs/a' photo.png",
        "minise inspect 'my runs/a'",
        "minise play 'my runs/a'",
        "minise runs 'my runs'",
    ]
    code, out, _ = minise(*train_own, "--model", "cnn")
    assert "inspect" not in out  # it has no gates
    assert out.splitlines()[-1].split("  ")[1] == "minise runs"
