"""The guess at why a gradient is wrong."""

from functools import partial

import numpy as np
import pytest

from minise import gradcheck, ops


@pytest.fixture
def rng():
    return np.random.default_rng(3)


def my_channel_scale(x, s):
    return x * s[:, :, None, None], (x, s)


def my_channel_scale_backward(dy, saved):
    """With the mean where the sum over H·W is due."""
    x, s = saved
    return dy * s[:, :, None, None], (dy * x).mean(axis=(2, 3))


def test_a_mean_for_a_sum_is_told_with_the_factor_and_its_number(rng):
    x, s = rng.standard_normal((2, 4, 3, 5)), rng.standard_normal((2, 4))
    text = str(gradcheck.check((my_channel_scale, my_channel_scale_backward), x, s))
    (line,) = [line for line in text.splitlines() if "factor" in line]
    assert "s: off by the constant factor" in line
    assert "H·W" in line
    assert "1/15" in line


IMAGES, ROWS = (4, 3, 5, 7), (4, 6)


def changed(name, shapes, place, change, **options):
    """The guess for an operation one of whose gradients is changed: change(gradient, dy, saved)."""
    rng = np.random.default_rng(0)
    inputs = [rng.standard_normal(shape) for shape in shapes]
    right = getattr(ops, f"{name}_backward")

    forward = partial(getattr(ops, name), **options)

    def wrong(dy, saved):
        found = right(dy, saved)
        listed = list(found) if isinstance(found, tuple) else [found]
        listed[place] = change(listed[place], dy, saved)
        return tuple(listed)

    report = gradcheck.check((forward, wrong), *inputs, sample=500)
    return report.gradients[place].cause or ""


CONV = ("conv2d", [(2, 3, 6, 5), (4, 3, 3, 3)])
NORM = ("batch_norm", [IMAGES, (3,), (3,)])


@pytest.mark.parametrize(
    ("name", "shapes", "place", "change", "told"),
    [
        ("tanh", [ROWS], 0, lambda d, dy, s: 0 * d, "backward gives 0 everywhere"),
        ("tanh", [ROWS], 0, lambda d, dy, s: -d, "sign is wrong"),
        ("tanh", [ROWS], 0, lambda d, dy, s: 2 * d, "constant factor 2"),
        ("linear", [ROWS, (5, 6)], 1, lambda d, dy, s: d / 4, "1/(N) = 1/4: a mean"),
        ("global_avg_pool", [IMAGES], 0, lambda d, dy, s: 35 * d, "H·W = 35: a sum where a mean"),
        ("global_avg_pool", [IMAGES], 0, lambda d, dy, s: -35 * d, "35 and by its sign"),
        ("tanh", [ROWS], 0, lambda d, dy, s: d / dy, "right only for dy = 1"),
        ("tanh", [ROWS], 0, lambda d, dy, s: d / dy**2, "divided by dy"),
        ("tanh", [ROWS], 0, lambda d, dy, s: d * dy, "multiplied by dy twice"),
        ("linear", [ROWS, (6, 6)], 1, lambda d, dy, s: d.T, "axes 0 and 1 swapped"),
        ("linear", [ROWS, (5, 6)], 1, lambda d, dy, s: d.T.reshape(5, 6), "transposed"),
        (*CONV, 1, lambda d, dy, s: d[:, :, ::-1, ::-1], "reversed along axes 2 and 3"),
        (*CONV, 0, lambda d, dy, s: np.roll(d, 1, 3), "shifted by one along axis 3"),
        (
            "channel_scale", [IMAGES, (4, 3)], 0, lambda d, dy, s: dy,
            "right when multiplied by s",
        ),
        (
            "channel_scale", [IMAGES, (4, 3)], 0, lambda d, dy, s: d * s.s[:, :, None, None],
            "multiplied by s once too often",
        ),
        ("add", [IMAGES, IMAGES], 0, lambda d, dy, s: d - dy, "0 everywhere"),
        ("batch_norm", NORM[1], 0,
         lambda d, dy, s: ops.batch_norm_backward(dy, s._replace(from_batch=False))[0],
         "through the statistics"),
        (*NORM, 0, lambda d, dy, s: d + np.arange(3.0)[:, None, None], "the mean of the batch"),
        (*NORM, 0, lambda d, dy, s: d + dy.mean(axis=(2, 3), keepdims=True), "a squeeze and its"),
        (*NORM, 0, lambda d, dy, s: d - dy, "a path straight through"),
        (
            "batch_norm", NORM[1], 0,
            lambda d, dy, s: d * np.arange(1.0, 4.0)[:, None, None], "depends on axis 1 alone",
        ),
        ("relu", [ROWS], 0, lambda d, dy, s: dy, "wrong only where x is negative"),
        (
            *CONV, 0, lambda d, dy, s: np.pad(d[..., 1:-1], [(0, 0)] * 3 + [(1, 1)]),
            "border of axis 3 (backward says 0 there)",
        ),
        (*CONV, 1, lambda d, dy, s: d * np.array([1, 1, 1, 2])[:, None, None, None], "index 3"),
    ],
)  # fmt: skip
def test_a_usual_mistake_is_recognised(name, shapes, place, change, told):
    options = {"padding": 1} if name == "conv2d" else {}
    found = changed(name, shapes, place, change, **options)
    assert told in found


def test_a_loss_that_ignores_dy_is_not_off_by_some_factor(rng):
    def backward(dloss, saved):
        return ops.softmax_cross_entropy_backward(1.0, saved)

    pair = (ops.softmax_cross_entropy, backward)
    report = gradcheck.check(pair, rng.standard_normal((4, 5)), rng.integers(0, 5, 4))
    assert "right only for dy = 1" in report["scores"].cause


def test_a_factor_is_not_read_as_the_size_of_an_axis_where_nothing_is_summed():
    def third(d, dy, s):
        return d / 3

    assert changed("tanh", [IMAGES], 0, third) == "off by the constant factor 0.333333"


def test_a_single_entry_proves_no_pattern():
    assert changed("tanh", [(1,)], 0, lambda d, dy, s: 1.3 * d) == ""


def test_a_penalty_left_out_is_no_matter_of_statistics(rng):
    def forward(x):
        return (x**2).sum() / 2 + np.tanh(x).sum(), x

    def backward(dy, x):
        return dy * (1 - np.tanh(x) ** 2)

    cause = gradcheck.check((forward, backward), rng.standard_normal((2, 3, 2, 2)))["x"].cause
    assert "times x itself" in cause


def test_half_is_a_square_before_it_is_a_root_of_4(rng):
    report = gradcheck.check((lambda x: (x**2, x), lambda dy, x: dy * x), rng.normal(size=(3, 4)))
    assert "the 2 left out, that comes down from a square" in report["x"].cause


def test_the_path_through_a_norm_is_none_through_mean_and_variance(rng):
    def unit(x):
        length = np.sqrt((x**2).sum(axis=1, keepdims=True))
        return x / length, length

    report = gradcheck.check((unit, lambda dy, length: dy / length), rng.normal(size=(3, 4)))
    assert "lies along x over axis 1: the path through its norm" in report["x"].cause


def test_no_guess_where_no_pattern_tells(rng):
    noise = rng.standard_normal((5, 6))
    assert changed("linear", [ROWS, (5, 6)], 1, lambda d, dy, s: noise) == ""


WRONG_SLOPES = {
    "silu, backward has σ(x)": lambda x: ops.sigmoid(x)[0],
    "hard_swish, backward has the hard sigmoid of x": lambda x: ops.hard_sigmoid(x)[0],
    "hard_swish, backward has 0 beyond 3": lambda x: np.where(np.abs(x) < 3, x / 3 + 0.5, 0),
    "hard_swish, backward has x/3 + 1/2 everywhere": lambda x: x / 3 + 0.5,
    "hard_swish, is left out": np.ones_like,
}


@pytest.mark.parametrize("said", WRONG_SLOPES)
def test_of_silu_and_hard_swish_it_is_told_what_backward_has(rng, said):
    operation, expected = said.split(", ")
    x = 4 * rng.standard_normal((4, 6))

    def backward(dy, saved):
        return dy * WRONG_SLOPES[said](saved.x)

    text = " ".join(str(gradcheck.check((getattr(ops, operation), backward), x)).split())
    assert expected in text


def test_of_an_activation_the_slope_is_told_even_where_no_pattern_tells(rng):
    noise = rng.standard_normal(ROWS)
    told = changed("tanh", [ROWS], 0, lambda d, dy, s: noise)
    assert told.startswith("dy times the slope of tanh, 1 − y², is needed")


def test_what_is_not_finite_is_told(rng):
    assert "NaN" in changed("tanh", [ROWS], 0, lambda d, dy, s: d * np.nan)


def test_the_gates_path_left_out_of_an_se_block_is_recognised(rng, monkeypatch):
    from minise import nn

    right = ops.global_avg_pool_backward
    monkeypatch.setattr(
        ops, "global_avg_pool_backward", lambda dz, *given, **path: right(0 * dz, *given, **path)
    )
    block = nn.SEBlock(4, 2, rng=rng, dtype=np.float64)
    report = gradcheck.check(block, rng.standard_normal((2, 4, 3, 5)))
    assert "a squeeze and its gate, left out" in report["x"].cause
