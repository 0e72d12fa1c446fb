"""The checker rejects every wrong gradient, and names it."""

from functools import partial
from pathlib import Path

import backends
import numpy as np
import pytest
from mutants import OF_LAYERS, Mutant
from rows import ROWS

from minise import gradcheck, ops

REFERENCE = Path(__file__).parents[2] / "tutorials/reference/gradcheck.md"
MUTANTS = OF_LAYERS | {
    f"{row.operation}: {name}": Mutant(partial(row.wrong, mutant), set(mutant.wrong.split()))
    for row in ROWS.values()
    for name, mutant in row.mutants.items()
}


# A check that fails looks for the cause as well, which takes seconds in blocks of many layers.
BLOCKS = ("Residual", "Bottleneck", "Inception", "InvertedResidual")


@pytest.mark.parametrize(
    "name",
    [pytest.param(n, marks=[pytest.mark.slow] * n.startswith(BLOCKS)) for n in MUTANTS],
)
def test_a_mutant_is_rejected_and_the_wrong_gradient_named(name, monkeypatch):
    mutant = MUTANTS[name]
    for function, wrong in mutant.patches.items():
        monkeypatch.setattr(ops, function, wrong)
    with backends.using("numpy"):
        subject, inputs = mutant.example(np.random.default_rng(5))
        report = gradcheck.check(subject, *inputs, rng=np.random.default_rng(6))
    assert not report.passed
    named = {gradient.name for gradient in report.gradients if not gradient.passed}
    named |= {name for name in mutant.wrong if any(f" {name}" in p for p in report.problems)}
    assert mutant.wrong <= named


def test_there_are_mutants_of_every_operation(capsys):
    assert all(row.mutants for row in ROWS.values())
    assert len(MUTANTS) >= 83
    assert f"\n* {len(MUTANTS)} wrong gradients" in REFERENCE.read_text(encoding="utf-8")
    with capsys.disabled():
        print(f"\n{len(MUTANTS)} mutants of gradients, each to be rejected")
