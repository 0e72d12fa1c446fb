"""The judges of random numbers in laws.py let right samples pass, and wrong ones not."""

import laws
import numpy as np
import pytest
from scipy import stats


@pytest.fixture(params=range(3))
def normal(request):
    return np.random.default_rng(request.param).standard_normal(2000)


def test_a_right_sample_passes(normal):
    laws.assert_drawn(3 + normal / 2, stats.norm(3, 0.5))
    laws.assert_variance(normal / 2, 0.25)
    laws.assert_independent(normal[:-1], normal[1:])
    laws.assert_equally_often(np.bincount((6 * stats.norm.cdf(normal)).astype(int)))
    laws.assert_share((normal > 0).sum(), 2000, 0.5)


@pytest.mark.parametrize(
    "wrong",
    [
        lambda x: 2**0.5 * x,
        lambda x: x / 2**0.5,
        lambda x: x + 0.2,
        abs,
        lambda x: x.clip(-2, 2),
        lambda x: np.append(x[1:], 8),
        lambda x: np.append(x[1:], -8),
        lambda x: np.where(x > 2, 2, x),
        lambda x: np.where(x < -2, -2, x),
        np.round,
        lambda x: np.repeat(x[:40], 50),
        lambda x: stats.norm.cdf(x) * 12**0.5 - 3**0.5,
    ],
)
def test_a_sample_of_another_law_is_refused(normal, wrong):
    with pytest.raises(AssertionError, match=r"such a sample has a probability of"):
        laws.assert_drawn(wrong(normal), stats.norm())


def test_another_variance_another_share_and_what_depends_are_refused(normal):
    for call in (
        lambda: laws.assert_variance(normal, 1.3),
        lambda: laws.assert_variance(normal, 0.75),
        lambda: laws.assert_independent(normal, -normal),
        lambda: laws.assert_independent(normal, abs(normal)),
        lambda: laws.assert_equally_often([100, 100, 200]),
        lambda: laws.assert_share((normal > 0).sum(), 2000, 0.6),
    ):
        with pytest.raises(AssertionError, match=r"such a sample has a probability of"):
            call()
