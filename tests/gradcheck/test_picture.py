"""The picture of a report, by what is in its axes."""

import numpy as np
import pytest
from matplotlib.colors import to_hex

from minise.gradcheck import Verdict
from minise.gradcheck.checked import Checked
from minise.gradcheck.differences import LADDER
from minise.gradcheck.picture import draw
from minise.gradcheck.report import Report

GREEN, RED, PURPLE = "#2ca02c", "#d62728", "#9467bd"
SHAPE = (2, 3, 2, 2)


def checked(**parts):
    """A gradient (2, 3, 2, 2), of which the entries 0, 5, 13 and 23 were compared."""
    given = {
        "name": "w",
        "analytic": np.arange(24.0).reshape(SHAPE),
        "entries": np.array([0, 5, 13, 23]),
        "numeric": np.array([1.0, 5.0, np.nan, 23.5]),
        "verdicts": (Verdict.WRONG, Verdict.RIGHT, Verdict.RIGHT, Verdict.RIGHT),
        "errors": np.array([1e-2, 0.0, 1e-9, 1e-8]),
        "kinks": (),
        "step": 1e-3,
        "overall": None,
        "together": None,
        "cause": None,
        "curve": np.logspace(-9, -1, 9),
    }
    return Checked(**(given | parts))


@pytest.fixture
def panels():
    return draw([checked()], title="mine: FAILED", tolerance=1e-6).axes[:3]


def test_what_backward_says_stands_over_what_differences_say(panels):
    scatter = panels[0]
    line, right, wrong = scatter.get_lines()
    assert list(line.get_xdata()) == list(line.get_ydata()) == [0, 23.5]
    assert list(right.get_xdata()) == pytest.approx([5, np.nan, 23.5], nan_ok=True)
    assert list(right.get_ydata()) == [5, 13, 23]
    assert (list(wrong.get_xdata()), list(wrong.get_ydata())) == ([1], [0])
    assert [to_hex(dots.get_color()) for dots in (right, wrong)] == [GREEN, RED]
    assert [text.get_text() for text in scatter.get_legend().get_texts()] == ["3 right", "1 wrong"]
    assert (scatter.get_xlabel(), scatter.get_ylabel()) == ("differences say", "backward says")
    assert scatter.get_title() == "gradient of w (2, 3, 2, 2)"


def test_errors_are_laid_out_as_the_array_is(panels):
    axes = panels[1]
    (image,) = axes.images
    expected = np.full((4, 6), np.nan)  # (N·H, C·W)
    # the entries (0, 0, 0, 0), (0, 1, 0, 1), (1, 0, 0, 1) and (1, 2, 1, 1)
    expected[0, 0], expected[0, 3], expected[2, 1], expected[3, 5] = -2, -17, -9, -8
    np.testing.assert_allclose(np.ma.filled(image.get_array(), np.nan), expected)
    assert image.get_clim() == (-16, 0)
    assert image.get_cmap().name == "RdYlGn_r"  # green is right
    assert axes.get_title() == "relative error, log10"
    assert (axes.get_ylabel(), axes.get_xlabel()) == ("2 × 2 rows", "3 × 2 columns")


@pytest.mark.parametrize(
    ("shape", "laid_out", "labels"),
    [
        ((24,), (1, 24), ("", "24 entries")),
        ((4, 6), (4, 6), ("4 rows", "6 columns")),
        ((2, 3, 4), (2, 12), ("2 rows", "12 columns")),
    ],
)
def test_arrays_of_other_axes_are_rows(shape, laid_out, labels):
    gradient = checked(analytic=np.zeros(shape))
    _, axes, *_ = draw([gradient], title="", tolerance=1e-6).axes
    assert axes.images[0].get_array().shape == laid_out
    assert (axes.get_ylabel(), axes.get_xlabel()) == labels


def test_an_array_without_axes_is_one_entry():
    gradient = checked(
        analytic=np.array(2.0), entries=np.array([0]), numeric=np.array([2.0]),
        verdicts=(Verdict.RIGHT,), errors=np.array([1e-9]),
    )  # fmt: skip
    _, axes, curve, *_ = draw([gradient], title="", tolerance=1e-6).axes
    assert np.asarray(axes.images[0].get_array()) == pytest.approx(np.array([[-9.0]]))
    assert (axes.get_ylabel(), axes.get_xlabel()) == ("", "1 entry")
    assert curve.get_title() == "error against step, along a direction"


def test_the_error_is_drawn_for_each_step_with_the_step_and_the_tolerance(panels):
    axes = panels[2]
    curve, tolerance, step = axes.get_lines()
    np.testing.assert_allclose(curve.get_xdata(), LADDER)
    np.testing.assert_allclose(curve.get_ydata(), np.logspace(-9, -1, 9))
    assert to_hex(curve.get_color()) == PURPLE
    assert list(tolerance.get_ydata()) == [1e-6, 1e-6]
    assert list(step.get_xdata()) == [1e-3, 1e-3]
    assert axes.get_title() == "error against step, the worst entry"
    assert (axes.get_xscale(), axes.get_yscale(), axes.get_xlabel()) == ("log", "log", "step")


def test_a_report_draws_a_row_for_each_gradient_under_its_own_title():
    other = checked(name="b", verdicts=(Verdict.RIGHT,) * 4)
    figure = Report("mine", (checked(), other), (), 1e-3, "differences").plot()
    assert figure.get_suptitle() == "mine: FAILED"
    titles = [axes.get_title() for axes in figure.axes if axes.get_title()]
    assert [title for title in titles if title.startswith("gradient")] == [
        "gradient of w (2, 3, 2, 2)",
        "gradient of b (2, 3, 2, 2)",
    ]
    curves = [axes for axes in figure.axes if axes.get_title().startswith("error against")]
    assert [list(axes.get_lines()[1].get_ydata()) for axes in curves] == [[1e-3] * 2] * 2
