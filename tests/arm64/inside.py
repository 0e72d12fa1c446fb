"""What `tests/arm64/run` starts on the emulated processor: a line of JSON for each comparison.

Sizes are those of the kernels' tests, small, since an emulated compiler takes its time.
"""

import argparse
import json
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from closeness import ROUNDINGS, assert_close
from kernels.numba.test_agreement import CASES, backward_of, draw
from kernels.numba.test_agreement import run as outputs
from strategies import batch_last

from minise import backend, gradcheck, models, nn, ops, set_num_threads
from minise.kernels.numba.lanes import LANES

BATCH = LANES + 3  # fills a register, and some are left over


def kernel(name: str) -> str:
    """An operation and its backward on "numba" and on "numpy", in both dtypes."""
    operation, shapes = CASES[name]
    found = []
    for dtype in ("float32", "float64"):
        rng = np.random.default_rng(1)
        arrays = [batch_last(array) for array in draw(rng, shapes, BATCH, dtype)]
        with backend.using("numpy"):
            dy = batch_last(rng.standard_normal(operation(*arrays)[0].shape).astype(dtype))
            specified = outputs(operation, backward_of(name), arrays, dy)
        with backend.using("numba"):
            found.append(furthest(outputs(operation, backward_of(name), arrays, dy), specified))
    return f"agrees: {found[0]:.1f}, {found[1]:.1f} of {ROUNDINGS} roundings"


def furthest(fast: list, specified: list) -> float:
    """How far apart they are, in roundings of the largest number of each array."""
    worst = 0.0
    for got, expected in zip(fast, specified, strict=True):
        assert got.dtype == expected.dtype
        assert_close(got, expected)
        largest = max(1.0, np.abs(expected).max(initial=0))
        apart = np.abs(got - expected).max(initial=0) / (largest * np.finfo(got.dtype).eps)
        worst = max(worst, float(apart))
    return worst


def gradients_of_a_block() -> str:
    rng = np.random.default_rng(0)
    block = nn.SEBlock(4, reduction=2, rng=rng, dtype=np.float64)
    gradcheck.assert_gradients(block, rng.standard_normal((2, 4, 3, 3)))
    return "every gradient is right"


def step(name: str) -> str:
    """Scores, loss and gradients of a net for a batch of float32, on "numba" and on "numpy"."""
    rng = np.random.default_rng(0)
    images = rng.standard_normal((BATCH, 1, 28, 28), np.float32)
    labels = rng.integers(0, 10, BATCH)
    results = []
    for which in ("numba", "numpy"):
        with backend.using(which):
            net = models.create(name, seed=0)
            scores, backward = net.forward(images)
            loss, saved = ops.softmax_cross_entropy(scores, labels)
            backward(ops.softmax_cross_entropy_backward(1.0, saved))
            gradients = [parameter.grad for parameter in net.parameters()]
            results.append([np.asarray(scores), np.asarray(loss), *gradients])
    return f"agrees: {furthest(*results):.1f} of {ROUNDINGS} roundings"


COMPARISONS: dict[str, Callable[[], str]] = {
    **{name: partial(kernel, name) for name in CASES},
    "gradcheck of SEBlock": gradients_of_a_block,
    "gradients of se-cnn": partial(step, "se-cnn"),
}


def shapes(name: str) -> str:
    each = [[BATCH if size == -1 else size for size in shape] for shape in CASES[name][1]]
    return ", ".join("×".join(map(str, shape)) for shape in each)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("names", nargs="*", choices=[[], *COMPARISONS])
    parser.add_argument("--list", action="store_true")
    parser.add_argument("--threads", type=int, default=1)
    given = parser.parse_args()
    if given.list:
        print(*COMPARISONS, sep="\n")
        return
    set_num_threads(given.threads)
    for name in given.names or COMPARISONS:
        began = time.monotonic()
        line = {"name": name, "shapes": shapes(name) if name in CASES else ""}
        try:
            line["found"] = COMPARISONS[name]()
        except AssertionError as error:
            line["found"] = f"WRONG: {' '.join(str(error).split())}"
        line["seconds"] = f"{time.monotonic() - began:.0f} s"
        print(json.dumps(line), flush=True)


if __name__ == "__main__":
    main()
