"""What went wrong when code was checked as courses and books have it, written from memory."""

from collections.abc import Callable

import numpy as np
import pytest

from minise import gradcheck
from minise.errors import InputError
from minise.gradcheck.forms import Told, subject_of
from minise.gradcheck.vary import varied

RNG = np.random.default_rng(3)
normal = RNG.standard_normal


def cube(x):
    return x**3, x


def cube_backward(dout, x):
    return 3 * dout * x**2


def product(a, c):
    return a * c, (a, c)


def linear(A, W, b):
    return W @ A + b, (A, W)


def linear_backward_over_m(dZ, cache):
    A, W = cache
    m = A.shape[1]
    return W.T @ dZ, dZ @ A.T / m, dZ.sum(axis=1, keepdims=True) / m


def test_a_mean_over_samples_in_columns_is_told():
    report = gradcheck.check(
        (linear, linear_backward_over_m), normal((3, 4)), normal((2, 3)), normal((2, 1))
    )
    for name in "Wb":
        assert "0.25 = 1/(axis 1 of y) = 1/4" in report[name].cause


def logistic(X, Y, parameters):
    a = 1 / (1 + np.exp(-parameters["W"] @ X))
    cost = -np.mean(Y * np.log(a) + (1 - Y) * np.log(1 - a))
    return cost, (a, parameters["W"])


def logistic_backward(X, Y, cache):
    a, _ = cache
    return {"dZ": a - Y, "dW": (a - Y) @ X.T / X.shape[1]}


def logistic_backward_twice(X, Y, cache):
    return {"dW": 2 * logistic_backward(X, Y, cache)["dW"]}


def test_a_cost_whose_backward_takes_the_inputs_again():
    inputs = normal((4, 5)), RNG.integers(0, 2, (1, 5)), {"W": normal((1, 4))}
    assert gradcheck.check((logistic, logistic_backward), *inputs).passed
    report = gradcheck.check((logistic, logistic_backward_twice), *inputs)
    assert report["W"].cause == "off by the constant factor 2"  # and not the root of 4


def norm(x, w):
    mean = x.mean(-1, keepdims=True)
    rstd = (x.var(-1, keepdims=True) + 1e-5) ** -0.5
    return (x - mean) * rstd * w, mean, rstd


def norm_backward(dout, x, w, mean, rstd):
    n = (x - mean) * rstd
    d = dout * w
    dx = (d - d.mean(-1, keepdims=True) - n * (d * n).mean(-1, keepdims=True)) * rstd
    return dx, (dout * n).sum((0, 1))


def test_inputs_and_then_what_was_saved_by_name():
    assert gradcheck.check((norm, norm_backward), normal((2, 3, 4)), normal(4)).passed


def loss_and_state(inputs, hprev, wx, wh):
    h = np.tanh(wx[:, inputs] + wh @ hprev)
    dz = 2 * h * (1 - h**2)
    dwx = np.zeros_like(wx)
    dwx[:, inputs] = dz
    return (h**2).sum(), dwx, np.outer(dz, hprev), h


def test_none_in_returns_stands_for_what_is_no_gradient():
    inputs = 1, normal(3), normal((3, 3)), normal((3, 3))
    report = gradcheck.check(loss_and_state, *inputs)
    assert any("returns=, with None for what is no gradient" in p for p in report.problems)
    assert gradcheck.check(loss_and_state, *inputs, returns=("wx", "wh", None)).passed
    with pytest.raises(InputError, match="None stands for what is the gradient of no input"):
        gradcheck.check(loss_and_state, *inputs, returns=("wx", "wh"))


def conv1(x, w, b):
    return x @ w + float(b[0, 0, 0]), (x, w, b)


def conv1_backward(dout, cache):
    x, w, _b = cache
    return dout @ w.T, x.T @ dout, np.full((1, 1, 1), dout.sum())


def test_an_axis_of_which_one_entry_is_read_is_not_made_longer():
    report = gradcheck.check(
        (conv1, conv1_backward), normal((4, 5)), normal((5, 3)), normal((1, 1, 1)), vary=True
    )
    assert report.passed


def attention(q, k, v, mask):
    s = np.where(mask, q @ np.swapaxes(k, -1, -2), -1e9)
    e = np.exp(s - s.max(-1, keepdims=True))
    p = e / e.sum(-1, keepdims=True)
    return p @ v, (q, k, v, p)


def attention_backward(dout, cache):
    q, k, v, p = cache
    dp = dout @ np.swapaxes(v, -1, -2)
    ds = p * (dp - (dp * p).sum(-1, keepdims=True))
    return ds @ k, np.swapaxes(ds, -1, -2) @ q, np.swapaxes(p, -1, -2) @ dout


@pytest.mark.parametrize("dtype", [bool, int, np.float64])
def test_a_mask_of_attention_keeps_its_rows_when_varied(dtype):
    mask = np.tril(np.ones((4, 4), dtype))
    inputs = normal((2, 4, 3)), normal((2, 4, 3)), normal((2, 4, 5)), mask
    pair = (attention, attention_backward)
    assert gradcheck.check(pair, *inputs, returns=("q", "k", "v"), vary=True).passed
    subject = subject_of(pair, inputs, told=Told(returns=("q", "k", "v")))
    masks = [varied(subject, np.random.default_rng(k)).inputs["mask"] for k in range(10)]
    assert all(each.any(axis=-1).all() for each in masks)


def test_equal_inputs_hide_one_taken_for_the_other():
    def wrong(dout, saved):
        _a, c = saved
        return dout * c, dout * c

    x = normal((2, 3))
    report = gradcheck.check((product, wrong), x, x)
    assert report.passed
    assert any(line.startswith("a and c are equal") for line in report.unseen)
    assert not gradcheck.check((product, wrong), x, x, vary=True).passed


def log_with_eps(x):
    return np.log(x + 1e-7), x


def test_a_small_number_left_out_is_told_and_the_tolerance_that_lets_it_pass():
    pair, x = (log_with_eps, lambda dout, x: dout / x), RNG.uniform(0.02, 0.05, 6)
    report = gradcheck.check(pair, x)
    assert "as an eps" in report["x"].cause
    assert report["x"].cause.endswith("tolerance=1e-05")
    assert gradcheck.check(pair, x, tolerance=1e-5).passed


@pytest.mark.parametrize(
    ("x", "told"),
    [
        (np.ma.masked_array(normal(3), [0, 1, 0]), r"give x\.filled\(0\)"),
        (normal((2, 2)).view(np.matrix), r"give np\.asarray\(x\)"),
        (np.array([1.0, np.nan]), r"x has nan at \[1\]"),
        (np.zeros((0, 3)), r"no entries to differentiate: x \(0, 3\)"),
    ],
)
def test_inputs_that_cannot_be_checked(x, told):
    with pytest.raises(InputError, match=told):
        gradcheck.check((cube, cube_backward), x)


@pytest.mark.parametrize(
    ("gradient", "told"),
    [(None, "backward gave no gradient"), ("dx", "gave <U2 as the gradient of x")],
)
def test_a_backward_that_returns_no_numbers(gradient, told):
    backward: Callable[..., object] = lambda dout, x: gradient  # noqa: E731
    with pytest.raises(InputError, match=told):
        gradcheck.check((cube, backward), normal(3))


class Uneven:
    def forward(self, x):
        self.x = x
        return x * np.roll(x, 1, axis=1) ** 2

    def backward(self, dout):
        return dout * np.sin(self.x)


def test_the_smallest_input_of_an_object_says_which_object():
    report = gradcheck.check(Uneven(), normal((3, 6)))
    assert report.smallest is not None
    assert report.smallest.startswith("# uneven is the Uneven that was checked")


def a_forward_with_a_name_that_is_long(x_of_some_length, conv_param):
    return x_of_some_length * np.roll(x_of_some_length, 1, axis=1) ** 2, x_of_some_length


def a_backward_with_a_name_that_is_long(dout, x_of_some_length):
    return dout * np.sin(x_of_some_length)


def test_a_long_call_is_broken_into_lines():
    pair = (a_forward_with_a_name_that_is_long, a_backward_with_a_name_that_is_long)
    report = gradcheck.check(pair, normal((3, 6)), {"stride": 1})
    assert report.smallest is not None
    assert "gradcheck.check(\n    (a_forward" in report.smallest
