"""Pairs of functions and functions alone, in the orders in which people write them."""

from collections import namedtuple
from functools import partial

import numpy as np
import pytest

from minise import InputError, gradcheck

RNG = np.random.default_rng(3)
X, W, B = RNG.standard_normal((4, 5)), RNG.standard_normal((5, 3)), RNG.standard_normal(3)
Gradients = namedtuple("Gradients", "db dx dw")


def affine(x, w, b):
    return x @ w + b, (x, w)


def of(dy, saved):
    x, w = saved
    return dy @ w.T, x.T @ dy, dy.sum(axis=0)


def cache_first(cache, dout):
    return of(dout, cache)


def residuals_first(res, g):
    return of(g, res)


def by_name(dout, cache):
    return dict(zip(("dx", "dW", "b_grad"), of(dout, cache), strict=True))


def named_tuple(dout, cache):
    dx, dw, db = of(dout, cache)
    return Gradients(dx=dx, dw=dw, db=db)


def others_beside(dout, cache):
    return by_name(dout, cache) | {"dZ": dout, "norm": 3.0}


@pytest.mark.parametrize(
    "backward", [of, cache_first, residuals_first, by_name, named_tuple, others_beside]
)
def test_a_pair_in_any_order_or_by_name(backward):
    report = gradcheck.check((affine, backward), X, W, B)
    assert report.passed
    assert [gradient.name for gradient in report.gradients] == ["x", "w", "b"]

    def wrong(a, b):
        found = backward(a, b)
        found = found._asdict() if hasattr(found, "_asdict") else found
        return (
            {n: 2 * g for n, g in found.items()}
            if isinstance(found, dict)
            else [2 * gradient for gradient in found]
        )

    if backward in (of, by_name, others_beside, named_tuple):
        report = gradcheck.check((affine, wrong), X, W, B)
        assert not any(gradient.passed for gradient in report.gradients)


def another_order(dout, cache):
    dx, dw, db = of(dout, cache)
    return dw, dx, db


@pytest.mark.effect("gradcheck.check(returns)")
def test_gradients_in_another_order_are_never_taken_by_their_shapes():
    report = gradcheck.check((affine, another_order), X, W, B)
    assert not report.passed
    assert "the gradient of x has the shape (5, 3), expected (4, 5)" in "".join(report.problems)
    assert "returns=('w', 'x', 'b')" in str(report)
    for returns in (("w", "x", "b"), ["dW", "dx", "db"]):
        assert gradcheck.check((affine, another_order), X, W, B, returns=returns).passed
    assert not gradcheck.check((affine, of), X, W, B, returns=("w", "x", "b")).passed


@pytest.mark.effect("gradcheck.check(names)")
def test_inputs_of_a_star_have_the_names_that_are_given():
    pair = (lambda *args: affine(*args), of)
    assert gradcheck.check(pair, X, W, B)["args[1]"].passed
    assert gradcheck.check(pair, X, W, B, names=("x", "w", "b"))["w"].passed


@pytest.mark.effect("gradcheck.check(outputs)")
def test_the_number_of_outputs_where_no_name_tells_it():
    def both(x):
        return 2 * x, x**2, x

    def backward(up, right, x):
        return 2 * up + 2 * x * right

    assert not gradcheck.check((both, backward), X).passed
    assert gradcheck.check((both, backward), X, outputs=2).passed
    assert gradcheck.check((both, backward), X, outputs=("up", "right")).passed
    told_by_cache = (both, lambda up, right, cache: backward(up, right, cache))
    assert gradcheck.check(told_by_cache, X).passed


def test_several_outputs_and_their_dys():
    def step(x, h):
        h_next = np.tanh(x + h)
        return h_next**2, h_next, h_next

    def backward(dy, dh_next, h):
        da = (dh_next + 2 * h * dy) * (1 - h**2)
        return da, da

    assert gradcheck.check((step, backward), X, X + 1).passed
    wrong = gradcheck.check((step, lambda dy, dh, h: backward(dy, 0 * dh, h)), X, X + 1)
    assert not wrong.passed
    nested = (lambda x, h: (step(x, h)[:2], step(x, h)[2]), backward)
    assert gradcheck.check(nested, X, X + 1).passed
    as_one = (nested[0], lambda dys, saved: backward(*dys, saved))
    assert gradcheck.check(as_one, X, X + 1).passed


def test_outputs_that_backward_has_no_dy_of_are_told():
    pair = (lambda x: (2 * x, x**2, x), lambda dy, cache: 2 * dy)
    report = gradcheck.check(pair, X)
    assert report.passed
    assert "forward returns 1 more, of which backward takes no dy" in str(report)


@pytest.mark.parametrize(
    "backward",
    [lambda dout, out: dout * out * (1 - out), lambda y, dy: dy * y * (1 - y)],
)
def test_a_backward_that_takes_the_output(backward):
    assert gradcheck.check((lambda x: 1 / (1 + np.exp(-x)), backward), X).passed


def test_a_backward_that_takes_the_inputs_again():
    def product(x, w, b):
        return x @ w + b

    assert gradcheck.check((product, lambda dy, x, w: of(dy, (x, w))), X, W, B).passed
    assert gradcheck.check((product, lambda x, w, dout: of(dout, (x, w))), X, W, B).passed


def test_an_option_goes_to_backward_as_well():
    def pool(x, mode="max"):
        return (x.max(axis=1) if mode == "max" else x.mean(axis=1)), x

    def backward(dy, x, mode="max"):
        if mode == "max":
            return dy[:, None] * (x == x.max(axis=1, keepdims=True))
        return np.repeat(dy[:, None] / x.shape[1], x.shape[1], axis=1)

    assert gradcheck.check((pool, backward), X).passed
    assert gradcheck.check((partial(pool, mode="mean"), backward), X).passed
    assert gradcheck.check((pool, backward), X, "mean").passed


def in_dictionary(x, params):
    return x @ params["W"] + params["b"], (x, params["W"])


def structured(dy, saved):
    dx, dw, db = of(dy, saved)
    return dx, {"W": dw, "b": db}


def flat(dy, saved):
    dx, dw, db = of(dy, saved)
    return {"dx": dx, "dW": dw, "db": db}


@pytest.mark.parametrize("backward", [structured, flat])
def test_a_dictionary_of_parameters(backward):
    params = {"W": W, "b": B}
    report = gradcheck.check((in_dictionary, backward), X, params)
    assert report.passed
    assert [gradient.name for gradient in report.gradients] == ["x", "W", "b"]

    def forgets_b(dy, saved):
        found = backward(dy, saved)
        del (found if isinstance(found, dict) else found[1])["db" if backward is flat else "b"]
        return found

    assert "b: backward gives no gradient of it" in str(
        gradcheck.check((in_dictionary, forgets_b), X, params)
    )


def test_a_list_of_parameters():
    pair = (
        lambda x, params: (x @ params[0] + params[1], (x, params[0])),
        lambda dy, saved: (of(dy, saved)[0], list(of(dy, saved)[1:])),
    )
    report = gradcheck.check(pair, X, [W, B])
    assert report.passed
    assert [gradient.name for gradient in report.gradients] == ["x", "params[0]", "params[1]"]


def test_a_number_is_differentiated_if_backward_has_a_gradient_of_it():
    def scaled(x, gamma, eps=0.5):
        return gamma * x / (abs(x) + eps), (x, gamma, eps)

    def backward(dy, saved):
        x, gamma, eps = saved
        return gamma * dy * eps / (abs(x) + eps) ** 2, (dy * x / (abs(x) + eps)).sum()

    report = gradcheck.check((scaled, backward), X, 1.5, 0.25, returns=("x", "gamma"))
    assert report.passed
    assert [gradient.name for gradient in report.gradients] == ["x", "gamma"]
    assert gradcheck.check((scaled, backward), X, np.float64(1.5)).passed
    assert gradcheck.check((scaled, lambda dy, s: backward(dy, s)[0]), X, 1.5).passed


def test_integers_beside_floats():
    def rows(x, index):
        return x[index], (x.shape, index)

    def backward(dy, saved):
        dx = np.zeros(saved[0])
        np.add.at(dx, saved[1], dy)
        return dx

    index = np.array([0, 2, 2])
    assert gradcheck.check((rows, backward), X, index).passed
    assert gradcheck.check((rows, lambda dy, s: (backward(dy, s), None)), X, index).passed


def test_none_for_a_float_input_is_said():
    report = gradcheck.check((affine, lambda dy, s: (None, *of(dy, s)[1:])), X, W, B)
    assert report.passed
    assert [gradient.name for gradient in report.gradients] == ["w", "b"]
    assert "x: backward gives no gradient of it, so that none was checked" in str(report)


def test_a_target_needs_no_gradient():
    pair = (
        lambda x, target: (((x - target) ** 2).sum(), x - target),
        lambda dout, cache: 2 * dout * cache,
    )
    report = gradcheck.check(pair, X, X + 1)
    assert report.passed
    assert report.said == ("target: backward gives no gradient of it, so that none was checked",)


def test_a_configuration_is_as_given_in_each_run():
    def averaged(x, settings):
        settings["mean"] += x.mean()
        settings["calls"] = settings.get("calls", 0) + 1
        return x * settings["calls"] + settings["mean"].sum(), x

    settings = {"mean": np.zeros(3)}
    pair = (averaged, lambda dy, x: dy + 3 * dy.sum() / x.size)
    assert gradcheck.check(pair, X, settings).passed
    assert not settings["mean"].any()


def half_square(x, w):
    return 0.5 * ((x @ w) ** 2).sum(), (x @ w @ w.T, x.T @ (x @ w))


@pytest.mark.parametrize(
    "loss",
    [
        half_square,
        lambda x, w: (half_square(x, w)[0], *half_square(x, w)[1]),
        lambda x, w: (half_square(x, w)[0], dict(zip("xw", half_square(x, w)[1], strict=True))),
        lambda x, w: (dict(zip(("dx", "dw"), half_square(x, w)[1], strict=True)),
                      half_square(x, w)[0]),
    ],
)  # fmt: skip
def test_a_loss_returns_its_gradients_at_once(loss):
    report = gradcheck.check(loss, X, W)
    assert report.passed
    assert [gradient.name for gradient in report.gradients] == ["x", "w"]
    twice = gradcheck.check((lambda x, w: (2 * half_square(x, w)[0], half_square(x, w)[1])), X, W)
    assert not twice.passed


def test_one_gradient_of_a_loss_is_that_of_its_first_input():
    def loss(x, w):
        value, (dx, _) = half_square(x, w)
        return value, dx

    report = gradcheck.check(loss, X, W)
    assert report.passed
    assert [gradient.name for gradient in report.gradients] == ["x"]
    assert "w: backward gives no gradient of it" in str(report)


@pytest.mark.parametrize(
    ("subject", "inputs", "options", "message"),
    [
        ((affine, of), [np.arange(20).reshape(4, 5), W, B], {},
         "x is int64, so it cannot be moved a little, .*: give it as floats"),
        ((lambda x, w, b, scale: affine(x, w, b), of), [np.ones((4, 5), int), W, B, 0.5], {},
         "x is int64, so it cannot be moved a little"),
        ((lambda x, a: (a * x, x), lambda dy, x: (dy, dy.sum())), [X, 2], {}, "a is int, so it"),
        ((affine, lambda dy, s: of(dy, s)[:2]), [X, W, B], {},
         r"gave 2 gradients for 3 inputs: x, w, b.*as in returns=\('x', 'w'\)"),
        ((affine, of), [X, W, B], {"returns": ("x", "w")}, "3 gradients, and returns= names 2"),
        ((affine, of), [X, W, B], {"returns": ("x", "w", "c")}, "returns= names 'c', expected"),
        ((affine, of), [X, W, B], {"returns": ("x", "w", "w")}, "returns= names 'w', expected"),
        ((affine, of), [X, W, B], {"returns": 3}, "returns is 3, expected names"),
        ((affine, of), [X, W, B], {"names": ("x", "w")}, "names= is x, w: expected 3"),
        ((affine, of), [X, W, B], {"outputs": 0}, "outputs is 0, expected 1 or more"),
        ((affine, of), [X, W, B], {"outputs": 5}, "returned 2 values, .*: give outputs="),
        ((affine, of), [X, W], {}, "affine takes x, w, b, and was given no b"),
        ((affine, of), [], {}, "expected inputs to check with"),
        ((lambda x: 2 * x, lambda dy, cache: 2 * dy), [X], {},
         r"returned ndarray, expected \(y, saved\): its backward takes dy, cache"),
        ((lambda x: None, lambda dy: dy), [X], {}, "returned None, expected its output"),
        (lambda x: 2 * x, [X], {}, r"alone returned float64 array: expected .*\(loss, dx\)"),
        (lambda x: (x, x), [X], {}, r"returned \(float64 array, float64 array\)"),
        ((lambda x, a: (np.array(x) * a, x), lambda dy, x: (dy, dy @ x)), [[1.0, 2.0], 0.5], {},
         "x is list, so it cannot be moved"),
        (3, [X], {}, "expected a pair .*got 3"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_one_clear_line(subject, inputs, options, message):
    with pytest.raises(InputError, match=message) as raised:
        gradcheck.check(subject, *inputs, **options)
    assert "\n" not in str(raised.value)
