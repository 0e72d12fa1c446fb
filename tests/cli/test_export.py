import os
import sys

import numpy as np
import onnx
import pytest
from onnx_runtimes import assert_says_the_same, runtime, with_statistics

from minise import data, models, nn, runs
from minise.export import layers

ABOUT = runs.About("se-resnet8", 10, (1, 28, 28), 0.1307, 0.3081, "sample", 5)


@pytest.fixture
def net():
    return with_statistics(models.create("se-resnet8", seed=5))


@pytest.fixture
def run(tmp_path, net):
    """A run's folder, as `train` leaves it."""
    (tmp_path / "run").mkdir()
    runs.save_weights(tmp_path / "run" / "model.safetensors", net, ABOUT)
    return tmp_path / "run"


@pytest.mark.effect("minise export WORDS")
def test_a_run_becomes_a_model_that_says_the_same(minise, run, net, tmp_path):
    code, out, err = minise("export", run, "model.onnx")
    assert (code, err) == (0, "")
    first, x, scores, checked = out.splitlines()
    assert first == "model.onnx: se-resnet8, 0.33 MB, ONNX opset 17"
    assert x == "  input  x (N, 1, 28, 28) float32"
    assert scores == "  output scores (N, 10) float32"
    assert checked.startswith("  checked on 3 random images: it differs from the net by at most ")
    assert float(checked.split("at most ")[1].split()[0]) < 1e-9
    model = onnx.load("model.onnx")
    assert_says_the_same(model, net, np.random.default_rng(0).random((2, 1, 28, 28), np.float32))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["model.onnx", "run"]


def test_the_metadata_is_all_that_a_picture_needs(minise, run, net):
    minise("export", run / "model.safetensors", "model.onnx")
    model = onnx.load("model.onnx")
    metadata = {entry.key: entry.value for entry in model.metadata_props}
    assert metadata == {
        "model": "se-resnet8",
        "classes": "10",
        "mean": "0.1307",
        "std": "0.3081",
        "input": "(pixel / 255 - mean) / std",
    }
    pixels = data.load("sample").test.images[:4]
    mean, std = float(metadata["mean"]), float(metadata["std"])
    scores = runtime(model, ((pixels / 255 - mean) / std).astype(np.float32))
    expected = net(data.to_input(pixels, ABOUT.mean, ABOUT.std))
    np.testing.assert_allclose(scores, expected, rtol=0, atol=1e-5 * np.abs(expected).max())


def test_images_of_one_grey_have_a_std_that_can_be_divided_by(minise, run, net):
    runs.save_weights(run / "model.safetensors", net, ABOUT._replace(std=0.0))
    assert minise("export", run, "model.onnx")[0] == 0
    metadata = {entry.key: entry.value for entry in onnx.load("model.onnx").metadata_props}
    assert metadata["std"] == "1.0"


def test_a_model_that_is_there_is_replaced(minise, run, tmp_path):
    (tmp_path / "model.onnx").write_bytes(b"old")
    assert minise("export", run, "model.onnx")[0] == 0
    onnx.load("model.onnx")


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["nowhere", "model.onnx"], 1, "nowhere: there is no such file"),
        (["run", "run/model.safetensors"], 1, "expected a name that ends in .onnx"),
        (["run", "none/model.onnx"], 1, "none/model.onnx: there is no folder none"),
        (["run", "/dev/null/model.onnx"], 1, "there is no folder /dev/null"),
        (["run", "/proc/model.onnx"], 1, "/proc: cannot be written to"),
        (["run", "folder.onnx"], 1, "folder.onnx is a folder, expected the name of a file"),
        (
            ["folder.onnx", "model.onnx"],
            1,
            "folder.onnx is not a run: there is no model.safetensors in that folder",
        ),
        (["broken.safetensors", "model.onnx"], 1, "the weights cannot be read"),
        (["run"], 1, "name one file to write, as in minise export run model.onnx"),
    ],
)
def test_every_mistake_is_one_clear_line_and_leaves_nothing(
    minise, run, tmp_path, arguments, code, message
):
    (tmp_path / "folder.onnx").mkdir()
    (tmp_path / "broken.safetensors").write_bytes(b"broken")
    before = _seen(tmp_path)
    got, _, err = minise("export", *arguments)
    assert got == code
    assert message in err
    assert "Traceback" not in err
    if code == 1:
        assert len(err.splitlines()) == 1
    assert _seen(tmp_path) == before


def _seen(folder):
    files = ((path, path.stat()) for path in sorted(folder.rglob("*")))
    return [(path, stat.st_size, stat.st_mtime_ns) for path, stat in files]


def test_a_failed_write_leaves_the_old_model(minise, run, tmp_path, monkeypatch):
    (tmp_path / "model.onnx").write_bytes(b"old")

    def full(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    code, out, err = minise("export", run, "model.onnx")
    assert (code, out) == (1, "")
    assert err == "minise: model.onnx: cannot be written: No space left on device\n"
    assert (tmp_path / "model.onnx").read_bytes() == b"old"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["model.onnx", "run"]


def test_a_model_that_says_something_else_is_not_written(minise, run, tmp_path, monkeypatch):
    def leaky(graph, layer, name, x):
        return graph.node("LeakyRelu", name, x, alpha=0.01)

    monkeypatch.setitem(layers.LAYERS, nn.ReLU, leaky)
    code, out, err = minise("export", run, "model.onnx")
    assert (code, out) == (1, "")
    assert err.startswith("minise: export: the model would differ from the net by ")
    assert err.endswith(" of the largest score: nothing was written\n")
    assert not (tmp_path / "model.onnx").exists()


def test_a_net_whose_training_diverged_is_one_clear_line(minise, run, net, tmp_path):
    net.fc.weight.value[...] = np.nan
    runs.save_weights(run / "model.safetensors", net, ABOUT)
    code, _, err = minise("export", run, "model.onnx")
    assert code == 1
    assert err == f"minise: {run}: the net's scores are not finite: nothing was written\n"
    assert not (tmp_path / "model.onnx").exists()


def test_without_the_package_onnx_one_line_says_what_to_install(minise, run, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnx", None)
    code, _, err = minise("export", run, "model.onnx")
    assert code == 1
    assert err.startswith("minise: export needs the package onnx: python -m pip install onnx")
    assert len(err.splitlines()) == 1
