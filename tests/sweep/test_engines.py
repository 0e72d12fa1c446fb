"""Workers of this machine."""

import os
import subprocess
import sys

import pytest

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
    done = subprocess.run(command, capture_output=True, encoding="utf-8", timeout=120)
    assert done.stdout == "['SIGHUP SIGINT']\n", done.stderr
