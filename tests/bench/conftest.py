import sys

import pytest

from minise import backend, bench
from minise.bench import cases, runner


@pytest.fixture(autouse=True)
def threads():
    """What a run sets for the process is set back."""
    before = backend.get_num_threads()
    yield
    backend.set_num_threads(before)


@pytest.fixture(autouse=True)
def known_ceilings(monkeypatch):
    """Measuring them takes seconds."""
    monkeypatch.setattr(runner, "measure_ceilings", lambda threads: bench.Ceilings(200.0, 20.0))


@pytest.fixture
def without_pytorch(monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)


@pytest.fixture
def small_cases(monkeypatch):
    """The cases are a few that take microseconds each."""
    few = [
        cases.linear("linear-small", 4, 6, 3),
        cases.se("se-small", 2, 4, 4, 2),
        cases.step("step-small", "cnn", 2),
    ]
    monkeypatch.setattr(bench, "CASES", {case.name: case for case in few})
    return few
