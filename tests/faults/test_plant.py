import subprocess
import sys
from pathlib import Path

import pytest

PLANT = Path(__file__).parent / "plant"


@pytest.mark.slow
def test_faults_are_noticed_by_the_tests_that_run_their_lines_and_others_are_listed():
    tests, places = "tests/test_nearest.py", ("minise/nearest.py", "minise/cores.py")
    done = subprocess.run(
        [sys.executable, PLANT, *places, "--number", "4", "--tests", tests],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1, done.stdout + done.stderr
    assert done.stdout.count(f"FAILED {tests}") == 2
    assert "of 4 faults 2 were noticed, 2 were not" in done.stdout
    listed = done.stdout.partition("were not\n")[2]
    assert listed.count("minise/cores.py (0 tests)\n- ") == 2
