"""All that a GPU is to do, done by the stand-in, which runs CUDA C on the processor.

What passes here has not run on a GPU: `tests/gpu/run` is for that.
"""

import os
import subprocess
import sys
from pathlib import Path

from gpu.installed import STAND_IN, needs_compiler

TESTS = Path(__file__).parents[1]
PARTS = {"ops": ["-k", "cupy"], "contract": ["-k", "cupy"], "nn": ["-k", "cupy"], "gpu/on_gpu": []}


@needs_compiler
def test_on_the_stand_in_all_is_as_on_the_processor(tmp_path):
    environment = {**os.environ, "PYTHONPATH": str(STAND_IN), "CUPY_STAND_IN_DEVICES": "2"}
    runs = {}
    for number, (part, chosen) in enumerate(PARTS.items()):
        log = tmp_path / f"{number}.log"
        with log.open("w") as file:
            runs[part, log] = subprocess.Popen(
                [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", TESTS / part, *chosen],
                env=environment,
                stdout=file,
                stderr=subprocess.STDOUT,
            )
    failed = {part: log.read_text() for (part, log), run in runs.items() if run.wait()}
    assert not failed, "\n".join(failed.values())
