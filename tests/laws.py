"""Whether numbers follow a law. Each assertion fails for one right sample of 10⁹.

The laws are those of scipy.stats. Samples come from fixed seeds, so that nothing fails by chance.
"""

import numpy as np
from scipy import stats

FALSE_ALARM = 1e-9


def _likely(what, probability):
    """`probability` is that of a right sample to be as far off as this one."""
    assert probability > FALSE_ALARM, f"{what}: such a sample has a probability of {probability}"


def assert_drawn(sample, law):
    """Independent numbers of a continuous law: its shape, its ends, mean and variance."""
    sample = np.ravel(sample).astype(float)
    n = sample.size
    _likely("Kolmogorov-Smirnov", stats.kstest(sample, law.cdf).pvalue)
    _likely("the largest is too small", law.cdf(sample.max()) ** n)
    _likely("the largest is too large", -np.expm1(n * law.logcdf(sample.max())))
    _likely("the smallest is too large", law.sf(sample.min()) ** n)
    _likely("the smallest is too small", -np.expm1(n * law.logsf(sample.min())))
    off = (sample.mean() - law.mean()) / law.std() * n**0.5  # normal, as n is large
    _likely("the mean", 2 * stats.norm.sf(abs(off)))


def assert_variance(sample, variance):
    """Independent numbers from a normal law around 0: χ² of their squares."""
    sample = np.ravel(sample).astype(float)
    law = stats.chi2(sample.size)
    squares = (sample**2).sum() / variance
    _likely("the variance", 2 * min(law.cdf(squares), law.sf(squares)))


def assert_equally_often(counts):
    """How often each of the outcomes that are equally likely was drawn: χ² of the counts."""
    _likely(f"counts {counts}", stats.chisquare(counts).pvalue)


def assert_share(count, of, probability):
    """How many of so many independent draws hit: the binomial law."""
    _likely(f"{count} of {of}", stats.binomtest(int(count), of, probability).pvalue)


def assert_independent(a, b, cells=4):
    """Two samples, number by number: χ² of the table of their ranks, in `cells` equal parts."""
    table = np.zeros((cells, cells))
    ranks = (cells * (stats.rankdata(v, "ordinal") - 1) // len(v) for v in map(np.ravel, (a, b)))
    np.add.at(table, tuple(rank.astype(int) for rank in ranks), 1)
    _likely(f"of two that are independent, {table}", stats.chi2_contingency(table).pvalue)
