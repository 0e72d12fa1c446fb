import os
import subprocess
import sys
import threading
import time

import numpy as np
import pytest
from numba import config

from minise.kernels.numba import team
from minise.kernels.numba.tasks import invite, member, tasks
from minise.kernels.numba.team import compiled_parallel

with_compiler = pytest.mark.skipif(config.DISABLE_JIT, reason="without a compiler there is no team")


@compiled_parallel
def count(team, x, done, by):
    """Each task adds up x, adds 1 to what it has done, and says who did it."""
    for task in tasks(invite(team), len(done)):
        total = 0.0
        for k in range(len(x)):
            total += x[k]
        done[task] += 1 + total
        by[task] = member(team)


def counted(size, work=0):
    done, by = np.zeros(size), np.zeros(size, np.int64)
    count(np.zeros(work), done, by)
    return done, by


@pytest.fixture(autouse=True)
def as_before(monkeypatch):
    monkeypatch.setattr(team, "most_threads", lambda: 8)  # as many on every machine
    before = team._asked
    yield
    team._asked = before
    team._end_team()


@pytest.fixture(params=[1, 2, 3, 8])
def threads(request):
    team.set_num_threads(request.param)
    return request.param


def test_each_task_is_done_once(threads):
    for size in (0, 1, 2, 7, 8, 1000):
        for _ in range(50):
            done, by = counted(size)
            np.testing.assert_array_equal(done, 1)
            assert set(by.tolist()) <= set(range(threads))


@with_compiler
def test_others_help():
    team.set_num_threads(2)
    helped, deadline = set(), time.monotonic() + 60  # the machine may be busy
    while helped != {0, 1} and time.monotonic() < deadline:
        helped |= set(counted(64, work=20_000)[1].tolist())
    assert helped == {0, 1}


@with_compiler
def test_nobody_is_waited_for():
    """The caller does all of it where the others never come."""
    team.set_num_threads(3)
    counted(8)
    for asleep, _ in team._team._sleepers:
        team._team._words[asleep] = 0  # whoever sleeps is taken for awake, and never woken
    time.sleep(0.01)
    assert counted(50, work=1000)[0].tolist() == [1] * 50


@with_compiler
def test_threads_of_python_that_call_at_once_share_nothing(threads):
    wrong = []

    def call():
        for _ in range(100):
            if (counted(20, work=50)[0] != 1).any():
                wrong.append(1)

    callers = [threading.Thread(target=call) for _ in range(4)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()
    assert not wrong


@with_compiler
def test_a_caller_that_is_kept_from_working_works_alone_for_a_while():
    mates = team.Team(2)
    mates._judge(1.0, 0.99, 0.0)
    assert mates._alone_until == 0.0  # 1 % of its time was another's: nothing to mind
    mates._judge(1.0, 0.7, 0.0)
    first = mates._alone_until - time.perf_counter()
    assert 0 < first <= team.REST[0]
    mates._judge(1.0, 0.5, 0.0)  # again: the next while is longer
    assert mates._alone_until - time.perf_counter() > first
    mates._alone_until = 0.0
    mates._judge(1.0, 0.4, 0.4)  # it napped at the end of loops, less than it worked: large tasks
    mates._judge(1.0, 0.1, 0.8)  # longer than it worked
    assert mates._alone_until > 0
    mates.stop()


@with_compiler
def test_what_lost_its_memory_is_told():
    mates = team.Team(1)
    mates._words[0] = team.FAILED
    with pytest.raises(MemoryError, match="a thread of a loop"):
        mates._end_loop()
    assert mates._words[0] == 0
    mates.stop()


@with_compiler
def test_where_no_thread_can_be_started_the_caller_does_it_all(monkeypatch):
    def refuse(thread):
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refuse)
    team.set_num_threads(4)
    done, by = counted(30, work=1000)
    assert done.tolist() == [1] * 30
    assert set(by.tolist()) == {0}


@with_compiler
def test_threads_end_with_their_team():
    others = set(threading.enumerate())  # some of which may end meanwhile
    mates = team.Team(4)
    started = set(threading.enumerate()) - others
    assert len(started) == 3
    mates.stop()
    for thread in started:
        thread.join(100)
        assert not thread.is_alive()


FORK = """
import os, sys, warnings
import numpy as np
warnings.simplefilter("ignore", DeprecationWarning)  # of newer Pythons: that there are threads
from minise import models, ops

x = np.random.default_rng(0).standard_normal((64, 1, 28, 28), dtype=np.float32)
net = models.create("se-cnn", seed=0)

def step():
    scores, backward = net.forward(x)
    return scores.tobytes() + backward(np.ones_like(scores)).tobytes()

parent = step()
child = os.fork()
if child == 0:
    os._exit(0 if step() == parent == step() else 3)
_, status = os.waitpid(child, 0)
print(os.waitstatus_to_exitcode(status), step() == parent)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="a system without fork")
def test_a_child_of_fork_computes_the_same():
    """As in notebooks and `multiprocessing`, after a step of the parent."""
    done = subprocess.run(
        [sys.executable, "-W", "ignore::DeprecationWarning", "-c", FORK],
        capture_output=True,
        text=True,
        timeout=600,
        env=os.environ | {"NUMBA_NUM_THREADS": "2"},
    )
    assert (done.stdout, done.stderr) == ("0 True\n", "")
