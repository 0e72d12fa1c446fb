"""What is nearly a usual mistake is not taken for it."""

import numpy as np
import pytest
from planted import dense, elementwise, gates, losses, norm, sequences, shapes, windows

from minise import gradcheck
from minise.gradcheck.causes import GUESSES, cause
from minise.gradcheck.causes.evidence import Evidence

NEAR_MISSES = [
    # what is said of the first must not be said of the second
    (dense.SQUARE, "return dx, dw, db", "return 2 * dw, dx, db", "x", "exchanged"),
    (dense.SQUARE, "dout @ w.T", "dout @ (w + w.T)", "x", "transposed"),
    (dense.SQUARE, "dout.sum(axis=0)", "1.1 * dout.sum(axis=1)", "b", "summed over"),
    (dense.AFFINE, "dout.sum(axis=0)", "1.1 * dout[0]", "b", "first place"),
    (dense.IMAGES, ".reshape(x.shape)", '.reshape(x.shape, order="F") / 2', "x", "right numbers"),
    (dense.RIDGE, " + 2 * reg * w", " + reg * w**2", "w", "times w"),
    (dense.RIDGE, "2 * reg * w", "1.3 * reg * w", "w", "reg"),
    (elementwise.RELU, "(x > 0)", "(x > 0.5)", "x", "negative"),
    (elementwise.RELU, "(x > 0)", "(dout > 0.5)", "x", "the mask is where dy"),
    (elementwise.LEAKY, "1, alpha", "alpha, 2", "x", "exchanged"),
    (elementwise.TANH, "y**2", "y**3", "x", "backward has 1"),
    (elementwise.TANH, "(1 - y**2)", "1.5", "x", "left out"),
    (elementwise.DROPOUT, "/ keep", "/ 0.7", "x", "keep"),
    (elementwise.DROPOUT, "* mask", "* (1 - 0.5 * mask)", "x", "only where mask"),
    (losses.SOFTMAX, "dout - ", "dout - 0.5 * ", "x", "softmax"),
    (losses.SOFTMAX, "(dout - (dout * y).sum(axis=1, keepdims=True))", "(2 - y) * dout", "x", "Σ"),
    (losses.CROSS_ENTROPY, "dx[np.arange(n), y]", "dx[np.arange(n), y - 1]", "x", "at the label"),
    (losses.CROSS_ENTROPY, "-= 1", "-= 0.5", "x", "left out"),
    (norm.BATCH, "dmu / N", "dmu / N * xmu**2", "x", "the same for all"),
    (norm.BATCH, "+ dvar * 2 * xmu / N", "+ dvar * 2 * xmu**2 / N", "x", "the path"),
    (norm.BATCH, "(dout * xhat).sum", "(dout * x**2).sum", "gamma", "Σ dy"),
    (norm.LAYER, "dout * gamma", "dout * gamma**2 + 1e-3 * dout", "x", "gamma"),
    (windows.CONV, "[:, :, pad : pad + H, pad : pad + W]", "[:, :, :H, :W] * 2", "x", "shifted"),
    (windows.CONV, "w.reshape(F, -1)", "(w + w[..., ::-1]).reshape(F, -1)", "x", "reversed"),
    (windows.CONV, "dw +=", "dw = 0.1 * dw +", "w", "one window"),
    (windows.CONV_STRIDE, "(dout[:, :, i, j].T", "((i > 0 or 0.5) * dout[:, :, i, j].T",
     "w", "of dy"),
    (windows.AVG_POOL, "dx[:, :, r : r + size, c : c + size] =",
     "dx[:, :, r : r + 1, c : c + size] = 0.5 *", "x", "axes 2 and 3: is only"),
    (windows.UPSAMPLE, ".reshape(N, C, H, 2, W, 2).sum(axis=(3, 5))", "[:, :, ::2, ::2] * 1.5",
     "x", "of the 4 outputs"),
    (gates.SE, "dout * s[:, :, None, None] +", "dout * np.abs(x) +", "x", "dy times"),
    (gates.RESIDUAL_SE, "dout + dout * s[:, :, None, None]", "dout * s[:, :, None, None] ** 2", "x",
     "two things"),
    (gates.EXCITATION, " * s * (1 - s)", " * (1 - s**4)", "z", "slope of sigmoid"),
    (shapes.CHANNELS_LAST_SQUARE, "transpose(0, 3, 1, 2)", "transpose(0, 2, 3, 1) * 1.5",
     "x", "transposed"),
    (shapes.CONCAT, "dout[:, :first], dout[:, first:]", "2 * dout[:, ::2], dout[:, first:]",
     "a", "numbers of dy"),
    (sequences.EMBEDDING, "np.add.at(dw, words, dout)",
     "np.add.at(dw, words, dout); dw[0] *= 2; dw[1] *= 3", "w", "more often"),
    (sequences.LSTM, "di * i * (1 - i), df * f * (1 - f)",
     "df * f * (1 - f), 2 * di * i * (1 - i)", "w", "blocks"),
    (sequences.ATTENTION, "np.sqrt(q.shape[1])", "q.shape[1] ** 0.4", "q", "√"),
    (sequences.STEP, "(1 - out**2)", "(1 - out**4)", "wx", "slope of tanh"),
]  # fmt: skip


@pytest.mark.parametrize("near", NEAR_MISSES, ids=lambda near: f"{near[0].name}: {near[2]}")
def test_a_near_miss_is_not_told_as_the_mistake_that_it_is_near(near):
    code, right, wrong, name, told = near
    report = gradcheck.check(
        code.pair(right, wrong), *code.inputs(np.random.default_rng(0)), habits={}
    )
    assert not report[name].passed
    assert told not in (report[name].cause or "")


def evidence(said, numeric, x, dy, **others):
    entries = np.arange(x.size)
    return Evidence(
        "x", {"x": x} | others.pop("variables", {}), dy, said, entries, numeric.reshape(-1),
        np.ones(x.size, bool), **others,
    )  # fmt: skip


@pytest.mark.parametrize("shape", [(1, 1), (1, 4), (4, 1), (2, 2), (1, 1, 3, 3), (3, 1, 2, 2)])
def test_nothing_is_told_of_noise_in_small_arrays(shape):
    rng = np.random.default_rng(0)
    for _ in range(20):
        said, numeric, x, dy, w = rng.standard_normal((5, *shape))
        found = cause(evidence(said, numeric, x, dy, y=np.tanh(x), variables={"w": w}))
        assert found is None


@pytest.mark.parametrize("shape", [(4, 4), (2, 3, 4, 4)])
def test_of_what_is_all_alike_nothing_but_the_factor_is_told(shape):
    ones = np.ones(shape)
    found = cause(evidence(3 * ones, 2 * ones, ones, np.full(shape, 0.7), y=ones))
    assert found == "off by the constant factor 1.5"


def test_what_is_wrong_by_a_hair_is_not_told_as_transposed():
    """It is right with anything swapped that hardly changes it."""
    rng = np.random.default_rng(0)
    numeric = rng.standard_normal((4, 4))
    numeric += numeric.T
    said = numeric * (1 + 3e-6 * rng.standard_normal((4, 4)))
    told = cause(evidence(said, numeric, rng.standard_normal((4, 4)), numeric))
    assert told is not None
    assert told.startswith("off by no more than")


def test_a_sample_tells_what_it_can_and_no_guess_fails():
    rng = np.random.default_rng(0)
    code = norm.SPATIAL
    for right, wrong in [("", ""), (" - mean - along", " - along"), ("ivar * (", "(")]:
        inputs = (rng.standard_normal((4, 3, 8, 8)), *code.inputs(rng)[1:])
        report = gradcheck.check(code.pair(right, wrong), *inputs, sample=60)
        assert report.passed == (right == "")
        if right:
            assert report["x"].cause.startswith(("a term is missing", "off by a factor"))


def test_no_guess_runs_code_that_raises_into_the_report():
    """A backward that takes no dy but the one that it was given."""
    rng = np.random.default_rng(0)
    x, w = rng.standard_normal((4, 4)), rng.standard_normal((4, 4))
    known = []

    class Raises:
        def __init__(self):
            self.inputs = {}

        def fresh(self):
            raise RuntimeError("mine")

    for guess in GUESSES:
        known.append(guess(evidence(x, w, x, w, y=w, subject=Raises(), variables={"w": w.T + 1})))
    assert len(known) == len(GUESSES)
