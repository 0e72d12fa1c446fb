"""`minise export` to code, which is run by the programs that are there."""

import os
import stat
import sys

import numpy as np
import pytest
from javascript import Node, needs_node
from onnx_runtimes import with_statistics

from minise import data, models, runs

ABOUT = runs.About("se-cnn", 10, (1, 28, 28), 0.1307, 0.3081, "sample", 5)


@pytest.fixture
def net():
    return models.create("se-cnn", seed=5)


@pytest.fixture
def run(tmp_path, net):
    (tmp_path / "run").mkdir()
    runs.save_weights(tmp_path / "run" / "model.safetensors", net, ABOUT)
    return "run"


@pytest.fixture
def digits():
    return data.load("sample").test.images[:4]


def scores_in_node(folder, x):
    node = Node(folder)
    scores = node.scores((folder / "net.js").read_text(encoding="utf-8"), x.transpose(0, 2, 3, 1))
    node.close()
    return scores


def assert_close(scores, expected):
    np.testing.assert_allclose(scores, expected, rtol=0, atol=1e-5 * np.abs(expected).max())


@needs_node
@pytest.mark.effect("minise export --check")
def test_a_module_takes_pixels_says_the_same_and_is_run_where_that_is_asked(
    minise, run, net, digits, tmp_path
):
    code, out, err = minise("export", run, "net.js", "--check")
    assert (code, err) == (0, "")
    expected = net(data.to_input(digits, ABOUT.mean, ABOUT.std))
    assert_close(scores_in_node(tmp_path, digits), expected)
    *said, difference = out.splitlines()
    assert said == [
        f"net.js: se-cnn, {os.path.getsize('net.js'):,} bytes, a module of JavaScript",
        "  input   predict(pixels), 784 numbers",
        "          grey values, 0 to 255; rows from the top; light on dark",
        "          from a photo: data.fit_digit(data.read_picture(path)), of minise",
        "          pixelsOf(imageData) makes them of a canvas",
        "  output  a Float32Array of 10 scores",
        "          one score for each class, the largest is the answer",
        "  checked in Node on 100 random images: it differs from the net",
    ]
    assert float(difference.split()[3]) < 1e-5
    _, out, _ = minise("export", run, "net.js")
    assert out.splitlines()[-1] == "  not run: --check does it in Node, beside the net"


@needs_node
def test_a_module_for_normalised_numbers(minise, run, net, digits, tmp_path):
    _, out, _ = minise("export", run, "net.js", "--normalised", "--check")
    assert "          each then (value / 255 - 0.1307) / 0.3081\n" in out
    assert "pixelsOf" not in out
    x = data.to_input(digits, ABOUT.mean, ABOUT.std)
    assert_close(scores_in_node(tmp_path, np.ascontiguousarray(x)), net(x))


@needs_node
def test_a_module_of_colours_has_the_names_of_its_classes(minise, tmp_path):
    net = with_statistics(models.create("resnet8", num_classes=3, in_channels=3))
    about = ABOUT._replace(
        model="resnet8", num_classes=3, image_shape=(3, 20, 20), class_names=("ant", "bee")
    )
    (tmp_path / "run").mkdir()
    runs.save_weights(tmp_path / "run" / "model.safetensors", net, about)
    code, out, _ = minise("export", "run", "net.js", "--check")
    assert code == 0
    assert "          red, green, blue of each pixel, 0 to 255; rows from the top\n" in out
    node = Node(tmp_path)
    text = (tmp_path / "net.js").read_text(encoding="utf-8")
    assert node.evaluate(text, "m.classes") == ["ant", "bee", "2"]
    node.close()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["net.js", "--uint8"], "net.js: --uint8 is for .onnx"),
        (["net.js", "--batch", "1"], "net.js: --batch is for .onnx"),
        (["net.js", "--keep-names"], "net.js: --keep-names is for .onnx"),
        (["net.txt"], "net.txt, expected a name that ends in .onnx"),
    ],
)
def test_an_option_that_a_format_does_not_take_is_one_clear_line(
    minise, run, tmp_path, options, message
):
    code, out, err = minise("export", run, *options)
    assert (code, out) == (1, "")
    assert err.startswith(f"minise: {message}")
    assert err.count("\n") == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == ["run"]


def test_a_net_whose_training_diverged_is_one_clear_line(minise, run, net, tmp_path):
    net.fc.weight.value[...] = np.nan
    runs.save_weights(tmp_path / "run" / "model.safetensors", net, ABOUT)
    code, _, err = minise("export", run, "net.js")
    assert (code, err) == (1, "minise: run: the net's scores are not finite: nothing was written\n")
    assert not (tmp_path / "net.js").exists()


def test_without_the_program_it_is_told(minise, run, monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    code, _, err = minise("export", run, "net.js", "--check")
    assert code == 1
    assert err == "minise: --check runs the module in Node, which is not there: see nodejs.org\n"
    assert not (tmp_path / "net.js").exists()


@pytest.mark.skipif(sys.platform == "win32", reason="a script stands for Node")
@pytest.mark.parametrize(
    ("script", "message"),
    [
        ("echo one >&2; echo two >&2; exit 3", "node stopped with 3: two\n"),
        (f"echo '[{','.join(100 * [str(10 * [1.0])])}]'", "the code would differ from the net by "),
    ],
)
def test_what_goes_wrong_there_is_one_clear_line(
    minise, run, monkeypatch, tmp_path, script, message
):
    (tmp_path / "bin").mkdir()
    node = tmp_path / "bin" / "node"
    node.write_text(f"#!/bin/sh\n{script}\n")
    node.chmod(node.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}")
    code, _, err = minise("export", run, "net.js", "--check")
    assert code == 1
    assert message in err
    assert err.count("\n") == 1
    assert not (tmp_path / "net.js").exists()
