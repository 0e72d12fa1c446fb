"""`minise export` to code, which is run by the programs that are there."""

import os
import stat
import sys

import numpy as np
import pytest
from in_c import needs_compiler
from in_node import Node, needs_node
from onnx_runtimes import with_statistics

from minise import data, models, runs
from minise.export import Pixels, c_sizes
from minise.export.c.compiled import compiled, scores

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
        '  call    import { pixelsOf, predict } from "./net.js";',
        "          const scores = predict(pixels);",
        "  input   pixels, 784 numbers",
        "          grey values, 0 to 255; rows from the top; light on dark",
        "          from a photo: data.fit_digit(data.read_picture(path)), of minise",
        "          pixelsOf(imageData) makes them of a canvas",
        "  output  scores, a Float32Array of 10",
        "          one score for each class, the largest is the answer",
        "  checked in Node on 100 random images: it differs from the net",
    ]
    assert float(difference.split()[3]) < 1e-5
    _, out, _ = minise("export", run, "net.js")
    assert out.splitlines()[-1] == "  not run: --check runs it in Node and compares it with the net"


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


def scores_in_c(folder, x, dtype):
    (folder / "built").mkdir()
    text = (folder / "net.h").read_text(encoding="utf-8")
    pixels = None if dtype == np.float32 else Pixels(ABOUT.mean, ABOUT.std)
    return scores(compiled(folder / "built", {"net": text}), "net", x, pixels)


@needs_compiler
def test_a_header_takes_bytes_says_the_same_and_is_run_where_that_is_asked(
    minise, run, net, digits, tmp_path
):
    code, out, err = minise("export", run, "net.h", "--check")
    assert (code, err) == (0, "")
    expected = net(data.to_input(digits, ABOUT.mean, ABOUT.std))
    assert_close(scores_in_c(tmp_path, digits, np.uint8), expected)
    weights, memory = c_sizes((tmp_path / "net.h").read_text(encoding="utf-8"))
    *said, difference = out.splitlines()
    assert said == [
        f"net.h: se-cnn, {os.path.getsize('net.h'):,} bytes of C99",
        f"  needs   {weights:,} bytes for weights, {memory:,} to work in, and its code",
        '  call    #include "net.h"',
        "          net_predict(pixels, scores);",
        "  input   pixels, 784 unsigned chars",
        "          grey values, 0 to 255; rows from the top; light on dark",
        "          from a photo: data.fit_digit(data.read_picture(path)), of minise",
        "  output  scores, 10 floats",
        "          one score for each class, the largest is the answer",
        "  checked in C on 100 random images: it differs from the net",
    ]
    assert float(difference.split()[3]) < 1e-5
    _, out, _ = minise("export", run, "net.h")
    assert out.splitlines()[-1] == "  not run: --check compiles it and compares it with the net"


@needs_compiler
def test_a_header_for_normalised_numbers(minise, run, net, digits, tmp_path):
    _, out, _ = minise("export", run, "net.h", "--normalised")
    assert "          net_predict(x, scores);\n  input   x, 784 floats\n" in out
    x = data.to_input(digits, ABOUT.mean, ABOUT.std)
    assert_close(scores_in_c(tmp_path, np.ascontiguousarray(x), np.float32), net(x))


@needs_compiler
def test_a_header_of_8_bits_is_tested_beside_the_one_in_float32(minise, run, net, digits, tmp_path):
    (x_train, y_train), (x_test, y_test) = data.load("sample")[1:3]
    arrays = {"x_train": x_train[:30], "y_train": y_train[:30]}
    np.savez(tmp_path / "few.npz", **arrays, x_test=x_test[:20], y_test=y_test[:20])
    code, out, err = minise("export", run, "net.h", "--int8", "--data", "few.npz", "--check")
    assert (code, err) == (0, "")
    *_, checked, _, said, header, before, after = out.splitlines()
    assert checked.startswith("  checked in C, in float32, on 100 random images")
    assert said == "  int8    ranges from 30 training images of few; its 20 test images"
    assert header.split() == ["accuracy", "weights", "memory"]
    right = (net(data.to_input(x_test[:20], ABOUT.mean, ABOUT.std)).argmax(1) == y_test[:20]).mean()
    assert before.split()[:2] == ["float32", f"{right:.2%}"]
    sizes = c_sizes((tmp_path / "net.h").read_text(encoding="utf-8"))
    assert [int(word.replace(",", "")) for word in after.split()[2:]] == list(sizes)
    assert sizes.weights < 0.4 * int(before.split()[2].replace(",", ""))
    exact = net(data.to_input(digits, ABOUT.mean, ABOUT.std))
    scores = scores_in_c(tmp_path, digits, np.uint8)
    assert 0 < np.abs(scores - exact).max() < np.abs(exact).max()
    _, out, _ = minise("export", run, "net.h", "--int8", "--data", "few.npz")
    assert out.splitlines()[-2:] == [
        "  not run: --check compiles it, and runs it on the test images",
        "  int8    ranges from 30 training images of few",
    ]


def test_a_header_says_whose_net_it_is_and_what_its_classes_are(minise, run, net, tmp_path):
    names = tuple(f"kind{k}" for k in range(10))
    runs.save_weights(
        tmp_path / "run" / "model.safetensors", net, ABOUT._replace(class_names=names)
    )
    minise("export", run, "net.h")
    top = (tmp_path / "net.h").read_text(encoding="utf-8").partition("*/")[0]
    words = " ".join(top.replace("*", " ").split())
    assert "se-cnn; one score for each class, the largest is the answer: 0 kind0" in words


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["net.h", "--uint8"], "net.h: --uint8 is for .onnx"),
        (["net.h", "--batch", "1"], "net.h: --batch is for .onnx"),
        (["net.onnx", "--check"], "net.onnx: --check is for .h and .js"),
        (["net.js", "--int8"], "net.js: --int8 is for .onnx and .h"),
        (["my-net.h"], "export: 'my-net': functions in C cannot be named after it"),
        (["net.js", "--uint8"], "net.js: --uint8 is for .onnx"),
        (["net.js", "--batch", "1"], "net.js: --batch is for .onnx"),
        (["net.js", "--keep-names"], "net.js: --keep-names is for .onnx"),
        (["net.txt"], "net.txt, expected a name that ends in .onnx, .h or .js"),
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
    for file in ("net.js", "net.h"):
        code, _, err = minise("export", run, file)
        assert code == 1
        assert err == "minise: export: the weights of fc are not finite: nothing was written\n"
        assert not (tmp_path / file).exists()


@pytest.mark.parametrize(
    ("file", "message"),
    [
        ("net.js", "--check runs the module in Node, which is not there: see nodejs.org\n"),
        ("net.h", "export: no C compiler was found: expected cc, gcc or clang, or its command in"),
    ],
)
def test_without_the_program_it_is_told(minise, run, monkeypatch, tmp_path, file, message):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CC", raising=False)
    code, _, err = minise("export", run, file, "--check")
    assert code == 1
    assert err.startswith(f"minise: {message}")
    assert err.count("\n") == 1
    assert not (tmp_path / file).exists()


@pytest.mark.skipif(sys.platform == "win32", reason="a script stands for Node")
@pytest.mark.parametrize(
    ("script", "message"),
    [
        ("echo one >&2; echo two >&2; exit 3", "node stopped with 3: two\n"),
        (
            f"echo '[{','.join(100 * [str(10 * [1.0])])}]'",
            "in Node it would differ from the net by ",
        ),
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
