from itertools import combinations

import numpy as np
import pytest
from laws import assert_equally_often

from minise import gradcheck, ops


@pytest.mark.effect("gradcheck.check(rng)", "gradcheck.check(sample)")
def test_any_entries_are_as_likely_to_be_drawn_as_any_others():
    x, pairs = np.arange(1.0, 5), list(combinations(range(4), 2))  # 6
    drawn = []
    for seed in range(60):
        rng = np.random.default_rng(seed)
        report = gradcheck.check((ops.tanh, ops.tanh_backward), x, sample=2, rng=rng)
        (gradient,) = report.gradients
        drawn.append(pairs.index(tuple(gradient.entries.tolist())))
    assert_equally_often(np.bincount(drawn, minlength=6))


@pytest.mark.parametrize(("sample", "count"), [(3, 3), (4, 4), (5, 4)])
def test_no_entry_is_drawn_twice_and_all_are_compared_where_they_are_few(sample, count):
    x = np.arange(1.0, 5)
    report = gradcheck.check((ops.tanh, ops.tanh_backward), x, sample=sample)
    (gradient,) = report.gradients
    assert len(set(gradient.entries.tolist())) == len(gradient.entries) == count
    assert (gradient.overall is None) == (count == 4)  # a direction over all, beside some
