import hashlib
import json
import subprocess
import sys
import threading

import pytest

from minise import backend
from minise.bench import loaded
from minise.bench.case import Variant
from minise.bench.loaded import Neighbours, busy
from minise.bench.timing import Measured


def figure(seconds):
    return Measured(seconds, seconds, seconds, 3)


@pytest.mark.parametrize("neighbours", [Neighbours("two", 2), Neighbours("threads", 1, 2)])
def test_neighbours_run_meanwhile_and_end(neighbours, monkeypatch):
    started = []
    popen = loaded.subprocess.Popen

    def start(*arguments, **options):
        started.append(popen(*arguments, **options))
        return started[-1]

    monkeypatch.setattr(loaded.subprocess, "Popen", start)
    monkeypatch.setattr(loaded, "BEFORE", 0.0)
    with busy(neighbours):
        assert [process.poll() for process in started] == [None] * neighbours.processes
    assert all(process.poll() is not None for process in started)


def test_neighbours_end_where_the_measurement_fails(monkeypatch):
    monkeypatch.setattr(loaded, "BEFORE", 0.0)
    started = []
    popen = loaded.subprocess.Popen
    monkeypatch.setattr(
        loaded.subprocess, "Popen", lambda *a, **k: started.append(popen(*a, **k)) or started[-1]
    )

    def fail():
        with busy(Neighbours("one", 1)):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail()
    assert started[0].poll() is not None


def test_a_neighbour_computes_until_who_started_it_is_gone(monkeypatch):
    hashed, parents = [], iter([7, 7, 7, 1])
    monkeypatch.setattr(loaded.os, "getppid", lambda: next(parents))
    monkeypatch.setattr(hashlib, "sha256", lambda data: hashed.append(len(data)) or hashlib.md5())
    others = set(threading.enumerate())  # some of which may end meanwhile
    exec(loaded._BUSY.format(threads=1), {})
    for thread in set(threading.enumerate()) - others:
        thread.join()
    assert hashed == [1 << 20] * 2


@pytest.mark.effect(
    "bench.run_loaded(threads)", "bench.run_loaded(seconds)", "bench.run_loaded(on_row)"
)
def test_each_figure_is_of_a_process_of_its_own(monkeypatch):
    asked, beside = [], []
    monkeypatch.setattr(loaded, "NEIGHBOURS", (Neighbours("none", 0), Neighbours("one", 1)))
    monkeypatch.setattr(loaded, "BEFORE", 0.0)
    monkeypatch.setattr(loaded, "import_pytorch", lambda: object())

    def measure(variant, threads, seconds):
        asked.append((variant and variant.name, threads, seconds))
        return figure(len(asked))

    monkeypatch.setattr(loaded, "_measure", measure)
    rows = loaded.run_loaded(threads=3, seconds=0.5, on_row=beside.append)
    once = [(None, 3, 0.5), (None, 1, 0.5), ("channels_last", 3, 0.5)]
    assert asked == once * 2
    assert beside == ["none", "one"]
    figures = [(row.minise.median, row.one_thread.median, row.pytorch.median) for row in rows]
    assert figures == [(1, 2, 3), (4, 5, 6)]
    monkeypatch.setattr(loaded, "import_pytorch", lambda: None)
    assert loaded.run_loaded(threads=3, seconds=0.5)[0].pytorch is None
    assert len(asked) == 6 + 4


def test_a_step_is_really_taken():
    measured = loaded._measure(None, 1, 0.01)
    assert measured.rounds >= 3
    assert 0 < measured.low <= measured.median <= measured.high


def test_a_process_is_told_what_to_measure(monkeypatch):
    asked = []

    def run(command, *, stdout, check):
        asked.append((command[:2], json.loads(command[-1])))
        return subprocess.CompletedProcess(command, 0, stdout=b"[3.0, 2.0, 4.0, 7]")

    monkeypatch.setattr(loaded.subprocess, "run", run)
    assert loaded._measure(Variant(channels_last=True), 3, 0.5) == Measured(3.0, 2.0, 4.0, 7)
    loaded._measure(None, 1, 0.5)
    settings = {"net": "se-cnn", "threads": 3, "seconds": 0.5, "backend": backend.current().name}
    assert asked == [
        ([sys.executable, "-c"], settings | {"variant": [True, False, False]}),
        ([sys.executable, "-c"], settings | {"variant": None, "threads": 1}),
    ]


@pytest.mark.parametrize(("seconds", "steps"), [(0.0, 3), (4.5, 5)])
def test_steps_are_timed_until_the_seconds_are_over(monkeypatch, capsys, seconds, steps):
    """Three untimed ones first; each takes a second here, and looking at the clock nothing."""
    now, batches = [100.0], []

    class Trainer:
        def place(self, arrays):
            assert arrays["x"].shape == (64, 1, 28, 28)
            return ("batch",)

        def step(self, batch):
            batches.append(batch)
            now[0] += 1.0

    settings = {"backend": backend.current().name, "seconds": seconds}
    monkeypatch.setattr(sys, "argv", ["-c", json.dumps(settings)])
    monkeypatch.setattr(loaded, "trainer_of", lambda given: Trainer())
    monkeypatch.setattr(loaded.time, "perf_counter", lambda: now[0])
    loaded.child()
    assert Measured(*json.loads(capsys.readouterr().out)) == (1.0, 1.0, 1.0, steps)
    assert batches == ["batch"] * (3 + steps)
