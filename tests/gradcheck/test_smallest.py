"""The smallest input that still fails: small, in digits that one can read, and code that runs."""

from functools import partial

import numpy as np

from minise import gradcheck, nn, ops

RNG = np.random.default_rng(8)
normal = RNG.standard_normal


def pasted(report, **names):
    """What the code that was printed makes of it."""
    found = {"np": np, "gradcheck": gradcheck, "partial": partial, **names}
    lines, call = report.smallest.split("gradcheck.check")
    exec(lines, found)
    return eval(f"gradcheck.check{call}", found), found


def affine(x, w):
    return np.tanh(x @ w), (x, w, np.tanh(x @ w))


def affine_backward(dy, saved):
    x, w, y = saved
    dz = dy * (1 - y**2) ** 1.5
    return dz @ w.T, x.T @ (dy * (1 - y**2))


def test_it_is_small_and_fails_when_pasted():
    report = gradcheck.check((affine, affine_backward), normal((5, 6)), normal((6, 4)))
    assert not report.passed
    again, found = pasted(report, affine=affine, affine_backward=affine_backward)
    assert found["x"].size + found["w"].size <= 4
    assert [g.passed for g in again.gradients] == [g.passed for g in report.gradients]
    assert "The smallest input that still fails" in str(report)
    assert np.array_equal(found["x"], np.round(found["x"], 1))


def test_it_keeps_what_the_fault_needs():
    def cube(x):
        return x**3, x

    def cube_backward(dy, x):
        return 3 * x**2 * dy * (np.exp(x) if len(x) > 2 else 1)

    report = gradcheck.check((cube, cube_backward), normal((6, 5)))
    again, found = pasted(report, cube=cube, cube_backward=cube_backward)
    assert not again.passed
    assert found["x"].shape == (3, 1)


def test_nothing_is_searched_where_a_habit_is_missing_or_a_tie_given_twice():
    def keep(x):
        x *= 2
        return x, None

    report = gradcheck.check((keep, lambda dy, saved: 2 * dy), normal((4, 5)))
    assert not report.passed
    assert report.smallest is None

    def largest(x):
        y = x.max(axis=1, keepdims=True)
        return y, (x, y)

    ties = np.round(normal((3, 5)))
    ties[:, :2] = 9
    report = gradcheck.check((largest, lambda dy, saved: dy * (saved[0] == saved[1])), ties)
    assert not report.passed
    assert report.smallest is None


def test_an_image_shrinks_after_its_kernel():
    def slide(x, w):
        return np.convolve(x, w, "valid"), (x, w)

    def slide_backward(dy, saved):
        x, w = saved
        return np.convolve(dy, w**3), np.correlate(x, dy, "valid")[::-1]

    report = gradcheck.check((slide, slide_backward), normal(7), normal(3))
    assert not report["x"].passed
    _, found = pasted(report, slide=slide, slide_backward=slide_backward)
    assert found["x"].shape == found["w"].shape == (1,)


def test_a_layer_and_a_loss_and_options_that_are_bound():
    class Bent(nn.SEBlock):
        def forward(self, x, training=True):
            y, backward = super().forward(x, training)
            return y, lambda dy: backward(dy) + 0.01 * x**2 * dy

    layer = Bent(4, 2, rng=np.random.default_rng(0), dtype=np.float64)
    loss = (
        partial(ops.softmax_cross_entropy, label_smoothing=0.1),
        ops.softmax_cross_entropy_backward,
    )
    net = nn.Sequential(layer, nn.Flatten())
    x, labels = normal((3, 4, 2, 2)), RNG.integers(0, 16, 3)
    report = gradcheck.check(net, x, labels, loss=loss)
    assert not report.passed
    again, found = pasted(
        report, sequential=net, softmax_cross_entropy=ops.softmax_cross_entropy,
        softmax_cross_entropy_backward=ops.softmax_cross_entropy_backward,
    )  # fmt: skip
    assert not again["x"].passed
    assert len(found["x"]) == 1


def test_nothing_is_searched_where_the_cause_is_told_or_all_is_right():
    x = normal((3, 4))
    assert gradcheck.check((ops.tanh, ops.tanh_backward), x).smallest is None
    twice = (ops.tanh, lambda dy, saved: 2 * ops.tanh_backward(dy, saved))
    report = gradcheck.check(twice, x)
    assert report["x"].cause
    assert report.smallest is None


def test_what_stays_large_is_not_printed():
    def backward(dy, x):
        dx = 2 * x * dy
        return dx * np.abs(x) if x.size > 80 else dx

    report = gradcheck.check((lambda x: (x**2, x), backward), normal(200))
    assert not report.passed
    assert report.smallest is None


def test_the_code_fits_a_terminal():
    def backward(dy, saved):
        d = ops.softmax_cross_entropy_backward(dy, saved)
        d[:, 1:] *= 1.3 + np.sin(d[:, :1])
        return d

    pair = (ops.softmax_cross_entropy, backward)
    report = gradcheck.check(pair, normal((6, 10)), RNG.integers(0, 10, 6))
    assert report.smallest
    assert max(map(len, str(report).splitlines())) <= 80
