import _thread
import importlib
import subprocess
import sys
import threading
import time
from pathlib import Path

import numba
import numpy as np
import pytest

from minise.kernels.numba import ahead

LOOPS = """
import numpy as np
from minise.kernels.numba.tasks import invite, tasks
from minise.kernels.numba.team import compiled_parallel

@compiled_parallel
def double(team, x):
    for k in tasks(invite(team), len(x)):
        x[k] *= 2

@compiled_parallel
def triple(team, x):
    for k in tasks(invite(team), len(x)):
        x[k] *= 3

def work():
    for dtype in ("f4", "f8", "i4"):
        x = np.ones(3, dtype)
        double(x)
        triple(x)
        yield x
"""

pytestmark = pytest.mark.skipif(numba.config.DISABLE_JIT, reason="nothing is compiled")


@pytest.fixture
def loops(tmp_path, monkeypatch):
    """A module of small loops, of which no cache holds anything yet, as do other processes see."""
    (tmp_path / "loops_to_compile.py").write_text(LOOPS)
    cache = tmp_path / "cache"
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(cache))
    monkeypatch.setattr(numba.config, "CACHE_DIR", str(cache))
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(ahead, "_loops", dict(ahead._loops))
    yield importlib.import_module("loops_to_compile")
    del sys.modules["loops_to_compile"]


@pytest.fixture
def started(monkeypatch):
    """The processes that were started; two are to work, this one and another."""
    started, start = [], subprocess.Popen

    def watched(*arguments, **options):
        started.append(start(*arguments, **options))
        return started[-1]

    monkeypatch.setattr(subprocess, "Popen", watched)
    monkeypatch.setattr(ahead, "_processes", lambda kernels: 2)
    return started


def compile_what_is_missing(loops, started=()):
    """How many kernels this process compiled, how many others did, and how many were missing.

    This one waits after its first until another process has done one, or has ended.
    """
    here, elsewhere = [], []

    def tell():
        if isinstance(threading.current_thread(), ahead._Helper):
            elsewhere.append(1)
            return
        here.append(1)
        while any(process.poll() is None for process in started) and not elsewhere:
            time.sleep(0.01)

    missing = ahead.missing(lambda: list(loops.work()))
    ahead.compile_all(missing, tell)
    assert all(kernel.is_kept for kernel in missing)
    return len(here), len(elsewhere), len(missing)


def test_what_is_seen_is_not_done(loops):
    seen = []
    missing = ahead.missing(lambda: seen.extend(loops.work()))
    assert sorted(kernel.name for kernel in missing) == ["double"] * 3 + ["triple"] * 3
    assert {str(kernel.signature[1].dtype) for kernel in missing} == {"float32", "float64", "int32"}
    np.testing.assert_array_equal(seen, 1)
    np.testing.assert_array_equal(list(loops.work()), 6)


def test_what_is_compiled_or_kept_is_not_missing(loops):
    loops.double(np.ones(3, "f4"))
    assert len(ahead.missing(lambda: list(loops.work()))) == 5
    importlib.reload(loops)  # as a new process has it
    missing = ahead.missing(lambda: list(loops.work()))
    assert len(missing) == 5
    double = {str(kernel.signature[1].dtype) for kernel in missing if kernel.name == "double"}
    assert double == {"float64", "int32"}


def test_several_processes_fill_one_cache(loops, started):
    here, elsewhere, missing = compile_what_is_missing(loops, started)
    assert (here + elsewhere, missing) == (6, 6)
    assert min(here, elsewhere) > 0
    assert [process.poll() is not None for process in started] == [True]
    importlib.reload(loops)  # as a new process has it
    assert ahead.missing(lambda: list(loops.work())) == []
    np.testing.assert_array_equal(list(loops.work()), 6)


DIES = {
    "at once": "raise SystemExit",
    "with its first kernel": "import sys; print(flush=True); sys.stdin.buffer.read(400)",
    "and says what is not true": "import sys; [print(flush=True) for _ in range(9)]; input()",
}


@pytest.mark.parametrize("code", DIES.values(), ids=DIES)
def test_when_another_process_dies_this_one_does_all(loops, started, monkeypatch, code):
    monkeypatch.setattr(ahead, "_HELPER", code)
    assert compile_what_is_missing(loops, started) == (6, 0, 6)
    assert len(started) == 1


@pytest.mark.parametrize("executable", ["", "no/such/python"])
def test_where_no_process_can_be_started_this_one_does_all(loops, monkeypatch, executable):
    monkeypatch.setattr(sys, "executable", executable)
    monkeypatch.setattr(ahead, "WORTH_A_PROCESS", 0.1)
    assert compile_what_is_missing(loops) == (6, 0, 6)


def test_ctrl_c_ends_the_other_processes_and_leaves_the_rest(loops, started):
    missing, told = ahead.missing(lambda: list(loops.work())), []

    def interrupt():
        """After the first kernel, wherever it was compiled; both wait for what comes of it."""
        told.append(1)
        if len(told) == 1:
            _thread.interrupt_main()
        for process in started:
            process.wait(100)

    with pytest.raises(KeyboardInterrupt):
        ahead.compile_all(missing, interrupt)
    assert [process.poll() is not None for process in started] == [True]
    assert len(told) < 6


def test_a_kernel_that_cannot_be_compiled_does_not_stop_the_others(loops, monkeypatch):
    kernels = ahead.missing(lambda: list(loops.work()))
    wrong = kernels[0]._replace(signature=(numba.types.unicode_type,))
    told = []
    ahead.compile_all([wrong, *kernels[:1]], lambda: told.append(1))
    assert (len(told), kernels[0].is_kept, wrong.is_kept) == (2, True, False)


def test_processes_are_started_where_they_pay(loops, monkeypatch):
    monkeypatch.setattr(ahead, "cores", lambda: 8)
    kernels = ahead.missing(lambda: list(loops.work()))
    assert [ahead._processes(kernels[:count]) for count in (1, 3, 4, 6)] == [1, 1, 2, 3]
    assert ahead._processes(kernels * 9) == ahead.MOST_PROCESSES
    monkeypatch.setattr(ahead, "cores", lambda: 2)
    assert ahead._processes(kernels * 9) == 2
    monkeypatch.setattr(ahead.Kernel, "can_be_kept", False)
    assert ahead._processes(kernels * 9) == 1


def test_what_takes_long_is_known_by_its_name():
    for path in Path(ahead.__file__).parent.glob("[a-z]*.py"):
        importlib.import_module(f"minise.kernels.numba.{path.stem}")
    assert ahead.SECONDS.keys() <= {name for _, name in ahead._loops}


CALLS = """
import numpy as np
from minise import data, models, train
from minise.kernels.numba import ahead, team

def work():
    for name in ("se-resnet8", "se-inception-tiny", "se-mobilenet-tiny"):
        net = models.create(name)
        train.warm_up(net, (1, 28, 28), 9, data.shift_and_rotate)
        for _ in range(3):  # the third goes by a plan
            net(np.zeros((1, 1, 28, 28), np.float32))

ahead.Kernel.is_kept = False
missing = ahead.missing(work, team.CALLED)
assert not any(loop.overloads for loop in ahead._loops.values()), "a loop ran"
work()
compiled = {
    ahead.Kernel(*name, signature)
    for name, loop in ahead._loops.items()
    for signature in loop.overloads
}
assert compiled == set(missing), compiled ^ set(missing)
print(len(missing))
"""


def test_what_is_missing_is_what_the_work_then_compiles():
    done = subprocess.run([sys.executable, "-c", CALLS], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > 15
