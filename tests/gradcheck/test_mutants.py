"""The checker rejects every wrong gradient, and names it."""

import numpy as np
import pytest
from mutants import MUTANTS

from minise import backend, gradcheck, ops


@pytest.fixture(params=MUTANTS)
def mutant(request, monkeypatch):
    for name, wrong in MUTANTS[request.param].patches.items():
        monkeypatch.setattr(ops, name, wrong)
    return MUTANTS[request.param]


def test_a_mutant_is_rejected_and_the_wrong_gradient_named(mutant):
    with backend.using("numpy"):
        subject, inputs = mutant.example(np.random.default_rng(5))
        report = gradcheck.check(subject, *inputs, rng=np.random.default_rng(6))
    assert not report.passed
    named = {gradient.name for gradient in report.gradients if not gradient.passed}
    named |= {name for name in mutant.wrong if any(f" {name}" in p for p in report.problems)}
    assert mutant.wrong <= named


def test_there_are_mutants_of_every_operation(capsys):
    operations = {name for name in ops.__all__ if f"{name}_backward" in ops.__all__}
    assert operations <= {mutant.of for mutant in MUTANTS.values()}
    assert len(MUTANTS) >= 40
    with capsys.disabled():
        print(f"\n{len(MUTANTS)} mutants of gradients, each to be rejected")
