"""`minise gradcheck`, of minise's own operations and of a person's own code."""

import numpy as np
import pytest

from minise import gradcheck, nn, ops

OWN = """
from __future__ import annotations
from dataclasses import dataclass
import numpy as np
from minise import nn

def scale(x, s):
    return x * s[:, :, None, None], (x, s)

def scale_backward(dy, saved):
    x, s = saved
    return dy * s[:, :, None, None], (dy * x).mean(axis=(2, 3))

def scale_inputs(rng):
    return rng.standard_normal((2, 3, 4, 5)), rng.standard_normal((2, 3))

def cube(x):
    return x**3, x

def cube_backward(dy, x):
    return 3 * x**2 * dy

cube_inputs = np.linspace(-1, 1, 5)
both = (cube, cube_backward)
made = nn.Linear(3, 2, dtype=np.float64)

class Made(nn.Linear):
    def __init__(self):
        super().__init__(3, 2, dtype=np.float64)

def affine_forward(x):
    return 2 * x + 1, x

def affine_backward(dy, x):
    return 2 * dy

def broken(x):
    return x / nothing, x

def broken_backward(dy, x):
    return dy

def lonely(x, y):
    return x, y

def product_forward(*args):
    x, w = args
    return x @ w, x + 1, (x, w)

def product_backward(up, right, saved):
    x, w = saved
    return x.T @ up, up @ w.T + right

product_inputs = (np.arange(6.0).reshape(2, 3), np.ones((3, 3)) + np.eye(3))
product_names, product_returns, product_outputs = ("x", "w"), ("w", "x"), 2

class Double:
    def forward(self, x):
        return 2 * x

    def backward(self, dout):
        return 2 * dout

def halved(x):
    return 0.5 * (x**2).sum(), x

number = 3
largest = max

class Sized(nn.Linear):
    def __init__(self, n):
        super().__init__(n, 2, dtype=np.float64)

@dataclass
class Saved:
    x: int

def beside(x):
    import neighbour
    return neighbour.double(x), Saved(x)

def beside_backward(dy, saved):
    return 2 * dy

def beside_inputs(rng):
    yield rng.standard_normal(3)
"""


@pytest.fixture
def own(tmp_path):
    path = tmp_path / "own.py"
    path.write_text(OWN)
    (tmp_path / "neighbour.py").write_text("def double(x):\n    return 2 * x\n")
    return path


@pytest.mark.effect("minise gradcheck NAMES")
def test_what_is_named_is_checked(minise):
    code, out, err = minise("gradcheck", "channel_scale", "SEBlock")
    assert (code, err) == (0, "")
    assert "12 of 12 passed" in out
    assert "SEBlock, hard_sigmoid" in out


def test_a_line_tells_the_entries_that_were_compared_and_the_largest_error(minise, monkeypatch):
    many = np.linspace(0.5, 1.5, 1000)  # of which 200 are drawn
    example = gradcheck.Example((ops.tanh, ops.tanh_backward), (many,))
    monkeypatch.setitem(gradcheck.EXAMPLES, "tanh", lambda rng: example)
    rng = np.random.default_rng([0, 1])
    report = gradcheck.check((ops.tanh, ops.tanh_backward), many, rng=rng)
    largest = f"{max(report['x'].errors):.1e}"
    assert minise("gradcheck", "tanh")[1] == (
        f"tanh   200 entries  worst error {largest}  passed\n"
    )


class OnceInEvaluation(nn.Layer):
    """Twice x in training, x in evaluation; its backward is right for one of them."""

    def forward(self, x, training=True):
        return (2 * x if training else x + 0), lambda dy: dy


@pytest.mark.parametrize("training", [True, False])
def test_an_example_is_checked_in_its_own_mode(minise, monkeypatch, training):
    example = gradcheck.Example(OnceInEvaluation(), (np.ones(3),), training=training)
    monkeypatch.setitem(gradcheck.EXAMPLES, "own", lambda rng: example)
    assert (minise("gradcheck", "own")[0] == 0) is not training


@pytest.mark.slow
def test_everything_is_checked_where_nothing_is_named(minise):
    code, out, _ = minise("gradcheck")
    assert code == 0
    assert f"{len(gradcheck.EXAMPLES)} of {len(gradcheck.EXAMPLES)} passed" in out


def test_a_wrong_backward_ends_with_1_and_its_report(minise, monkeypatch):
    def wrong(rng):
        def backward(dy, saved):
            dx, ds = ops.channel_scale_backward(dy, saved)
            return dx, 1.01 * ds

        arrays = rng.standard_normal((2, 3, 4, 4)), rng.standard_normal((2, 3))
        return gradcheck.Example((ops.channel_scale, backward), arrays)

    monkeypatch.setitem(gradcheck.EXAMPLES, "channel_scale", wrong)
    code, out, err = minise("gradcheck", "channel_scale", "relu")
    assert code == 1
    assert err == "minise: gradients are wrong: channel_scale\n"
    assert "channel_scale: FAILED" in out
    assert "constant factor 1.01" in out
    assert "1 of 2 passed; worst relative error 9.9e-03, of channel_scale" in out


def test_own_functions_are_checked_on_the_inputs_beside_them(minise, own):
    code, out, err = minise("gradcheck", f"{own}:scale")
    assert code == 1
    assert "factor 0.05 = 1/(H·W) = 1/20" in out
    assert "Traceback" not in out + err
    assert minise("gradcheck", f"{own}:cube")[0] == 0


@pytest.mark.effect(
    "minise gradcheck --input", "minise gradcheck --method", "minise gradcheck --seed"
)
def test_the_report_is_of_what_the_seed_draws_in_that_shape_and_by_that_method(minise, own):
    options = ["--input", "2,3", "--method", "complex", "--seed", 3]
    code, out, err = minise("gradcheck", f"{own}:cube", *options)

    def cube(x):
        return x**3, x

    def cube_backward(dy, x):
        return 3 * x**2 * dy

    x, rng = np.random.default_rng(3).standard_normal((2, 3)), np.random.default_rng([3, 1])
    report = gradcheck.check((cube, cube_backward), x, method="complex", rng=rng)
    assert (code, out, err) == (0, f"{report}\n\n", "")
    assert report["x"].relative_error < 1e-14


def test_what_the_code_does_not_say_stands_beside_it(minise, own):
    code, out, err = minise("gradcheck", f"{own}:product_forward")
    assert (code, err) == (0, "")
    assert [line.split()[0] for line in out.splitlines()[2:4]] == ["x", "w"]


@pytest.mark.effect("minise gradcheck --vary")
def test_other_shapes_show_what_the_given_ones_hide(minise, tmp_path):
    path = tmp_path / "bias.py"
    path.write_text(
        "def bias(x, b):\n    return x + b, None\n\n"
        "def bias_backward(dy, saved):\n    return dy, dy.mean(axis=0)\n"
    )
    options = [f"{path}:bias", "--input", "1,3", "--input", 3]
    code, out, _ = minise("gradcheck", *options)
    assert code == 0
    assert "try x (2, 3)" in " ".join(out.split())
    code, out, err = minise("gradcheck", *options, "--vary")
    assert code == 1
    assert "varied: x (2, 3), b (3,)" in out
    assert "b: off by the constant factor 0.5" in out
    assert "gradients are wrong" in err


@pytest.mark.parametrize(
    "name", ["cube", "affine_forward", "both", "made", "Made", "Double", "halved"]
)
def test_own_functions_and_layers_are_checked_on_arrays_of_a_given_shape(minise, own, name):
    code, out, err = minise("gradcheck", f"{own}:{name}", "--input", "4,3")
    assert (code, err) == (0, "")
    assert "12" in out
    assert ": passed" in out


def test_own_code_may_use_a_file_beside_it_and_dataclasses(minise, own):
    code, out, err = minise("gradcheck", f"{own}:beside")
    assert (code, err) == (0, "")
    assert "beside: passed" in out


def test_own_code_and_operations_are_checked_side_by_side(minise, own):
    code, out, _ = minise("gradcheck", f"{own}:cube", "tanh", "--method", "complex")
    assert code == 0
    assert "2 of 2 passed" in out


@pytest.mark.effect("minise gradcheck --plot")
@pytest.mark.usefixtures("drawn")
def test_pictures_are_drawn_for_each(minise, own, tmp_path):
    folder = tmp_path / "new" / "pictures"
    minise("gradcheck", "relu", f"{own}:cube", "--plot", folder)
    pictures = {path.name: path.read_bytes()[:4] for path in folder.iterdir()}
    assert set(pictures.values()) == {b"\x89PNG"}
    assert "relu.png" in pictures
    assert len(pictures) == 2


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["conv3d"], 1, "unknown operation or layer 'conv3d': did you mean 'Conv2d' or"),
        (["own.py:missing"], 1, "own.py has no 'missing'"),
        (["none.py:f"], 1, "none.py: there is no such file"),
        ([":f"], 1, "expected a file and a name in it"),
        (["own.py:both"], 1, "own.py:both needs inputs: type --input"),
        (["own.py:number", "--input", "3"], 1, "own.py:number is not a layer, an object"),
        (["own.py:lonely", "--input", "3"], 1, "lonely takes x, y, and was given no y"),
        (["own.py:lonely", *["--input", "3"] * 2], 1, "a pair (forward, backward) of functions"),
        (["own.py:largest", "--input", "3"], 1, "nor a function with a largest_backward beside it"),
        (["own.py:broken", "--input", "3"], 1, "own.py:38, in broken: NameError: name 'nothing'"),
        (["own.py:Made", "--input", "3"], 1, "x has shape (3,), expected (N, in)"),
        (["syntax.py:f", "--input", "3"], 1, "syntax.py:1: SyntaxError"),
        (["raises.py:f"], 1, "minise: raises.py:2: TypeError: early\n"),
        (["imports.py:f"], 1, "minise: syntax.py:1: SyntaxError"),
        (["own.py:Sized", "--input", "3,2"], 1, "own.py:Sized needs arguments: name a function"),
        (["own.py"], 1, "own.py: name a function or a layer in it, as in own.py:my_layer"),
        (["exits.py:f", "--input", "3"], 1, "exits.py exits when imported"),
        (["text.txt:f"], 1, "text.txt is not a Python file"),
        (["relu", "--input", "3"], 1, "--input is for your own code"),
        (["own.py:cube", "--input", "3,x"], 2, "'3,x' is not a shape"),
        (["own.py:cube", "--input", "3,0"], 2, "'3,0' has a size below 1"),
        (["relu", "--plot", "own.py/pictures"], 1, "own.py/pictures: cannot be written to"),
        (["relu", "--method", "exact"], 2, "'exact' is not one of 'differences', 'complex'"),
    ],
)
def test_every_mistake_is_one_clear_line(minise, own, tmp_path, arguments, code, message):
    (tmp_path / "syntax.py").write_text("def f(:\n")
    (tmp_path / "raises.py").write_text("import math\nraise TypeError('early')\n")
    (tmp_path / "imports.py").write_text("import syntax\n")
    (tmp_path / "exits.py").write_text("raise SystemExit")
    (tmp_path / "text.txt").write_text("f")
    got, _, err = minise("gradcheck", *arguments)
    assert got == code
    assert message in err
    assert "Traceback" not in err
