"""A kernel that was just compiled and the same kernel from the disk give the same bits."""

import os
import subprocess
import sys

import pytest

CODE = """
import hashlib
import numpy as np
from minise import ops

RNG = np.random.default_rng(0)

def draw(*shape):
    return np.moveaxis(RNG.standard_normal((*shape[1:], shape[0]), dtype=np.float32), -1, 0)

x, s, w, b = draw(64, 16, 14, 14), draw(64, 16), draw(1, 16)[0], draw(1, 16)[0]
calls = {
    "batch_norm": (x, w, b),
    "batch_norm_relu": (x, w, b),
    "conv2d": (x, draw(24, 16, 3, 3), None),
    "conv2d of each channel": (x, draw(16, 1, 3, 3), None),
    "conv2d of points": (x, draw(24, 16, 1, 1), None),
    "conv2d of each channel of one image": (draw(1, 16, 14, 14), draw(16, 1, 3, 3), None),
    "channel_scale": (x, s),
    "scale_add_relu": (x, s, draw(64, 16, 14, 14)),
    "global_avg_pool": (x,),
}
for name, arguments in calls.items():
    operation, *rest = name.split()
    y, *_, saved = getattr(ops, operation)(*arguments, **({"groups": 16} if "each" in rest else {}))
    gradients = getattr(ops, f"{operation}_backward")(draw(*y.shape), saved)
    gradients = gradients if isinstance(gradients, tuple) else (gradients,)
    arrays = [array for array in (y, *gradients) if array is not None]
    print(name, *(hashlib.md5(np.ascontiguousarray(a)).hexdigest() for a in arrays))
"""


@pytest.mark.slow  # it compiles them all anew
def test_results_do_not_depend_on_whether_a_kernel_was_compiled_or_loaded(tmp_path):
    environment = os.environ | {"NUMBA_CACHE_DIR": str(tmp_path)}
    compiled, loaded = (
        subprocess.run(
            [sys.executable, "-c", CODE],
            env=environment,
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for _ in range(2)
    )
    assert compiled.count("\n") == 9
    assert compiled == loaded
