"""A sweep that is killed again and again finds what an undisturbed one finds.

The processes are killed as by kill -9, at random moments: the one that runs the sweep, which is
then started again, and its workers. More of them, and other moments:

    MINISE_KILLS=50 MINISE_KILLS_SEED=1 python -m pytest -n 0 -s tests/sweep/test_kills.py
"""

import os
import random
import subprocess
import sys
import time
from collections import Counter

import pytest
from sweeping import config, found, leave_images, working

from minise.runs.lock import read_owner
from minise.sweep.point import CHECKPOINT, RESULT, State
from minise.sweep.sweep import Sweep
from minise.sweep.work import train_point

pytestmark = pytest.mark.skipif(os.name == "nt", reason="kills as POSIX does")

SEED = int(os.environ.get("MINISE_KILLS_SEED", "0"))
KILLS = int(os.environ.get("MINISE_KILLS", "3"))  # fifty take six minutes on two cores

# Runs a sweep whose workers write down each step that they take, and each result they have written.
DRIVER = """
import os, sys
from pathlib import Path
from sweeping import config
from minise.runs import read_every
from minise.sweep.engines import Processes
from minise.sweep.sweep import Sweep
from minise.sweep.work import Work

images, folder, log, points, epochs, every = sys.argv[1:]
train = Work.__call__

class Logged(Work):
    def __call__(self, point):
        import minise.sweep.work as module

        if not hasattr(module, "log"):
            module.log = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
            write, on_step = module.write_whole, module.Signs.on_step

            def write_and_log(path, content):
                write(path, content)
                os.write(module.log, f"{path.name} {path.parent.name}\\n".encode())

            def step_and_log(self, step):
                on_step(self, step)
                name = self.lock.path.parent.name
                os.write(module.log, f"step {name} {step.epoch} {step.images}\\n".encode())

            module.write_whole, module.Signs.on_step = write_and_log, step_and_log
        return train(self, point)

class Logging(Processes):
    def train(self, points, work):
        return super().train(points, Logged(*work))

configs = [config(images, seed=seed, epochs=int(epochs)) for seed in range(int(points))]
counts = Sweep(configs, Path(folder)).run(Logging(2), every=read_every(every))
print({state.value: count for state, count in counts.items()})
"""


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    return leave_images(tmp_path_factory.mktemp("images") / "own.npz")


def start(tmp_path, images, points, epochs, every):
    """The sweep in a process of its own."""
    told = (str(points), str(epochs), every)
    with (tmp_path / "errors").open("a") as errors:
        return subprocess.Popen(
            [sys.executable, "-c", DRIVER, images, tmp_path / "sweep", tmp_path / "log", *told],
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
        )


def workers(folder):
    """The processes that train now, as the locks tell."""
    owners = [read_owner(path) for path in folder.glob("*/.lock")]
    return sorted({owner.pid for owner in owners if owner is not None})


def kill(pid):
    try:
        os.kill(pid, 9)
    except ProcessLookupError:  # of a lock that a killed one left
        return False
    return True


def steps_taken(tmp_path):
    return (tmp_path / "log").read_bytes().count(b"step")


def results(folder):
    return {path.parent.name: path.read_bytes() for path in folder.glob(f"*/{RESULT}")}


def disturbed(tmp_path, images, *, kills, longest, **sizes):
    """Kill the sweep or a worker at random moments, and let it come to its end.

    They come at most `longest` times as far apart as it takes to come to a checkpoint, and the
    first before half of the steps are taken. Gives how often each was killed, and asserts that no
    result was written twice.
    """
    half = sizes["points"] * sizes["epochs"] * 2
    rng, folder, killed, seen = random.Random(SEED), tmp_path / "sweep", Counter(), {}
    process, began = start(tmp_path, images, **sizes), time.monotonic()
    while not list(folder.glob(f"*/{CHECKPOINT}")):
        assert process.poll() is None
        time.sleep(0.02)
    longest *= time.monotonic() - began
    while killed.total() < kills:
        end = time.monotonic() + rng.uniform(0, longest)
        while time.monotonic() < end and (killed.total() or steps_taken(tmp_path) < half):
            time.sleep(0.02)
        seen = results(folder) | seen
        if process.poll() is not None:
            break
        if rng.random() < 0.5:
            killed["sweep"] += kill(process.pid)
            process.communicate()
            process = start(tmp_path, images, **sizes)
        elif pids := workers(folder):
            killed["worker"] += kill(rng.choice(pids))
    out, _ = process.communicate(timeout=900)
    assert out == f"{{'done': {sizes['points']}}}\n"
    assert {name: results(folder)[name] for name in seen} == seen
    return killed


def check(tmp_path, images, *, killed, points, epochs, every):
    """The sweep that was disturbed against one that was not; gives the steps that it repeated."""
    folder, alone = tmp_path / "sweep", tmp_path / "alone"
    task = Sweep([config(images, seed=seed, epochs=epochs) for seed in range(points)], alone)
    with working(alone) as (work, _):
        assert {train_point(point, work) for point in task.points} == {State.DONE}
    assert {p.name for p in folder.iterdir() if p.name[0] != "."} == {p.name for p in task.points}
    for point in task.points:
        assert found(folder, point) == found(alone, point)
        names = {path.name for path in (folder / point.name).iterdir()}
        assert names.isdisjoint({CHECKPOINT, ".lock", "failed.json"})
    lines = Counter((tmp_path / "log").read_text(encoding="utf-8").splitlines())
    finished = {line: count for line, count in lines.items() if line.startswith(RESULT)}
    assert set(finished.values()) == {1}
    assert len(finished) >= points - killed  # one may be killed before it writes that down
    steps = {line: count for line, count in lines.items() if line.startswith("step")}
    assert len(steps) == points * epochs * 4
    assert "Traceback" not in (tmp_path / "errors").read_text(encoding="utf-8")
    return sum(steps.values()) - len(steps)


def at_most(killed, steps):
    """How many steps are repeated at most: those since a checkpoint, by each worker that died."""
    return (2 * killed["sweep"] + killed["worker"]) * steps


def test_a_sweep_that_is_killed_again_and_again_finds_the_same(tmp_path, images):
    points, epochs, longest = (3, 20, 0.5) if KILLS == 3 else (12, 6 * KILLS, 2)
    sizes = {"points": points, "epochs": epochs, "every": "8 steps"}
    killed = disturbed(tmp_path, images, kills=KILLS, longest=longest, **sizes)
    assert killed.total() > 0  # on a busy machine the sweep may have ended before the last
    repeated = check(tmp_path, images, killed=killed.total(), **sizes)
    print(f"\nkilled {dict(killed)}; {repeated} of {points * epochs * 4} steps were repeated")
    assert repeated <= at_most(killed, 8)


def test_of_two_sweeps_on_one_folder_each_point_is_done_by_one(tmp_path, images):
    sizes = {"points": 4, "epochs": 4, "every": "1 minute"}
    both = [start(tmp_path, images, **sizes) for _ in range(2)]
    for process in both:
        out, _ = process.communicate(timeout=300)
        assert out == "{'done': 4}\n"
    assert check(tmp_path, images, killed=0, **sizes) == 0
