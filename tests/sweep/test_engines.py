"""Workers of this machine."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from minise.runs.lock import locked
from minise.sweep.engines import Processes

FIRST = """
import signal, sys
from pathlib import Path
from minise.runs.lock import locked
from minise.sweep.engines import Processes

class Work:
    sweep, driver = Path(sys.argv[1]), ".driver"

    def __call__(self, point):
        return " ".join(sorted(s.name for s in signal.pthread_sigmask(signal.SIG_BLOCK, [])))

with locked(Work.sweep / Work.driver):
    print([said for said in Processes(1).train(["a point"], Work()) if said])
"""


@pytest.mark.skipif(os.name == "nt", reason="no masks of signals there")
def test_the_first_worker_does_not_hear_ctrl_c_either(tmp_path):
    command = [sys.executable, "-c", FIRST, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, encoding="utf-8", timeout=600)
    assert done.stdout == "['SIGHUP SIGINT']\n", done.stderr


class Died:
    """Work after which the process of a worker dies."""

    sweep, driver = Path(), ".driver"

    def __init__(self, folder):
        self.sweep = folder

    def __call__(self, point):
        return f"{point} {os.getpid()}"


def test_a_worker_that_dies_while_it_has_nothing_to_do_is_replaced(tmp_path):
    with locked(tmp_path / ".driver"):
        said = []
        for each in Processes(1).train(["one", "two"], Died(tmp_path)):
            if each is not None:
                said.append(each.split())
                os.kill(int(said[-1][1]), signal.SIGTERM)
                time.sleep(1)  # in which its pool notices
    assert [point for point, _ in said] == ["one", "two"]
    assert said[0][1] != said[1][1]


class Dies(Died):
    """Work that ends its process, the first time or each, while another point waits for it."""

    def __call__(self, point):
        deaths, end = self.sweep / "deaths", time.monotonic() + 200
        if point == "waits":
            while not (self.sweep / "resumed").exists():
                if time.monotonic() > end:
                    return "in vain"
                time.sleep(0.05)
        elif not deaths.exists() or point == "dies each time":
            with deaths.open("a") as file:
                file.write("x")
            os._exit(9)
        else:
            (self.sweep / "resumed").touch()
        return point


def test_a_point_whose_process_died_is_resumed_by_a_worker_that_is_free(tmp_path):
    with locked(tmp_path / ".driver"):
        said = list(Processes(2).train(["dies once", "waits"], Dies(tmp_path)))
    assert [each for each in said if each] == ["dies once", "waits"]


def test_a_point_whose_process_dies_again_is_left_to_the_next_round(tmp_path):
    with locked(tmp_path / ".driver"):
        said = list(Processes(2).train(["dies each time"], Dies(tmp_path)))
    assert not any(said)
    assert (tmp_path / "deaths").read_text() == "xx"
