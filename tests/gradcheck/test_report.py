"""The table and the notes of a report, from verdicts that are given."""

import html
import re
from dataclasses import replace

import numpy as np
import pytest

from minise.gradcheck import Verdict
from minise.gradcheck.checked import Checked, Kink
from minise.gradcheck.report import Report

RIGHT, WRONG, KINK, SMALL = Verdict.RIGHT, Verdict.WRONG, Verdict.KINK, Verdict.TOO_SMALL


def checked(name="x", **parts):
    """A gradient (2, 3) of which the entries 1, 3 and 5 were compared: the second is wrong."""
    given = {
        "analytic": np.array([[9.0, 0.25, 9.0], [-1.5, 9.0, 2.0]]),
        "entries": np.array([1, 3, 5]),
        "numeric": np.array([0.25, -1.25, 2.5]),
        "verdicts": (RIGHT, WRONG, KINK),
        "errors": np.array([1e-9, 0.2, 0.125]),
        "kinks": (Kink(2, 3.0, -0.0),),
        "step": 1e-4,
        "overall": None,
        "together": None,
        "cause": None,
        "curve": np.zeros(9),
    }
    return Checked(name=name, **(given | parts))


def right(name="x", **parts):
    """A gradient of three entries, all right; the first differs most."""
    numbers = np.array([1.0, 2.0, 3.0])
    given = {
        "analytic": numbers,
        "entries": np.arange(3),
        "numeric": numbers,
        "verdicts": (RIGHT,) * 3,
        "errors": np.array([3e-9, 1e-9, 2e-9]),
        "kinks": (),
        "step": 1.0,
    }
    return checked(name, **(given | parts))


def report(*gradients, problems=(), method="differences"):
    return Report("mine", gradients, tuple(problems), 1e-6, method)


def test_a_line_for_each_gradient_and_what_else_was_found():
    assert (
        str(report(right("w"), right("b", step=1e-4, errors=np.array([0, 1e-7, 2e-8]))))
        == """\
mine: passed
  gradient of  entries  verdict  worst at  backward  numeric    error   step
  w                  3  right         [0]         1        1  3.0e-09      1
  b                  3  right         [1]         2        2  1.0e-07  1e-04"""
    )


def test_a_wide_table_has_two_lines_for_each_gradient_and_notes_follow():
    found = report(checked(cause="a guess"), right("w"), problems=["It leaks."])
    assert (
        str(found)
        == """\
mine: FAILED
  gradient of  entries  verdict
    worst at  backward  numeric    error   step
  x  3  1 right, 1 wrong, 1 at a kink
      [1, 0]      -1.5    -1.25  2.0e-01  1e-04
  w  3  right
         [0]         1        1  3.0e-09      1
  It leaks.
  x: a guess
  x: at a kink at [1, 2]: the slopes on its sides are 3 and 0; backward says 2,
    and any number between them is right"""
    )


def test_a_table_may_be_as_wide_as_a_terminal_and_no_wider():
    for length, width, lines in ((21, 79, 2), (22, 80, 2), (23, 47, 4)):
        told = str(report(right(length * "n", step=0.1))).splitlines()[1:]
        assert (len(told), max(map(len, told))) == (lines, width)


def test_of_sampled_entries_so_many_of_all_are_told_and_the_way_they_were_judged():
    coarse = (Verdict.TOO_COARSE, WRONG, Verdict.TOO_FINE)
    found = report(
        right("w", overall=RIGHT, analytic=np.arange(2000.0)),
        checked(overall=WRONG, verdicts=coarse, kinks=()),
    )
    assert (
        str(found)
        == """\
mine: FAILED
  gradient of  entries  verdict
    worst at  backward  numeric    error   step
  w  3/2,000  right
         [0]         0        1  3.0e-09      1
  x  3/6  1 wrong, 1 step too coarse, 1 step too fine
      [1, 0]      -1.5    -1.25  2.0e-01  1e-04
  x: step too coarse: right with another one; leave out step=?
  x: step too fine: right with another one; leave out step=?
  x: wrong along a direction over all 6 entries
  Of large arrays only some entries, drawn at random, and the slope along one
    random direction over all entries were compared; that can miss a single
    wrong entry."""
    )


def test_a_step_of_the_complex_method_is_imaginary():
    assert str(report(right(step=1e-4), method="complex")).splitlines()[2].split()[-1] == "i"


def test_entries_at_a_kink_that_are_wrong_together_are_told():
    kinks = Kink(0, 1.0, 2.0), Kink(2, 3.0, 2.0)
    found = report(checked(verdicts=(KINK, RIGHT, KINK), kinks=kinks, together=WRONG))
    *_, note, rest = str(found).splitlines()
    assert note.startswith(
        "  x: 2 entries at a kink are wrong when moved together: is the gradient"
    )
    assert rest == "    given more than once?"


@pytest.mark.parametrize(("analytic", "said"), [(np.ones(3), True), (np.zeros(3), False)])
def test_where_nothing_could_be_judged_is_told_unless_there_was_nothing(analytic, said):
    told = str(report(right(verdicts=(SMALL,) * 3, analytic=analytic)))
    assert ("none of it could be judged" in told) == said
    assert told.splitlines()[2].split()[-2:] == ["3.0e-09", "1"]  # its error is told all the same
    assert "none of it" not in str(report(right(verdicts=(SMALL, SMALL, RIGHT))))


def test_the_worst_are_the_wrong_then_what_was_judged_and_nan_before_all():
    assert checked().worst_index == (1, 0)
    assert checked().relative_error == 0.2
    assert checked(verdicts=(RIGHT, RIGHT, KINK)).relative_error == 0.2
    assert checked(verdicts=(RIGHT, KINK, KINK)).worst_index == (0, 1)
    assert checked(verdicts=(WRONG, KINK, RIGHT)).worst_index == (0, 1)
    nan = checked(verdicts=(WRONG, WRONG, KINK), errors=np.array([np.nan, 0.2, 9]))
    assert nan.worst_index == (0, 1)
    assert np.isnan(nan.relative_error)
    unjudged = checked(verdicts=(SMALL, KINK, KINK))
    assert (unjudged.worst_index, unjudged.relative_error) == ((1, 0), 0)


@pytest.mark.parametrize("part", ["overall", "together"])
def test_a_gradient_passes_unless_anything_of_it_is_wrong(part):
    assert not checked().passed
    assert checked(verdicts=(RIGHT, KINK, SMALL)).passed
    assert not right(**{part: WRONG}).passed
    assert right(**{part: KINK}).passed
    assert report(right()).passed
    assert not report(right(), checked()).passed
    assert not report(right(), problems=["It leaks."]).passed


def test_the_error_of_a_report_is_the_largest_or_nan():
    assert report(right(), checked()).relative_error == 0.2
    nan = right(errors=np.array([0.0, np.nan, 0.0]))
    assert np.isnan(report(checked(), nan).relative_error)
    assert report().relative_error == 0
    assert report(right("a"), right("b"))["b"].name == "b"
    with pytest.raises(KeyError):
        report(right("a"))["b"]


def test_a_report_shows_itself_as_its_table():
    of = report(right("w"))
    assert repr(of) == str(of)


def test_a_notebook_shows_the_table_the_notes_and_the_picture(monkeypatch):
    drawn = []
    monkeypatch.setattr("minise.gradcheck.report.png", lambda figure: drawn.append(figure) or b"p")
    of = replace(
        report(checked("<w>", cause="off by <2>"), right("b"), problems=["forward changed x & y"]),
        said=("computes in float32",),
        unseen=("w is square",),
        smallest="x = np.ones(1)\ncheck(<x>)",
    )
    page = of._repr_html_()
    told = [html.unescape(part).strip() for part in re.split("<[^>]*>", page) if part.strip()]
    assert told == [
        "mine", "FAILED",
        "gradient of", "entries", "verdict", "worst at", "backward", "numeric", "error", "step",
        "<w>", "3", "1 right, 1 wrong, 1 at a kink", "[1, 0]", "-1.5", "-1.25", "2.0e-01", "1e-04",
        "b", "3", "right", "[0]", "1", "1", "3.0e-09", "1",
        "forward changed x & y",
        "computes in float32",
        "<w>: off by <2>",
        "<w>: at a kink at [1, 2]: the slopes on its sides are 3 and 0; backward says 2, and any "
        "number between them is right",
        "unseen: w is square",
        "The smallest input that still fails:",
        "x = np.ones(1)\ncheck(<x>)",
    ]  # fmt: skip
    assert "<img alt=" in page
    assert [axes.get_title() for axes in drawn[0].axes if "gradient" in axes.get_title()] == [
        "gradient of <w> (2, 3)",
        "gradient of b (3,)",
    ]


def test_of_many_gradients_a_notebook_draws_the_wrong_ones_first(monkeypatch):
    drawn = []
    monkeypatch.setattr("minise.gradcheck.report.png", lambda figure: drawn.append(figure) or b"p")
    page = report(*(right(f"w{k}") for k in range(8)), checked("last"))._repr_html_()
    titles = [axes.get_title().split()[2] for axes in drawn[0].axes if "of" in axes.get_title()]
    assert titles == ["last", "w0", "w1", "w2", "w3", "w4"]
    assert "The picture has 6 of 9 gradients, wrong ones first." in page


def test_where_nothing_was_compared_there_is_no_picture():
    page = report(problems=["forward gave different outputs"])._repr_html_()
    assert "<img" not in page
    assert "<table" not in page
    assert "forward gave different outputs" in page
