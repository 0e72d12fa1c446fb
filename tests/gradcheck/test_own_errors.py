"""What a person's own code raises: told with its place, what it was given, and what was done."""

import json
import math
import re
import traceback
from collections import namedtuple
from pathlib import Path

import numpy as np
import pytest

from minise import gradcheck, nn, ops
from minise.errors import InputError
from minise.gradcheck import own_errors

Saved = namedtuple("Saved", "x w")
FILE = Path(__file__).name


def affine(x, w, scale=2.0):
    return scale * (x @ w), Saved(x, w)


def affine_backward(dy, saved):
    dx = dy @ saved.w.T  # (3, 4)
    return dx, saved.x.T @ (dy + np.zeros(7))


def raised(subject, *inputs, **options):
    with pytest.raises(InputError) as caught:
        gradcheck.check(subject, *inputs, **options)
    assert "\n" not in str(caught.value)
    return caught.value


def line_of(error):
    return traceback.extract_tb(error.__cause__.__traceback__)[-1].lineno


def test_file_and_line_come_first_and_what_was_given_last():
    error = raised((affine, affine_backward), np.ones((3, 4)), np.ones((4, 5)))
    text = str(error)
    assert re.match(rf"\S*{FILE}:{line_of(error)}, in affine_backward: ValueError: operands", text)
    assert text.endswith(
        "; called with dy (3, 5), saved {x: (3, 4), w: (4, 5)}, in the first backward"
    )


def test_a_forward_that_raises_is_told_with_its_options_too():
    error = raised((affine, affine_backward), np.ones((3, 4)), np.ones((5, 4)))
    assert ", in affine: ValueError: matmul" in str(error)
    assert str(error).endswith("called with x (3, 4), w (5, 4), scale 2.0, in the first forward")


def test_the_error_itself_is_the_cause_and_begins_in_their_code():
    error = raised((affine, affine_backward), np.ones((3, 4)), np.ones((4, 5)))
    assert type(error.__cause__) is ValueError
    files = {frame.filename for frame in traceback.extract_tb(error.__cause__.__traceback__)}
    assert files == {__file__}


def test_an_error_far_from_the_function_that_was_called():
    def root(x):
        return np.array([math.sqrt(number) for number in x]), x

    def deeper(x):
        return root(x)

    error = raised((deeper, ops.relu_backward), np.array([1.0, -1.0]))
    assert f"{FILE}:{line_of(error)}, in root: ValueError: " in str(error)
    assert "; deeper was called with x (2,), in the first forward" in str(error)


@pytest.mark.parametrize(
    "foreign",
    [lambda x: json.loads("{"), lambda x: np.linalg.solve(np.zeros((3, 3)), x)],
    ids=["Python's", "an installed package"],
)
def test_an_error_in_the_code_of_others_has_the_line_that_called_it(foreign):
    def forward(x):
        return foreign(x), None

    error = raised((forward, lambda dy, saved: dy), np.ones(3))
    assert f"{FILE}:{foreign.__code__.co_firstlineno}, in <lambda>: " in str(error)
    assert len(traceback.extract_tb(error.__cause__.__traceback__)) > 2  # theirs are not lost


def test_a_step_out_of_what_a_function_is_defined_for():
    def root(x):
        return math.sqrt(x[0]) * np.ones(1), x

    def root_backward(dy, x):
        return dy / (2 * np.sqrt(x))

    error = raised((root, root_backward), np.array([1e-3]), step=10.0, habits=ALL_OFF)
    assert str(error).endswith("called with x (1,), while numbers were moved for differences")


ALL_OFF = dict.fromkeys(gradcheck.habits.HABITS, False)


def test_a_layer_of_their_own_that_gives_an_operation_what_it_cannot_take():
    class Narrow(nn.Layer):
        def __init__(self):
            self.fc = nn.Linear(3, 2)

        def forward(self, x, training=True):
            return self.fc.forward(x[:, :2], training)

    error = raised(Narrow(), np.ones((4, 3)))
    assert f"{FILE}:" in str(error)
    assert ", in Narrow.forward: ValueError: linear: " in str(error)
    assert "called with x (4, 3), training True" in str(error)


def test_what_minise_raises_is_left_as_it_is():
    with pytest.raises(ValueError, match="linear: ") as caught:
        gradcheck.check((ops.linear, ops.linear_backward), np.ones((2, 3)), np.ones((4, 5)))
    assert type(caught.value) is ValueError


def test_a_habit_that_raises_is_a_problem_beside_the_numbers():
    def relu_backward(dy, saved):
        return dy * (saved.pop("x") > 0)

    pair = (lambda x: (np.maximum(x, 0), {"x": x})), relu_backward
    report = gradcheck.check(pair, np.array([1.0, -1.0, 2.0]))
    assert report["x"].passed
    (problem,) = report.problems
    line = relu_backward.__code__.co_firstlineno + 1
    assert problem.startswith('fails where "called twice" is tried: ')
    assert f"{FILE}:{line}, in relu_backward: KeyError: 'x'; called with dy (3,)" in problem


def test_a_memory_order_that_raises_is_told_with_its_line():
    def flat(x):
        if not x.flags.c_contiguous:
            raise TypeError("x must be\ncontiguous")
        return 2 * x, None

    report = gradcheck.check((flat, lambda dy, saved: 2 * dy), np.ones((2, 3)))
    line = flat.__code__.co_firstlineno + 2
    assert len(report.problems) == 3
    for problem in report.problems:
        assert f"{FILE}:{line}, in flat: TypeError: x must be contiguous; called" in problem


@pytest.mark.parametrize("stop", [KeyboardInterrupt, SystemExit, pytest.skip.Exception])
def test_what_is_no_error_passes(stop):
    def forward(x):
        raise stop("enough")

    with pytest.raises(stop, match="enough"):
        gradcheck.check((forward, ops.relu_backward), np.ones(2))


def test_a_function_that_takes_no_complex_numbers_is_told_with_its_line():
    def real(x):
        return np.array([float(number) for number in x]), None

    error = raised((real, lambda dy, saved: dy), np.ones(3), method="complex")
    line = real.__code__.co_firstlineno + 1
    assert f"does not take complex numbers: {own_errors.place(__file__, line)}, in real" in str(
        error
    )


def test_places_are_told_from_the_current_folder(tmp_path, monkeypatch):
    file = tmp_path / "deep" / "layers.py"
    assert own_errors.place(str(file), 12) == f"{file}:12"
    monkeypatch.chdir(tmp_path)
    assert own_errors.place(str(file), 12) == f"{Path('deep', 'layers.py')}:12"


def test_a_cell_of_a_notebook_is_told_by_its_number(monkeypatch):
    class Shell:
        class compile:  # noqa: N801 (IPython's name)
            format_code_name = {"/tmp/ipykernel_3/12.py": ("Cell", "In[3]")}.get

    class IPython:
        get_ipython = Shell

    monkeypatch.setitem(own_errors.sys.modules, "IPython", IPython)
    assert own_errors.place("/tmp/ipykernel_3/12.py", 2) == "Cell In[3], line 2"
    assert own_errors.place("/nowhere/layers.py", 2) == f"{Path('/nowhere/layers.py')}:2"
