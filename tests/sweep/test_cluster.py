import errno
import gc
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from contextlib import contextmanager

import pytest
from click.testing import CliRunner
from sweeping import config, epochs_done, found, leave_images, waiting, working

from minise import InputError
from minise.cli import cli
from minise.runs.lock import read_owner
from minise.runs.run import Every
from minise.sweep import cluster as module
from minise.sweep.cluster import Dask, engine_of
from minise.sweep.engines import Processes
from minise.sweep.point import RESULT, State
from minise.sweep.sweep import Sweep
from minise.sweep.task import Task, minise_here
from minise.sweep.work import Work, train_point

distributed = pytest.importorskip("distributed")


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    return leave_images(tmp_path_factory.mktemp("images") / "own.npz")


@pytest.fixture(autouse=True)
def no_diagnosis(monkeypatch):
    """Schedulers and workers in this process time no garbage collection.

    They raise an error where it is going on in another thread while they start (distributed
    2026.8), as in one of a client that has given up.
    """
    for part in (distributed.scheduler, distributed.worker):
        for name in ("enable_gc_diagnosis", "disable_gc_diagnosis"):
            monkeypatch.setattr(part, name, lambda: None)


@pytest.fixture(autouse=True)
def long_patience(monkeypatch):
    """A scheduler may be slow on a busy machine."""
    monkeypatch.setattr(module, "PATIENCE", 120)


@pytest.fixture
def patience(monkeypatch):
    monkeypatch.setattr(module, "PATIENCE", 0.4)


def sweep_of(images, folder, *seeds, **options):
    return Sweep([config(images, seed=seed, **{"epochs": 1} | options) for seed in seeds], folder)


def undisturbed(task, folder):
    """What each point of the sweep finds in this process."""
    with working(folder) as (work, _):
        for point in task.points:
            train_point(point, work)
    return [found(folder, point) for point in task.points]


@contextmanager
def cluster_here(workers, **options):
    """A scheduler and workers that are threads of this process."""
    with distributed.LocalCluster(
        n_workers=workers, processes=False, protocol="tcp", dashboard_address=":0", **options
    ) as cluster:
        yield cluster


def test_one_engine_is_asked_for():
    assert engine_of(3, None, ()).workers == 3
    assert isinstance(engine_of(None, None, ()), Processes)
    with pytest.raises(InputError, match="--workers and --slurm: expected one of them"):
        engine_of(2, None, ("partition=cpu",))


def test_workers_of_a_scheduler_find_what_this_process_does(images, tmp_path):
    task = sweep_of(images, tmp_path / "sweep", 0, 1)
    with cluster_here(1, threads_per_worker=2) as cluster:
        engine = Dask(cluster.scheduler_address)
        assert task.run(engine) == {State.DONE: 2}
    assert engine.workers == 1
    assert engine.advice.startswith("a worker trains one point at a time")
    assert [found(task.folder, p) for p in task.points] == undisturbed(task, tmp_path / "alone")


class Elsewhere(Work):
    """What workers get that have another folder than the process which asks them."""

    stopped = False


def test_what_a_worker_cannot_do_is_told(images, tmp_path):
    task = sweep_of(images, tmp_path / "sweep", 0)
    with cluster_here(1) as cluster, working(tmp_path / "other") as (work, _):
        elsewhere = Elsewhere(work.sweep, ".driver-elsewhere")
        said = list(Dask(cluster.scheduler_address).train(task.points, elsewhere))
    assert "not the folder of the sweep" in "".join(filter(None, said))


def test_a_process_trains_one_point_at_a_time():
    at_once, most = [], []

    def work(point):
        at_once.append(point)
        time.sleep(0.02)
        most.append(len(at_once))
        at_once.remove(point)

    task = Task(work, minise_here())
    threads = [threading.Thread(target=task, args=(k,)) for k in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == [1, 1, 1, 1]


def test_another_minise_trains_nothing():
    said = Task(lambda point: pytest.fail("it trains"), "0.0 (other)")("point")
    assert "the sweep 0.0 (other): install the same on all machines" in said


def test_a_scheduler_that_is_slow_is_waited_for(images, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "MOMENT", 0)
    with cluster_here(1) as cluster:
        assert Dask(cluster.scheduler_address).workers == 1


def clients():
    """Those of Dask in this process, by their ids."""
    return {id(each) for each in gc.get_objects() if type(each) is distributed.Client}


@pytest.fixture
def left_behind():
    """Waits until no client is left to be collected while another one starts."""
    gc.collect()
    gc.disable()
    try:
        # one that had to do with another server ends with the process
        before, threads = clients(), threading.enumerate()
        yield
        for thread in set(threading.enumerate()).difference(threads):
            if thread.name == module.ASKS:  # it collects them, if nobody holds them: `clients`
                thread.join()
        end = time.monotonic() + 60  # by when it has given up, on a machine however busy
        while clients() - before:
            assert time.monotonic() < end
            time.sleep(0.1)
    finally:
        gc.enable()


@pytest.mark.parametrize("address", ["localhost", "http://localhost:1", "tcp://127.0.0.1:1"])
def test_where_no_scheduler_answers_that_is_said(patience, left_behind, address, capfd):
    with pytest.raises(InputError, match=f"--scheduler {address}: no Dask scheduler answers"):
        Dask(address)
    assert capfd.readouterr() == ("", "")


def test_what_the_system_says_of_an_address_is_said_before_patience_ends(
    patience, left_behind, monkeypatch, capfd
):
    monkeypatch.setattr(module, "MOMENT", 0)
    refused = re.escape(f"answers there ({os.strerror(errno.ECONNREFUSED)}); expected")
    with pytest.raises(InputError, match=refused):
        Dask("tcp://127.0.0.1:1")
    assert capfd.readouterr() == ("", "")


def test_a_server_that_is_none_of_dask_keeps_nobody_waiting(patience):
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"tcp://127.0.0.1:{server.getsockname()[1]}"
        with pytest.raises(InputError, match="no Dask scheduler answers there"):
            Dask(address)


def test_without_dask_it_is_said_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(InputError, match=r'python -m pip install "dask\[distributed\]"'):
        Dask("tcp://127.0.0.1:8786")


def test_a_scheduler_that_ends_stops_the_sweep(images, tmp_path, monkeypatch):
    task, ends = sweep_of(images, tmp_path / "sweep", 0), []

    def show():
        if not ends:
            monkeypatch.setattr(module, "PATIENCE", 0.4)  # nothing answers any more
            ends.append(threading.Thread(target=cluster.close))
            ends[0].start()

    with cluster_here(0) as cluster:  # the point waits for a worker
        engine = Dask(cluster.scheduler_address)
        assert "has no workers yet" in engine.advice
        with pytest.raises(InputError, match="the same command then continues"):
            task.run(engine, show)
        ends[0].join()


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="kills as POSIX does")
def test_a_worker_that_is_killed_loses_its_points_to_others(images, tmp_path, monkeypatch):
    task, go = sweep_of(images, tmp_path / "sweep", *range(5), epochs=4), tmp_path / "go"
    monkeypatch.setattr(module, "Task", waiting(Task, go))
    killed = []

    def show():
        for point in task.points:
            if not killed and epochs_done(task.folder, point) == 2:
                os.kill(read_owner(task.folder / point.name / ".lock").pid, signal.SIGKILL)
                killed.append(point)
                go.touch()

    with cluster_of_processes(tmp_path) as address:
        assert task.run(Dask(address), show, Every(1, "epoch")) == {State.DONE: 5}
    starts = json.loads((task.folder / killed[0].name / "config.json").read_text("utf-8"))
    assert len(starts["starts"]) == 2
    assert [found(task.folder, p) for p in task.points] == undisturbed(task, tmp_path / "alone")
    told = [json.loads((task.folder / p.name / RESULT).read_bytes()) for p in task.points]
    assert {result["machine"]["threads"] for result in told} == {1}


@contextmanager
def cluster_of_processes(tmp_path):
    """A scheduler and four workers, as they are started by hand."""
    found = tmp_path / "scheduler.json"
    logs = (tmp_path / "dask.log").open("wb")
    dask = [sys.executable, "-m", "dask"]
    words = "--nworkers 4 --nthreads 1 --host 127.0.0.1 --no-dashboard"
    folder = ["--local-directory", str(tmp_path)]
    file = ["--scheduler-file", str(found)]
    both = [
        [*dask, "scheduler", "--host", "127.0.0.1", "--port", "0", "--no-dashboard", *file],
        [*dask, "worker", *words.split(), *folder, *file],
    ]
    with logs:
        started = [subprocess.Popen(command, stdout=logs, stderr=logs) for command in both]
        try:
            while True:
                assert [process.poll() for process in started] == [None, None]
                time.sleep(0.2)
                if found.exists() and (text := found.read_text(encoding="utf-8")):
                    break
            yield json.loads(text)["address"]
        finally:
            for process in reversed(started):
                process.terminate()
                process.wait()


@pytest.mark.effect("minise sweep --scheduler")
def test_the_command_asks_the_scheduler_first(patience, images, tmp_path):
    words = ["sweep", "--data", str(images), "--out", str(tmp_path / "sweep")]
    done = CliRunner().invoke(cli, [*words, "--scheduler", "tcp://127.0.0.1:1"])
    assert done.exit_code == 2
    assert "--scheduler tcp://127.0.0.1:1: no Dask scheduler answers there" in done.output
    assert not (tmp_path / "sweep").exists()


def test_points_that_wait_for_a_worker_are_given_up_when_the_sweep_is_stopped(images, tmp_path):
    task, end = sweep_of(images, tmp_path / "sweep", 0, 1), time.monotonic() + 100

    def stop():
        assert time.monotonic() < end
        task.stop()

    with cluster_here(0) as cluster:
        engine = Dask(cluster.scheduler_address)
        assert "has no workers yet" in engine.advice
        assert task.run(engine, stop) == {State.WAITING: 2}
