import math

import numpy as np
import pytest
from scipy import stats

from minise.runs import intervals

DEGREES = range(1, 201)
TAILS = [0.9, 0.5, 0.1, 0.05, 0.0025, 1e-4, 1e-6]  # the two together


@pytest.mark.parametrize("tail", TAILS)
def test_t_is_that_of_scipy(tail):
    found = [intervals.student_t(1 - tail, df) for df in DEGREES]
    np.testing.assert_allclose(found, stats.t.isf(tail / 2, list(DEGREES)), rtol=1e-9)


@pytest.mark.parametrize("t", [0.0, 1e-3, 0.7, 2.0, 30.0, 1e6])
def test_the_probability_is_that_of_scipy(t):
    found = [intervals.within(math.atan(t / math.sqrt(df)), df) for df in DEGREES]
    expected = stats.t.cdf(t, list(DEGREES)) - stats.t.cdf(-t, list(DEGREES))
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-13)


def test_one_and_two_degrees_by_hand():
    assert intervals.within(math.pi / 4, 1) == pytest.approx(0.5)  # Cauchy's: t = 1
    assert intervals.student_t(0.5, 2) == pytest.approx(math.sqrt(2 / 3))  # t / √(2 + t²) = 1/2
