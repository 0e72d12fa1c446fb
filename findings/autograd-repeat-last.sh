#!/usr/bin/env bash
# autograd 1.9.1 (HIPS's, of NumPy) gives a wrong gradient without a word where an axis is counted
# from the end, left out or kept: np.repeat(x, n, axis=-1) sums its gradient in the wrong groups (as SE
# gates spread over the positions do), np.tile(x, n) of two or more axes sums along the first in
# place of the last, and np.linalg.norm(x, axis=…, keepdims=True), as in weight normalisation, has a
# gradient of one axis too many. The values are right. Its own check_grads rejects all three.
#
#   gradient against finite differences       largest error   the same otherwise written
#   x * np.repeat(s, H·W, axis=-1)…           10              0   with axis=1
#   np.tile(a, 2), a of 4 x 4                 2.3             0   with (1, 2)
#   w / np.linalg.norm(w, axis=1, keepdims)   (3, 3, 4), not (3, 4)
#                                                             0   with np.sqrt(np.sum(w**2, …))
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip --quiet install autograd==1.9.1 numpy==2.4.6
cd "$folder"
cat > repeat.py <<'END'
import autograd.numpy as np
import numpy
from autograd import grad
from autograd.test_util import check_grads

rng = numpy.random.default_rng(0)
maps, gates = rng.normal(size=(2, 3, 4, 4)), rng.normal(size=(2, 3))
square, weights, factors = (rng.normal(size=shape) for shape in ((4, 4), (3, 4), (4, 8)))


def gated(axis):
    return lambda s: np.sum(maps * np.reshape(np.repeat(s, 16, axis=axis), maps.shape))


def tiled(times):
    return lambda a: np.sum(factors * np.tile(a, times))


def scaled(w, norm):
    return np.sum(factors[:3, :4] * w / norm)


def norm(w):
    return scaled(w, np.linalg.norm(w, axis=1, keepdims=True))


def root(w):
    return scaled(w, np.sqrt(np.sum(w**2, axis=1, keepdims=True)))


def finite_differences(function, x):
    dx = numpy.zeros_like(x)
    for i in numpy.ndindex(x.shape):
        step = numpy.zeros_like(x)
        step[i] = 1e-6
        dx[i] = (function(x + step) - function(x - step)) / 2e-6
    return dx


def seen(name, function, x):
    dx = grad(function)(x)
    error = None
    if dx.shape == x.shape:
        error = numpy.abs(dx - finite_differences(function, x)).max()
    try:
        check_grads(function, modes=["rev"])(x)
        verdict = "passed"
    except AssertionError:
        verdict = "rejected"
    print(f"{name:18} {dx.shape!s:10} error {error} check_grads {verdict}")
    return dx.shape, error is not None and error < 1e-7, verdict


pairs = (
    ("repeat axis=-1", gated(-1), "repeat axis=1", gated(1), gates),
    ("tile 2", tiled(2), "tile (1, 2)", tiled((1, 2)), square),
    ("norm", norm, "sqrt of sum", root, weights),
)
for wrong, first, right, second, x in pairs:
    assert numpy.isclose(first(x), second(x))
    shape = (3, 3, 4) if wrong == "norm" else x.shape
    assert seen(wrong, first, x) == (shape, False, "rejected")
    assert seen(right, second, x) == (x.shape, True, "passed")
END
venv/bin/python repeat.py
