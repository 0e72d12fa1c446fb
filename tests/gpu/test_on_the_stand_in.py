"""All that a GPU is to do, done by the stand-in, which runs CUDA C on the processor.

What passes here has not run on a GPU: `tests/gpu/run` is for that.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from gpu.installed import STAND_IN, needs_compiler

TESTS = Path(__file__).parents[1]


@needs_compiler
@pytest.mark.parametrize("part", ["ops", "contract", "nn", "gpu/on_gpu"])
def test_on_the_stand_in_all_is_as_on_the_processor(part):
    chosen = [] if part == "gpu/on_gpu" else ["-k", "cupy"]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", TESTS / part, *chosen],
        env={**os.environ, "PYTHONPATH": str(STAND_IN), "CUPY_STAND_IN_DEVICES": "2"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
