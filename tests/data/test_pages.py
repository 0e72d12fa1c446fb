"""A few of the pages that `python tests/pages.py RUN` draws, without a net.

A digit is judged by the test image that it is nearest to, among which is the one that was drawn.
"""

from functools import cache

import numpy as np
import pages
import pytest
from scipy import ndimage

from minise import data


@cache
def known():
    test = data.load("sample").test
    return as_rows(test.images[:, 0]), test.labels


def as_rows(digits):
    soft = ndimage.gaussian_filter(digits.astype(np.float32), (0, 1, 1)).reshape(len(digits), -1)
    return soft / np.linalg.norm(soft, axis=1, keepdims=True)


def nearest(digit):
    rows, labels = known()
    return int(labels[np.argmax(rows @ as_rows(digit[None])[0])])


@pytest.fixture(scope="module")
def said():
    """Of each kind four pages: two of one digit, one of none and one of several."""
    drawn = pages.pages(seed=7, start=24, count=72)
    return [(page, pages.read(page, nearest)[0]) for page in drawn]


def test_a_digit_is_read_on_paper_of_each_kind_and_none_or_several_are_refused():
    whole = [*pages.pages(seed=7, start=36, count=48)]
    empty, several = (next(pages.pages(seed=7, start=start)) for start in (24, 60))
    assert [pages.read(page, nearest)[0] for page in whole] == [page.label for page in whole]
    assert (empty.label, several.label) == (pages.NONE, pages.MANY)
    assert all(pages.read(page, nearest)[0] < 0 for page in (empty, several))


def test_a_page_is_the_same_each_time():
    first, second = (next(pages.pages(7, start=35)) for _ in range(2))
    np.testing.assert_array_equal(first.picture, second.picture)


@pytest.mark.slow
def test_digits_are_read_on_paper_of_every_kind(said):
    wrong = [(p.kind, p.label, s) for p, s in said if p.label >= 0 and s != p.label]
    assert len(wrong) <= 2, wrong


@pytest.mark.slow
def test_nothing_is_guessed_on_empty_paper(said):
    guessed = [(p.kind, s) for p, s in said if p.label == pages.NONE and s >= 0]
    assert not guessed


@pytest.mark.slow
def test_several_digits_are_no_guess(said):
    guessed = [(p.kind, s) for p, s in said if p.label == pages.MANY and s >= 0]
    assert not guessed
