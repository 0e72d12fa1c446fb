import gc
import os
import subprocess
import sys
import threading

import numpy as np
import pytest

from minise.kernels.numba import memory

LARGE = (300, 1000)  # float32: more than SMALL bytes


def address(array):
    return array.__array_interface__["data"][0]


def test_memory_of_a_dead_array_serves_the_next_of_its_size():
    memory.release()
    first = memory.empty(LARGE, np.float32)
    where = address(first)
    del first
    assert address(memory.empty((1000, 300), np.float32)) == where


def test_an_array_lives_as_long_as_any_view_of_it():
    memory.release()
    array = memory.empty(LARGE, np.float32)
    array[:] = 7
    view = array.T.reshape(1000, 3, 100)[5:, 1].view(np.int32).view(np.float32)
    del array
    gc.collect()
    others = [memory.zeros(LARGE, np.float32) for _ in range(3)]
    assert (view == 7).all()
    assert not any(np.shares_memory(view, other) for other in others)


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int32])
def test_a_large_array_begins_with_a_cache_line_and_can_be_written(dtype):
    for _ in range(5):
        array = memory.empty((7, 11, 1301), dtype)
        assert address(array) % memory.CACHE_LINE == 0
        assert array.flags.c_contiguous
        assert array.flags.writeable
        assert array.dtype == dtype
    assert memory.empty((0, 5), dtype).shape == (0, 5)
    assert memory.empty((), dtype).shape == ()


def test_what_lies_idle_is_bounded(monkeypatch):
    memory.release()
    monkeypatch.setattr(memory, "MOST_IDLE", 5_000_000)
    arrays = [memory.empty((rows, 1000), np.float32) for rows in range(300, 320)]
    del arrays
    assert memory.pool.idle_bytes <= 5_000_000
    assert memory.pool.idle_bytes == sum(
        block.nbytes for blocks in memory.pool.idle.values() for block in blocks
    )


def test_an_array_may_live_until_python_ends():
    # of a class of the main module, it ends last
    code = """
import numpy
from minise.kernels.numba import memory
class Keeper:
    def __init__(self):
        self.array = memory.empty((300, 1000), "f4")
    def __del__(self):
        pass
numpy.keeper = Keeper()
"""
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "", "")


def test_threads_are_never_given_the_same_memory():
    clashes = []

    def use(number):
        for _ in range(200):
            array = memory.empty(LARGE, np.float32)
            array[:] = number
            if not (array == number).all():
                clashes.append(number)

    threads = [threading.Thread(target=use, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not clashes


FORK = """
import os, threading
from minise.kernels.numba import memory
held, done = threading.Event(), threading.Event()
def hold():
    with memory.pool.lock:
        held.set()
        done.wait(300)
threading.Thread(target=hold).start()
held.wait()
child = os.fork()
if child == 0:
    memory.empty((300, 1000), "f4")
    os._exit(7)
done.set()
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="a system without fork")
def test_a_child_of_fork_has_a_lock_of_its_own():
    command = [sys.executable, "-W", "ignore::DeprecationWarning", "-c", FORK]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600)
    assert (done.stdout.strip(), done.stderr) == ("7", "")
