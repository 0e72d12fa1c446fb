import json
import os
import sys

import numpy as np
import onnx
import pytest
from onnx_runtimes import runtime, with_statistics

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


@pytest.fixture
def digits():
    """Some of the sample's test digits, and what the net makes of them."""
    return data.load("sample").test.images[:4]


def scores_of(net, digits):
    return net(data.to_input(digits, ABOUT.mean, ABOUT.std))


def assert_close(scores, expected):
    np.testing.assert_allclose(scores, expected, rtol=0, atol=1e-5 * np.abs(expected).max())


def metadata_of(model):
    return {entry.key: entry.value for entry in model.metadata_props}


@pytest.mark.effect("minise export WORDS")
def test_a_run_becomes_a_model_that_takes_pixels_and_says_the_same(
    minise, run, net, digits, tmp_path
):
    code, out, err = minise("export", run, "model.onnx")
    assert (code, err) == (0, "")
    model = onnx.load("model.onnx")
    assert_close(runtime(model, digits.astype(np.float32)), scores_of(net, digits))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["model.onnx", "run"]
    *said, difference = out.splitlines()
    assert said == [
        f"model.onnx: se-resnet8, {os.path.getsize('model.onnx'):,} bytes, ONNX opset 17",
        "  input   pixels (N, 1, 28, 28) float32",
        "          grey values, 0 to 255; rows from the top; light on dark",
        "          from a photo: data.fit_digit(data.read_picture(path)), of minise",
        "  output  scores (N, 10) float32",
        "          one score for each class, the largest is the answer",
        "  checked on 3 random images, in float64: it differs from the net",
    ]
    assert difference.startswith("          by at most ")
    assert float(difference.split()[3]) < 1e-6


@pytest.mark.effect("minise export --pixels")
def test_of_two_words_for_what_is_fed_the_last_counts(minise, run):
    minise("export", run, "model.onnx", "--uint8", "--pixels")
    assert onnx.load("model.onnx").graph.input[0].type.tensor_type.elem_type == 1  # float32


@pytest.mark.effect("minise export --uint8")
def test_pixels_are_taken_as_bytes(minise, run, net, digits):
    code, out, _ = minise("export", run, "model.onnx", "--uint8")
    assert code == 0
    assert "  input   pixels (N, 1, 28, 28) uint8\n" in out
    assert_close(runtime(onnx.load("model.onnx"), digits), scores_of(net, digits))


@pytest.mark.effect("minise export --normalised")
def test_it_takes_what_the_net_takes_and_the_metadata_say_how_to_make_it(minise, run, net, digits):
    _, out, _ = minise("export", run, "model.onnx", "--normalised")
    assert "  input   x (N, 1, 28, 28) float32\n" in out
    assert "          each then (value / 255 - 0.1307) / 0.3081\n" in out
    model = onnx.load("model.onnx")
    metadata = metadata_of(model)
    assert metadata["input"] == "(pixel / 255 - mean) / std"
    mean, std = float(metadata["mean"]), float(metadata["std"])
    scores = runtime(model, ((digits / 255 - mean) / std).astype(np.float32))
    assert_close(scores, scores_of(net, digits))


@pytest.mark.effect("minise export --batch")
def test_the_number_of_images_is_fixed(minise, run, net, digits):
    _, out, _ = minise("export", run, "model.onnx", "--batch", "4")
    assert "  input   pixels (4, 1, 28, 28) float32\n" in out
    assert "  checked on 4 random images" in out
    model = onnx.load("model.onnx")
    assert model.graph.input[0].type.tensor_type.shape.dim[0].dim_value == 4
    assert_close(runtime(model, digits.astype(np.float32)), scores_of(net, digits))
    _, out, _ = minise("export", run, "one.onnx", "--batch", "1")
    assert "  checked on 1 random image, in float64" in out


@pytest.mark.effect("minise export --keep-names")
def test_weights_have_the_names_and_shapes_of_the_run_s_own_file(minise, run, net, digits):
    _, folded, _ = minise("export", run, "folded.onnx")
    _, kept, _ = minise("export", run, "model.onnx", "--keep-names")
    assert ("\n  names   " in folded, "\n  names   " in kept) == (False, True)
    model = onnx.load("model.onnx")
    arrays = {array.name: tuple(array.dims) for array in model.graph.initializer}
    state = {name: value.shape for name, value in net.state_dict().items()}
    assert state.items() <= arrays.items()
    assert not set(state) <= {array.name for array in onnx.load("folded.onnx").graph.initializer}
    assert_close(runtime(model, digits.astype(np.float32)), scores_of(net, digits))


@pytest.fixture
def few(tmp_path):
    """A file of 30 images to train and 20 to test, of the sample."""
    sample = data.load("sample")
    (x_train, y_train), (x_test, y_test) = sample.train, sample.test
    arrays = {"x_train": x_train[:30], "y_train": y_train[:30]}
    np.savez(tmp_path / "few.npz", **arrays, x_test=x_test[:20], y_test=y_test[:20])
    return "few.npz"


@pytest.mark.effect("minise export --int8", "minise export --data")
def test_with_8_bits_it_is_told_what_that_changes(minise, run, net, few, digits):
    minise("export", run, "model.onnx")
    code, out, err = minise("export", run, "small.onnx", "--int8", "--data", few, "--batch", "3")
    assert (code, err) == (0, "")
    *_, said, header, before, after, time, where = out.splitlines()
    assert where.startswith("          for ONNX Runtime and OpenVINO")
    assert said == "  int8    ranges from 30 training images of few; its 20 test images"
    assert header.split() == ["accuracy", "bytes", "one", "image"]
    scores = net(data.to_input(data.load(few).test.images, ABOUT.mean, ABOUT.std))
    right = (scores.argmax(axis=1) == data.load(few).test.labels).mean()
    assert before.split()[:2] == ["float32", f"{right:.2%}"]
    small = onnx.load("small.onnx")
    assert after.split()[0] == "int8"
    assert int(after.split()[2].replace(",", "")) == os.path.getsize("small.onnx")
    assert os.path.getsize("small.onnx") < 0.6 * os.path.getsize("model.onnx")
    word, ratio = ("slower", "faster"), float(before.split()[3]) / float(after.split()[3])
    assert time.split()[2] == word[ratio > 1]
    assert metadata_of(small) == metadata_of(onnx.load("model.onnx"))
    exact = scores_of(net, digits[:3])
    assert 0 < abs(runtime(small, digits[:3].astype(np.float32)) - exact).max() < abs(exact).max()


def test_the_data_of_the_run_are_those_that_it_learned_from(minise, run, net, few):
    runs.save_weights(run / "model.safetensors", net, ABOUT._replace(data=few))
    code, out, _ = minise("export", run, "small.onnx", "--int8")
    assert code == 0
    assert "30 training images of few" in out


@pytest.mark.parametrize("mean", [0.1307, 0.8])
def test_it_is_told_whether_ink_is_light_or_dark(minise, run, net, mean):
    runs.save_weights(run / "model.safetensors", net, ABOUT._replace(mean=mean))
    _, out, _ = minise("export", run, "model.onnx")
    side, photo = ("light on dark", ": data") if mean < 0.5 else ("dark on light", ": 255 - data")
    assert f"; {side}\n" in out
    assert f"from a photo{photo}.fit_digit(" in out
    assert f"; {side}; " in onnx.load("model.onnx").graph.input[0].doc_string


def test_colours_come_in_order_and_classes_have_names(minise, tmp_path):
    net = models.create("cnn", num_classes=3, in_channels=3)
    about = ABOUT._replace(
        model="cnn", num_classes=3, image_shape=(3, 28, 28), class_names=("ant", "bee", "cat")
    )
    (tmp_path / "run").mkdir()
    runs.save_weights(tmp_path / "run" / "model.safetensors", net, about)
    _, out, _ = minise("export", "run", "model.onnx")
    assert "          a map of red, of green, of blue, 0 to 255; rows from the top\n" in out
    assert "photo" not in out
    answer = "one score for each class, the largest is the answer: 0 ant, 1 bee, 2 cat"
    assert f"          {answer}\n" in out
    model = onnx.load("model.onnx")
    assert json.loads(metadata_of(model)["class_names"]) == ["ant", "bee", "cat"]
    assert model.graph.output[0].doc_string == answer
    many = about._replace(class_names=("a" * 20, "b" * 20, "c" * 20))
    runs.save_weights(tmp_path / "run" / "model.safetensors", net, many)
    _, out, _ = minise("export", "run", "model.onnx")
    assert f"answer: 0 {'a' * 20} to 2 {'c' * 20}\n" in out


def test_the_metadata_are_of_this_file(minise, run):
    minise("export", run / "model.safetensors", "model.onnx")
    assert metadata_of(onnx.load("model.onnx")) == {
        "model": "se-resnet8",
        "classes": "10",
        "mean": "0.1307",
        "std": "0.3081",
        "input": "pixels, 0 to 255; the model itself makes (pixel / 255 - mean) / std of them",
    }


def test_images_of_one_grey_have_a_std_that_can_be_divided_by(minise, run, net):
    runs.save_weights(run / "model.safetensors", net, ABOUT._replace(std=0.0))
    assert minise("export", run, "model.onnx")[0] == 0
    assert metadata_of(onnx.load("model.onnx"))["std"] == "1.0"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["model.onnx", "--data", "sample"], "--data names images for --int8, which is not there"),
        (
            ["model.onnx", "--keep-names", "--int8"],
            "--keep-names leaves the weights as they are, --int8 does not: take one",
        ),
    ],
)
def test_options_that_do_not_go_together_are_one_clear_line(minise, run, options, message):
    assert minise("export", run, *options) == (1, "", f"minise: {message}\n")


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
        (["run", f"{'a' * 300}.onnx"], 1, "a.onnx: cannot be written: "),
        (["run", "folder.onnx"], 1, "folder.onnx is a folder, expected the name of a file"),
        (
            ["folder.onnx", "model.onnx"],
            1,
            "folder.onnx is not a run: there is no model.safetensors in that folder",
        ),
        (["broken.safetensors", "model.onnx"], 1, "the weights cannot be read"),
        (["run"], 1, "name one file to write, as in minise export run model.onnx"),
        (["model"], 1, "model, expected a name that ends in .onnx, .h or .js"),
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
    assert err == "minise: export: the weights of fc are not finite: nothing was written\n"
    assert not (tmp_path / "model.onnx").exists()


def test_without_the_package_onnx_one_line_says_what_to_install(minise, run, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnx", None)
    code, _, err = minise("export", run, "model.onnx")
    assert code == 1
    assert err.startswith("minise: export needs the package onnx: python -m pip install onnx")
    assert len(err.splitlines()) == 1


@pytest.mark.parametrize("file", ["net.onnx", "net.h", "net.js"])
def test_a_layer_without_nodes_is_named_in_one_sentence(minise, run, monkeypatch, file):
    monkeypatch.delitem(layers.LAYERS, nn.SEBlock)
    code, out, err = minise("export", run, file)
    assert (code, out) == (1, "")
    assert err.splitlines() == [
        "minise: export: block1.se is a SEBlock, which export does not know: give it its nodes "
        "with export.register"
    ]
    assert not os.path.exists(file)
