import hashlib
import io
import threading
import time

import pytest
from rich.console import Console

from minise.bench import loaded, report
from minise.bench.loaded import Beside, Neighbours, busy
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
    before = threading.active_count()
    exec(loaded._BUSY.format(threads=1), {})
    while threading.active_count() > before:
        time.sleep(0.001)
    assert hashed == [1 << 20] * 2


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
    assert [row.pytorch.median for row in rows] == [3, 6]


def test_a_step_is_really_taken():
    measured = loaded._measure(None, 1, 0.01)
    assert measured.rounds >= 3
    assert 0 < measured.low <= measured.median <= measured.high


ROWS = [
    Beside(Neighbours("none", 0), figure(0.002), figure(0.003), figure(0.004)),
    Beside(Neighbours("one", 1), figure(0.005), figure(0.0046), None),
]


def test_the_table_shows_medians_and_the_ratio():
    console = Console(width=80, record=True, file=io.StringIO())
    console.print(report.table_of_loaded(ROWS, 2))
    text = console.export_text()
    first = next(line for line in text.splitlines() if line.startswith("none"))
    assert first.split()[1:3] == ["2.00", "ms"]
    assert first.endswith("0.50")
    assert "4.60 ms" in text


def test_all_of_it_as_json():
    rows = report.loaded_as_json(ROWS, 2)["rows"]
    assert rows[0]["neighbours"] == {"about": "none", "processes": 0, "threads": 1}
    assert (rows[0]["minise"]["median"], rows[1]["one_thread"]["median"]) == (0.002, 0.0046)
    assert rows[1]["pytorch"] is None
