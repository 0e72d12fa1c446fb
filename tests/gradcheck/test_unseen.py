"""What a report says that it could not see: each line with a fault that passes, until it is heeded.

Each test plants a fault that the given input hides: the check passes, says so, and fails on the
input that the line proposes.
"""

from functools import partial

import numpy as np
import pytest

from minise import InputError, gradcheck, nn, ops
from minise.gradcheck import EXAMPLES

RNG = np.random.default_rng(8)
# of layers that have examples of their own, and of one whose map is square by nature
BLOCKS = ("Residual,", "Bottleneck,", "Inception", "InvertedResidual", "EffectiveSE")
normal = RNG.standard_normal


def hidden(pair, *inputs, says, tries=""):
    """The check passes, and one line has these words."""
    report = gradcheck.check(pair, *inputs)
    assert report.passed, str(report)
    told = [line for line in report.unseen if says in line]
    assert told, report.unseen
    assert tries in told[0]
    return report


def seen(pair, *inputs):
    return not gradcheck.check(pair, *inputs).passed


def quiet(pair, *inputs):
    assert gradcheck.check(pair, *inputs).unseen == ()


def linear(x, w, b):
    return x @ w + b, (x, w, b)


def linear_backward(dy, saved):
    x, w, _ = saved
    return dy @ w.T, x.T @ dy, dy.sum(axis=0)


LINEAR = linear, linear_backward


def test_a_well_chosen_check_has_nothing_to_say():
    quiet(LINEAR, normal((3, 4)), normal((4, 5)), normal(5))
    quiet((ops.relu, ops.relu_backward), normal((3, 4)))
    quiet((ops.relu, ops.relu_backward), normal((4, 4)))  # entry by entry: no axis to mistake
    # a batch as large as a width: they do not lie side by side
    quiet((ops.global_avg_pool, ops.global_avg_pool_backward), normal((3, 2, 4, 3)))


@pytest.mark.parametrize("name", [name for name in EXAMPLES if not name.startswith(BLOCKS)])
def test_the_examples_of_minise_hide_nothing_but_options(name):
    example = EXAMPLES[name](np.random.default_rng(0))
    report = gradcheck.check(example.subject, *example.inputs, training=example.training, sample=3)
    assert [line for line in report.unseen if "option" not in line] == []


def test_an_input_that_forward_forgot():
    def forward(x, w, b):
        return x @ w, (x, w, b)

    def backward(dy, saved):
        x, w, b = saved
        return dy @ w.T, x.T @ dy, np.zeros_like(b)

    inputs = normal((3, 4)), normal((4, 5)), normal(5)
    report = hidden((forward, backward), *inputs, says="forward does not use b")
    assert "unseen: forward does not use b" in str(report)
    # with the right backward it is why the check fails
    failed = gradcheck.check((forward, linear_backward), *inputs)
    assert not failed.passed
    assert failed.unseen[0].startswith("forward does not use b")
    assert len(failed.unseen) == 1


def test_a_gradient_that_is_0_at_these_inputs_alone():
    pair = (lambda x: (x * x, x), lambda dy, x: 7 * x * dy)
    hidden(
        pair, np.zeros((3, 4)), says="gradient of x is 0", tries="x = rng.standard_normal((3, 4))"
    )
    assert seen(pair, normal((3, 4)))


def test_a_gradient_that_another_input_makes_0():
    def backward(dy, saved):
        dx, dw, db = linear_backward(dy, saved)
        return dx, 5 * dw, db

    w, b = normal((4, 5)), normal(5)
    says, tries = "gradient of w is 0", "x = rng.standard_normal((3, 4))"
    hidden((linear, backward), np.zeros((3, 4)), w, b, says=says, tries=tries)
    assert seen((linear, backward), normal((3, 4)), w, b)


def test_a_relu_that_sleeps():
    pair = (ops.relu, lambda dy, saved: 9 * ops.relu_backward(dy, saved))
    hidden(pair, -RNG.random((3, 4)) - 0.1, says="gradient of x is 0")
    assert seen(pair, normal((3, 4)))


def test_a_positive_input_that_hides_a_mask():
    pair = (ops.relu, lambda dy, saved: dy)
    hidden(pair, RNG.random((3, 4)) + 0.1, says="x is positive everywhere")
    assert seen(pair, normal((3, 4)))
    quiet((lambda x: (np.log(x), x), lambda dy, x: dy / x), RNG.random((3, 4)) + 0.1)
    quiet((lambda x: (3 * x, x), lambda dy, x: 3 * dy), RNG.random((3, 4)) + 0.1)


def test_every_entry_at_a_kink():
    def backward(dy, saved):
        return dy * np.where(saved.y > 0, 1, 0.7 * (saved.y == 0)) + 0.1 * dy * (saved.y > 0)

    hidden((ops.relu, backward), np.zeros((3, 4)), says="every entry of x is at a kink")
    assert seen((ops.relu, backward), 0.1 * normal((3, 4)))


def test_a_single_number():
    pair = (lambda x: (x * x, x), lambda dy, x: x * x * dy)
    hidden(pair, np.array(2.0), says="of one number", tries="x = rng.standard_normal(5)")
    assert seen(pair, normal(5))


def scale(x, gamma):
    return np.tanh(x) * gamma, (x, gamma)


def scale_backward_without_gamma(dy, saved):
    x, _ = saved
    return dy * (1 - np.tanh(x) ** 2), (dy * np.tanh(x)).sum(axis=0)


def test_ones_that_hide_a_factor():
    pair, x = (scale, scale_backward_without_gamma), normal((4, 3))
    hidden(
        pair, x, np.ones(3), says="gamma is 1 everywhere", tries="gamma = rng.uniform(0.5, 2, 3)"
    )
    assert seen(pair, x, RNG.uniform(0.5, 2, 3))


def test_zeros_that_hide_a_term():
    def forward(x, w, b):
        z = x @ w + b
        return np.tanh(z), (x, w, b)

    def backward(dy, saved):
        x, w, b = saved
        dz = dy * (1 - np.tanh(x @ w) ** 2)  # without b
        return linear_backward(dz, (x, w, b))

    x, w = normal((3, 4)), normal((4, 5))
    hidden((forward, backward), x, w, np.zeros(5), says="b is 0 everywhere", tries="b = rng.")
    assert seen((forward, backward), x, w, normal(5))
    quiet(LINEAR, x, w, np.zeros(5))  # no gradient depends on b


def test_a_constant_that_hides_the_order_of_entries():
    pair = (lambda x: (x**3, x), lambda dy, x: 3 * x[::-1] ** 2 * dy)
    hidden(pair, np.full((3, 4), 0.5), says="x is 0.5 everywhere")
    assert seen(pair, RNG.uniform(0.5, 2, (3, 4)))


def test_zeros_and_ones_that_are_their_squares():
    pair = (lambda x: (x**3, x), lambda dy, x: 3 * x * dy)
    hidden(pair, RNG.integers(0, 2, (3, 4)).astype(float), says="x is only 0 and 1")
    assert seen(pair, normal((3, 4)))


def test_a_symmetric_matrix_hides_a_transposition():
    def backward(dy, saved):
        x, w, _ = saved
        return dy @ w, x.T @ dy, dy.sum(axis=0)

    x, w, b = normal((3, 4)), normal((4, 4)), normal(4)
    hidden((linear, backward), x, w + w.T, b, says="w is the same when reversed or transposed")
    assert seen((linear, backward), x, w, b)


def slide(x, w):
    n = len(x) - len(w) + 1
    return sum(w[k] * x[k : k + n] for k in range(len(w))), (x, w)


def slide_backward_unflipped(dy, saved):
    x, w = saved
    dw = np.array([(dy * x[k : k + len(dy)]).sum() for k in range(len(w))])
    return np.convolve(dy, w[::-1]), dw


@pytest.mark.parametrize("w", [np.ones(3), np.array([1.0, 2.0, 2.0, 1.0])])
def test_a_kernel_that_is_its_own_flip(w):
    pair, x = (slide, slide_backward_unflipped), normal(7)
    hidden(pair, x, w, says="w is ")
    assert seen(pair, x, normal(len(w)))


def test_axes_of_equal_length_that_are_mistaken():
    def backward(dy, saved):
        dx, dw, db = linear_backward(dy, saved)
        return dx, dw.reshape(dw.shape[1], dw.shape[0]), db

    says, tries = "x (4, 4), w (4, 4)", "try x (3, 5), w (5, 4)"
    hidden((linear, backward), normal((4, 4)), normal((4, 4)), normal(4), says=says, tries=tries)
    assert seen((linear, backward), normal((3, 5)), normal((5, 4)), normal(4))


def test_a_layer_as_wide_as_it_is_long():
    class Turned(nn.Linear):
        def forward(self, x, training=True):
            y, saved = ops.linear(x, self.weight.value, self.bias.value)

            def backward(dy):
                dx, dw, db = ops.linear_backward(dy, saved)
                self.weight.grad += dw.reshape(dw.shape[::-1])
                self.bias.grad += db
                return dx

            return y, backward

    says, tries = "weight (4, 4)", "try other sizes of weight"
    hidden(Turned(4, 4, dtype=np.float64), normal((3, 4)), says=says, tries=tries)
    with pytest.raises(InputError, match="broadcast"):
        gradcheck.check(Turned(4, 5, dtype=np.float64), normal((3, 4)))


def test_height_and_width_that_are_equal():
    def forward(x):
        return x.mean(axis=(2, 3)), x.shape

    def backward(dy, shape):
        n, c, w, h = shape  # exchanged
        dx = np.broadcast_to(dy[:, :, None, None] / (h * w), (n, c, h, w))
        return dx.copy()

    hidden((forward, backward), normal((2, 3, 4, 4)), says="x (2, 3, 4, 4)", tries="try x (2, 3, ")
    assert seen((forward, backward), normal((2, 3, 5, 4)))


def test_a_batch_as_large_as_the_output():
    def backward(dy, saved):
        dx, dw, _ = linear_backward(dy, saved)
        return dx, dw, np.ones(dy.shape[1]) @ dy

    w, b = normal((4, 3)), normal(3)
    says, tries = "the output (3, 3)", "try x (2, 4)"
    hidden((linear, backward), normal((3, 4)), w, b, says=says, tries=tries)
    with pytest.raises(InputError, match="mismatch"):
        gradcheck.check((linear, backward), normal((2, 4)), w, b)


def test_one_sample_hides_the_sum_over_the_batch():
    def backward(dy, saved):
        dx, dw, _ = linear_backward(dy, saved)
        return dx, dw, dy.mean(axis=0)

    w, b = normal((4, 5)), normal(5)
    says, tries = "x (1, 4): a sum left out", "try x (2, 4)"
    hidden((linear, backward), normal((1, 4)), w, b, says=says, tries=tries)
    assert seen((linear, backward), normal((2, 4)), w, b)


def windows(x, stride=1):
    return x[::stride], (len(x), stride)


def windows_backward(dy, saved):
    n, _ = saved
    dx = np.zeros(n)
    dx[: len(dy)] = dy
    return dx


def test_an_option_of_the_signature_or_bound_to_it():
    x = normal(7)
    for forward in (windows, partial(windows, stride=1)):
        pair = forward, windows_backward
        hidden(pair, x, says="stride=1: code that ignores", tries="try stride=2")
    assert seen((partial(windows, stride=2), windows_backward), x)


def test_an_option_in_a_dictionary():
    def forward(x, parameters):
        return windows(x, parameters["stride"])

    hidden((forward, windows_backward), normal(7), {"stride": 1}, says="stride=1")
    assert seen((forward, windows_backward), normal(7), {"stride": 2})


def test_an_option_of_a_layer():
    class Every(nn.Layer):
        def __init__(self, stride):
            self.stride = stride

        def forward(self, x, training=True):
            y, saved = windows(x, self.stride)
            return y, lambda dy: windows_backward(dy, saved)

    hidden(Every(1), normal(7), says="stride=1")
    assert seen(Every(2), normal(7))


def pool(x, kernel_size=2):
    n, c, h, w = x.shape
    x = x[:, :, : h // 2 * 2, : w // 2 * 2].reshape(n, c, h // 2, 2, w // 2, 2)
    return x.mean(axis=(3, 5)), (h, w)


def pool_backward(dy, size):
    dx = (dy / 4).repeat(2, axis=2).repeat(2, axis=3)
    pad = [(0, 0), (0, 0), *((0, n - m) for n, m in zip(size, dx.shape[2:], strict=True))]
    return np.pad(dx, pad, mode="edge")  # the rest has no gradient


def test_windows_that_leave_no_rest():
    hidden(
        (pool, pool_backward), normal((2, 3, 4, 6)), says="the windows leave no rest",
        tries="try x (2, 3, 5, 7)",
    )  # fmt: skip
    assert seen((pool, pool_backward), normal((2, 3, 5, 7)))


def test_a_sum_of_batch_norm_says_to_weigh_it():
    def forward(x):
        y, saved = ops.batch_norm(x, np.ones(3), np.zeros(3))
        return y.sum(), (saved, y.shape)

    def backward(dy, saved):
        return 0 * dy * np.ones(saved[1])

    hidden((forward, backward), normal((4, 3, 5, 2)), says="(y * r).sum()")


def test_parameters_of_a_layer_are_told_as_well():
    block = nn.SEBlock(8, 2, rng=np.random.default_rng(0), dtype=np.float64)
    hidden(block, normal((2, 8, 4, 3)), says="fc1.bias, fc2.bias are 0 everywhere")


def test_a_report_tells_three_lines_and_counts_the_rest():
    pair = (ops.conv2d, ops.conv2d_backward)
    report = hidden(pair, normal((1, 1, 5, 5)), np.ones((1, 1, 3, 3)), says="w is 1 everywhere")
    assert len(report.unseen) == 4
    lines = str(report).splitlines()
    assert sum(line.startswith("  unseen: ") for line in lines) == 3
    assert lines[-1] == "  … and 1 more in report.unseen"
