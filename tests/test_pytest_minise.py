"""The plugin: its fixture, what a failing test shows, and the pictures that it leaves."""

import os
import subprocess
import sys

import pytest
from matplotlib.figure import Figure

import pytest_minise

pytest_plugins = ["pytester"]

TESTS = """
import numpy as np
import pytest

def scale(x, w):
    return x * w, (x, w)

def right(dy, saved):
    x, w = saved
    return dy * w, (dy * x).sum(axis=0)

def wrong(dy, saved):
    x, w = saved
    return dy * w, (dy * x).mean(axis=0)

X, W = np.random.default_rng(0).standard_normal((3, 2)), np.array([0.5, 2.0])

def test_right(gradcheck):
    report = gradcheck((scale, right), X, W)
    assert report.passed
    assert report["x"].relative_error < 1e-6

def test_wrong(gradcheck):
    gradcheck((scale, wrong), X, W)

@pytest.mark.parametrize("name", ["relu", "ReLU", "a/b: c?"])
def test_named(gradcheck, name):
    gradcheck((scale, wrong), X, W, sample=3)

def test_twice(gradcheck):
    for _ in range(2):
        with pytest.raises(AssertionError, match="drawn in"):
            gradcheck((scale, wrong), X, W)

def test_option(gradcheck):
    gradcheck((scale, wrong), X, W, tolerance=0.9)

def test_raises(gradcheck):
    gradcheck((lambda x: (x @ x, None), right), X)
"""


@pytest.fixture
def run(pytester):
    """Run some of TESTS, with the plugin alone beside pytest's own."""
    pytester.makepyfile(test_mine=TESTS)

    def run(*options):
        return pytester.runpytest_inprocess("-p", "pytest_minise", "-p", "no:randomly", *options)

    return run


def test_a_right_gradient_passes_and_the_report_is_returned(run):
    run("-k", "right").assert_outcomes(passed=1, deselected=7)


def test_a_wrong_one_fails_with_the_table_and_no_frame_of_minise(run):
    result = run("-k", "wrong")
    result.assert_outcomes(failed=1, deselected=7)
    result.stdout.fnmatch_lines(
        [
            ">       gradcheck((scale, wrong), X, W)",
            "E       AssertionError: scale: FAILED",
            "E         gradient of  entries  verdict *",
            "E         x * 6  right *",
            "E         w * 2  wrong *",
            "E         w: off by the constant factor 0.3333*",
            "test_mine.py:*: AssertionError",
        ]
    )
    shown = result.stdout.str()
    assert "pytest_minise.py" not in shown
    assert "check.py" not in shown
    assert "drawn" not in shown


def test_options_are_those_of_check(run):
    run("-k", "option").assert_outcomes(passed=1, deselected=7)


def test_an_error_of_their_own_shows_file_and_line_and_no_frame_of_minise(run):
    result = run("-k", "raises")
    line = 1 + TESTS.strip()[: TESTS.strip().index("lambda x: (x @ x")].count("\n")
    result.stdout.fnmatch_lines(
        [f"E*minise.errors.InputError: test_mine.py:{line}, in <lambda>: ValueError: matmul: *"]
    )
    assert "check.py" not in result.stdout.str()
    assert "own_errors.py" not in result.stdout.str()


def test_what_fails_is_drawn_in_the_folder(run, pytester, monkeypatch):
    png = b"\x89PNG"  # to draw six pictures takes longer than all else here
    monkeypatch.setattr(Figure, "savefig", lambda figure, file, **options: file.write(png))
    result = run("--gradcheck-plots", "new/pictures", "-k", "right or wrong or named or twice")
    result.assert_outcomes(passed=2, failed=4, deselected=2)
    folder = pytester.path / "new" / "pictures"
    result.stdout.fnmatch_lines([f"E * drawn in {folder / 'test_mine.py-test_wrong.png'}"])
    pictures = sorted(path.name.casefold() for path in folder.iterdir())
    assert len(set(pictures)) == 6  # on every system
    assert {path.read_bytes() for path in folder.iterdir()} == {png}
    assert "test_mine.py-test_twice.png" in pictures
    assert "test_mine.py-test_twice-2.png" in pictures


def test_where_nothing_can_be_drawn_the_report_is_told_all_the_same(run, pytester):
    (pytester.path / "taken").write_text("a file")
    result = run("--gradcheck-plots", "taken", "-k", "wrong")
    result.stdout.fnmatch_lines(["E       AssertionError: scale: FAILED", "E * not drawn: *taken*"])


def test_the_option_says_what_it_draws(run):
    run("--help").stdout.fnmatch_lines(["*--gradcheck-plots=DIR", "*each check of the fixture*"])


def test_names_of_pictures_are_safe_and_each_test_has_its_own():
    tests = [
        "a/test_x.py::test_f",
        "test_x.py::test_f[1-2]",
        "test_x.py::test_f[relu]",
        "test_x.py::test_f[ReLU]",
        "test_x.py::test_f[a:b]",
        "test_x.py::test_f[a?b]",
        "test_x.py::test_f[a\\b]",
        "test_x.py::test_f[" + 300 * "a" + "]",
        "test_x.py::test_f[" + 301 * "a" + "]",
    ]
    names = [pytest_minise.picture(test) for test in tests]
    assert names[:3] == [
        "a-test_x.py-test_f.png", "test_x.py-test_f[1-2].png", "test_x.py-test_f[relu].png"
    ]  # fmt: skip
    assert len({name.casefold() for name in names}) == len(tests)
    assert not set("".join(names)) & set('<>:"/\\|?* ')
    assert max(map(len, names)) < 140


def test_to_import_it_is_light():
    code = "import sys, pytest_minise; print({'minise', 'numpy', 'matplotlib'} & set(sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=os.environ
    )
    assert (done.stdout, done.stderr) == ("set()\n", "")
