import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from sweeping import config, found, leave_images, working

from minise import InputError
from minise.runs.lock import Owner, locked, read_owner
from minise.sweep import sweep as module
from minise.sweep.engines import Processes
from minise.sweep.point import CHECKPOINT, FAILED, RESULT, State
from minise.sweep.sweep import Sweep
from minise.sweep.work import train_point


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    return leave_images(tmp_path_factory.mktemp("images") / "own.npz")


def sweep_of(images, folder, *seeds, **options):
    options = {"epochs": 1} | options
    return Sweep([config(images, seed=seed, **options) for seed in seeds], folder)


class Here:
    """An engine that trains in this process, and counts."""

    def __init__(self, each=None):
        self.rounds, self.each = [], each

    def train(self, points, work):
        points = list(points)
        self.rounds.append([point.config.seed for point in points])
        for point in points:
            yield None
            yield work(point) if self.each is None else self.each(point, work)


def test_all_points_are_trained_once_and_failures_stop_nothing(tmp_path, images):
    task = sweep_of(images, tmp_path / "sweep", 0, 1, 2)
    wrong = task.points[1]._replace(config=task.points[1].config._replace(lr=1e30))
    task.points[1] = wrong
    engine, shown = Here(), []
    counts = task.run(engine, lambda: shown.append(task.states()))
    assert counts == {State.DONE: 2, State.FAILED: 1}
    assert engine.rounds == [[0, 1, 2]]
    assert len(shown) == 6
    assert task.run(engine) == counts
    assert engine.rounds == [[0, 1, 2]]
    assert {path.name for path in task.folder.iterdir()} == {point.name for point in task.points}
    task.retry_failed()
    assert task.states() == [State.DONE, State.WAITING, State.DONE]


def test_a_sweep_of_nothing_is_done(tmp_path):
    assert Sweep([], tmp_path / "sweep").run(Processes(2)) == {}


def test_what_another_process_trains_is_waited_for(tmp_path, images):
    task, other = sweep_of(images, tmp_path, 0, 1), sweep_of(images, tmp_path, 0)
    begun, waited, engine, looks = threading.Event(), threading.Event(), Here(), []

    def slowly(point, work):
        with locked(tmp_path / point.name / ".lock"):
            begun.set()
            waited.wait(60)
        return work(point)

    def show():
        looks.append(task.states())
        if looks.count([State.RUNNING, State.DONE]) == 3:  # with nothing to do but to wait
            waited.set()

    (tmp_path / other.points[0].name).mkdir()
    thread = threading.Thread(target=lambda: other.run(Here(slowly)))
    thread.start()
    assert begun.wait(60)
    assert task.run(engine, show) == {State.DONE: 2}
    thread.join()
    assert waited.is_set()
    assert engine.rounds[0] == [1]


def test_what_has_killed_its_process_twice_comes_last_and_alone(tmp_path, images):
    task = sweep_of(images, tmp_path, 0, 1, 2, 3)
    for point in task.points[:2]:
        folder = tmp_path / point.name
        folder.mkdir()
        told = {"tries": 2, "step": 0}
        (folder / ".lock").write_bytes(Owner(os.uname().nodename, 1, "", "", told).line())
    engine = Here()
    assert task.run(engine) == {State.DONE: 4}
    assert engine.rounds == [[2, 3], [0], [1]]


def test_one_whose_process_died_before_it_tidied_up_is_tidied(tmp_path, images):
    task = sweep_of(images, tmp_path, 0)
    assert task.run(Here()) == {State.DONE: 1}
    folder = tmp_path / task.points[0].name
    told = {"tries": 1, "step": 0}
    (folder / ".lock").write_bytes(Owner(os.uname().nodename, 1, "", "", told).line())
    (folder / CHECKPOINT).touch()
    before = (folder / RESULT).read_bytes()
    assert task.run(Here()) == {State.DONE: 1}
    assert not (folder / ".lock").exists()
    assert not (folder / CHECKPOINT).exists()
    assert (folder / RESULT).read_bytes() == before


def test_a_worker_that_cannot_work_stops_all_and_is_told(tmp_path, images):
    task, engine = sweep_of(images, tmp_path, 0, 1, 2), Here()
    task.points[0] = task.points[0]._replace(images="0123")
    with pytest.raises(InputError, match=r"not those that the sweep was started with \(0123\)"):
        task.run(engine)
    assert task.states() == [State.WAITING] * 3
    assert engine.rounds == [[0, 1, 2]]


def test_workers_that_die_before_they_begin_are_not_tried_for_ever(tmp_path, images, monkeypatch):
    monkeypatch.setattr(module.time, "sleep", lambda seconds: None)
    engine = Here(lambda point, work: None)
    with pytest.raises(InputError, match="the workers end before they begin to train"):
        sweep_of(images, tmp_path, 0).run(engine)
    assert len(engine.rounds) == module.IDLE + 1


def test_a_broken_result_is_told_and_trained_anew_on_request(tmp_path, images):
    task = sweep_of(images, tmp_path, 0)
    folder = tmp_path / task.points[0].name
    folder.mkdir()
    (folder / RESULT).write_text("{", encoding="utf-8")
    assert task.run(Here()) == {State.FAILED: 1}
    task.retry_failed()
    assert task.run(Here()) == {State.DONE: 1}
    assert (folder / f"{RESULT}.broken").read_text(encoding="utf-8") == "{"


def test_the_lock_of_a_sweep_that_was_killed_long_ago_is_removed(tmp_path, images):
    old, young = tmp_path / ".driver-old", tmp_path / ".driver-young"
    for path, age in ((old, 2 * module.LONG), (young, 100)):
        path.write_bytes(Owner("elsewhere", 7, "", "", {}).line())
        os.utime(path, (time.time() - age,) * 2)
    sweep_of(images, tmp_path, 0).run(Here())
    assert (old.exists(), young.exists()) == (False, True)


@pytest.mark.skipif(os.name == "nt", reason="sends signals")
@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP"])
def test_a_signal_stops_after_a_step_and_the_same_command_goes_on(tmp_path, images, name):
    task = sweep_of(images, tmp_path, 0, 1)
    sent = []

    def each(point, work):
        if not sent:
            sent.append(os.kill(os.getpid(), getattr(signal, name)))
        return "never" if sent == [1] else None

    assert task.run(Here(each)) == {State.WAITING: 2}
    assert not list(tmp_path.glob(".driver*"))
    assert task.run(Here()) == {State.DONE: 2}


@pytest.mark.skipif(os.name == "nt", reason="sends signals")
def test_a_second_ctrl_c_is_obeyed_at_once(tmp_path, images):
    def each(point, work):
        for _ in range(2):
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(0.01)

    task = sweep_of(images, tmp_path, 0)
    with pytest.raises(KeyboardInterrupt):
        task.run(Here(each))
    assert not list(tmp_path.glob(".driver*"))


def test_the_processes_of_this_machine_find_what_one_does(tmp_path, images):
    alone = sweep_of(images, tmp_path / "alone", 0, 1, 2)
    with working(tmp_path / "alone") as (work, _):
        for point in alone.points:
            train_point(point, work)
    task = sweep_of(images, tmp_path / "sweep", 0, 1, 2)
    assert task.run(Processes(2)) == {State.DONE: 3}
    for point in task.points:
        assert found(task.folder, point) == found(alone.folder, point)
        told = json.loads((task.folder / point.name / RESULT).read_text(encoding="utf-8"))
        assert told["machine"]["threads"] == 1


SCRIPT = """
import sys
from pathlib import Path
from sweeping import config
from minise.sweep.engines import Processes
from minise.sweep.sweep import Sweep

images, folder = sys.argv[1:]
configs = [config(images, seed=seed, epochs=100_000) for seed in range(3)]
task = Sweep(configs, Path(folder))
print("begins", flush=True)
counts = task.run(Processes(2))
print(sorted(state.value for state in counts))
"""


def trains(path):
    """Whether the owner of a lock has told of its first step."""
    owner = read_owner(path)
    return owner is not None and "epoch" in owner.told


@pytest.mark.skipif(os.name == "nt", reason="sends signals")
@pytest.mark.parametrize("when", ["at once", "in training"])
def test_ctrl_c_in_a_terminal_leaves_no_traceback_of_a_worker(tmp_path, images, when):
    """It reaches all processes of the terminal, at whatever moment."""
    process = subprocess.Popen(
        [sys.executable, "-c", SCRIPT, images, tmp_path],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert process.stdout.readline() == "begins\n"
    while not list(tmp_path.glob(".driver-*")):  # from then on it minds Ctrl-C
        assert process.poll() is None
        time.sleep(0.01)
    while when == "in training" and sum(map(trains, tmp_path.glob("*/.lock"))) < 2:
        assert process.poll() is None
        time.sleep(0.05)
    time.sleep(0.7)
    os.killpg(process.pid, signal.SIGINT)
    out, err = process.communicate(timeout=300)
    assert err == ""
    assert process.returncode == 0
    assert out in ("['stopped', 'waiting']\n", "['waiting']\n")
    left = [path.name for path in tmp_path.rglob(".*")]
    assert left == []
    checkpoints = list(tmp_path.glob("*/checkpoint.safetensors"))
    assert len(checkpoints) == (2 if when == "in training" else 0) or when == "at once"
    assert not list(Path(tmp_path).glob(f"*/{FAILED}"))
