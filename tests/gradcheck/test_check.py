from functools import partial

import numpy as np
import pytest

from minise import InputError, gradcheck, models, nn, ops
from minise.gradcheck import Verdict
from minise.nn.layer import chain

F64 = {"dtype": np.float64}


@pytest.fixture
def rng():
    return np.random.default_rng(3)


@pytest.fixture
def x(rng):
    return rng.standard_normal((2, 4, 3, 3))


@pytest.fixture
def s(rng):
    return rng.standard_normal((2, 4))


def verdicts(report, name="x"):
    return set(report[name].verdicts)


def test_a_right_backward_passes_and_tells_its_worst_entries(x, s):
    report = gradcheck.check((ops.channel_scale, ops.channel_scale_backward), x, s)
    assert report.passed
    assert [(g.name, len(g.entries)) for g in report.gradients] == [("x", 72), ("s", 8)]
    assert "channel_scale: passed" in str(report)


def test_what_is_linear_is_exact_at_a_step_of_its_own_size(x, s):
    report = gradcheck.check((ops.channel_scale, ops.channel_scale_backward), x, s)
    assert [gradient.step for gradient in report.gradients] == [1, 1]
    assert report.relative_error < 1e-13


def test_a_mistake_in_one_entry_is_found_and_named(x, s):
    def wrong(dy, saved):
        dx, ds = ops.channel_scale_backward(dy, saved)
        dx[1, 2, 0, 1] *= 1.001
        return dx, ds

    report = gradcheck.check((ops.channel_scale, wrong), x, s)
    assert not report.passed
    assert report["x"].worst_index == (1, 2, 0, 1)
    assert report["x"].relative_error == pytest.approx(1e-3, rel=0.01)
    assert [v.value for v in report["x"].verdicts].count("wrong") == 1
    assert report["s"].passed
    assert "channel_scale: FAILED" in str(report)


def test_the_cotangent_is_not_all_ones(x, s):
    """A cotangent of ones cannot tell dy from 1 / dy: a random one has to."""

    def wrong(dy, saved):
        return ops.channel_scale_backward(1 / dy, saved)

    assert not gradcheck.check((ops.channel_scale, wrong), x, s).passed


def test_the_cotangent_is_not_the_input_of_whoever_seeds_with_0():
    def transposed(dy, saved):
        dx, dw, _ = ops.linear_backward(dy, saved)
        return dx, dw.T  # right if x is dy, since xᵀ · x is symmetric

    rng = np.random.default_rng(0)
    x, w = rng.standard_normal((4, 6)), rng.standard_normal((6, 6))
    assert not gradcheck.check((ops.linear, transposed), x, w).passed


def test_relu_at_0_is_at_a_kink_and_not_wrong():
    x = np.array([-1.0, 0.0, 2.0, 0.0])
    report = gradcheck.check((ops.relu, ops.relu_backward), x)
    assert report.passed
    assert report["x"].verdicts == (Verdict.RIGHT, Verdict.KINK) * 2
    assert "2 right, 2 at a kink" in str(report)
    kink = report["x"].kinks[0]
    assert kink.k == 1
    assert 0 in (kink.below, kink.above)
    assert kink.below != kink.above


def test_a_kink_near_by_is_stepped_around():
    x = np.array([-1.0, 1e-6, 2.0, -1e-6])
    report = gradcheck.check((ops.relu, ops.relu_backward), x)
    assert verdicts(report) == {Verdict.RIGHT}


def test_a_slope_outside_of_those_on_both_sides_of_a_kink_is_wrong():
    def steeper(dy, saved):
        return dy * np.where(saved.y > 0, 1.0, np.where(saved.y == 0, 1.5, 0.0))

    x = np.array([0.0, 1.0, 2.0])
    assert verdicts(gradcheck.check((ops.relu, steeper), x)) == {Verdict.RIGHT, Verdict.WRONG}


def test_a_tie_belongs_to_one_pixel_alone():
    x = np.array([[[[2.0, 2.0], [1.0, 0.0]]]])
    pair = (ops.global_max_pool, ops.global_max_pool_backward)
    report = gradcheck.check(pair, x)
    assert report.passed
    assert verdicts(report) == {Verdict.RIGHT, Verdict.KINK}

    def to_both(dy, saved):
        return (saved.x == saved.x.max()) * dy[:, :, None, None]

    report = gradcheck.check((ops.global_max_pool, to_both), x)
    assert not report.passed
    assert "tie given more than once" in " ".join(str(report).split())


def zeros_here_and_there(rng):
    """Images with a black border, and zeros inside."""
    images = np.zeros((3, 1, 9, 8))
    images[:, :, 2:7, 2:6] = rng.standard_normal((3, 1, 5, 4)).clip(0)
    return images


@pytest.mark.parametrize(
    "seed", [0, *(pytest.param(n, marks=pytest.mark.slow) for n in range(1, 5))]
)
def test_many_kinks_at_once_are_no_mistake(seed):
    """Zeros before relus, ties before poolings, and both before a loss of one number."""
    rng = np.random.default_rng(seed)
    images, conv = zeros_here_and_there(rng), nn.Conv2d(1, 4, 3, padding=1, rng=rng, **F64)
    gradcheck.assert_gradients(nn.Sequential(conv, nn.ReLU()), images)
    net = nn.Sequential(
        conv, nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(64, 3, rng=rng, **F64)
    )
    loss = (ops.softmax_cross_entropy, ops.softmax_cross_entropy_backward)
    gradcheck.assert_gradients(net, images, rng.integers(0, 3, 3), loss=loss, sample=40)
    ties = rng.integers(0, 3, (2, 2, 6, 6)).astype(float)
    for stride in (1, 3):
        pool = partial(ops.max_pool2d, kernel_size=3, stride=stride)
        gradcheck.assert_gradients((pool, ops.max_pool2d_backward), ties, rng=rng)


def test_a_mistake_among_many_kinks_is_found():
    rng = np.random.default_rng(0)
    images = zeros_here_and_there(rng)

    class Wrong(nn.ReLU):
        def forward(self, x, training=True):
            y, backward = super().forward(x, training)
            return y, lambda dy: 1.01 * backward(dy)

    conv = nn.Conv2d(1, 4, 3, padding=1, rng=rng, **F64)
    assert not gradcheck.check(nn.Sequential(conv, Wrong()), images).passed
    # nothing but kinks: the mistake shows beside them
    assert not gradcheck.check(nn.Sequential(conv, Wrong()), 0 * images).passed


def test_a_direction_over_many_kinks_finds_what_the_sample_missed(rng):
    x = np.zeros(3000)
    x[::2] = rng.uniform(1, 2, 1500)

    def wrong(dy, saved):
        dx = ops.relu_backward(dy, saved)
        dx[:100] *= 1.5
        return dx

    right = gradcheck.check((ops.relu, ops.relu_backward), x, sample=1)
    assert right.passed
    assert right["x"].overall is Verdict.KINK
    assert not gradcheck.check((ops.relu, wrong), x, sample=1).passed


def test_a_layer_may_count_with_whole_numbers(rng):
    class Counting(nn.Layer):
        def __init__(self):
            self.turn = nn.Buffer(np.array(1))

        def forward(self, x, training=True):
            factor = [2.0, 3.0][self.turn.value]
            return factor * x, lambda dy: factor * dy

    gradcheck.assert_gradients(Counting(), rng.standard_normal((2, 3)))


@pytest.mark.parametrize(
    ("forward", "backward", "x"),
    [
        (np.log, lambda dy, x: dy / x, [1e9, 1.0, 2.0]),
        (np.sqrt, lambda dy, x: dy / (2 * np.sqrt(x)), [1e5, 1e-5, 1.0]),
        (lambda x: 1 / x, lambda dy, x: -dy / x**2, [1e5, 1e-5, 1.0]),
        (lambda x: x**3, lambda dy, x: 3 * x**2 * dy, [1e6, 1.0, 2.0]),
        (lambda x: x**2, lambda dy, x: 2 * x * dy, [1e-170, 3e-170]),
        (np.tanh, lambda dy, x: dy / np.cosh(x) ** 2, [30.0, -30.0, 0.1]),
        (lambda x: 3.0 * x, lambda dy, x: 3.0 * dy, 0.5),
    ],
)
def test_entries_of_all_sizes_are_judged_by_steps_of_their_own(forward, backward, x):
    report = gradcheck.check((lambda x: (forward(x), x), backward), np.array(x))
    assert report.passed
    if np.max(x) < 30:  # where tanh is flat there is nothing to see
        assert Verdict.WRONG not in verdicts(report)


def test_a_mistake_in_a_small_entry_beside_a_large_one_is_found():
    x = np.array([1e6, 1.0, 2.0])

    def wrong(dy, x):
        return 3 * x**2 * dy * np.where(x > 10, 1, -7)

    report = gradcheck.check((lambda x: (x**3, x), wrong), x)
    assert report["x"].verdicts == (Verdict.RIGHT, Verdict.WRONG, Verdict.WRONG)
    assert report.relative_error == pytest.approx(8 / 7)


def test_masked_scores_are_no_obstacle(rng):
    def softmax(x):
        p = np.exp(x - x.max(axis=1, keepdims=True))
        p /= p.sum(axis=1, keepdims=True)
        return p, p

    def backward(dy, p):
        return p * (dy - (dy * p).sum(axis=1, keepdims=True))

    x = rng.standard_normal((3, 6))
    x[:, 4:] = -1e9
    gradcheck.assert_gradients((softmax, backward), x)


def test_a_layer_used_twice_in_a_net_passes(rng):
    class Tied(nn.Layer):
        def __init__(self):
            self.a = nn.Linear(4, 4, rng=rng, **F64)
            self.again = self.a

        def forward(self, x, training=True):
            return chain([self.a, nn.Tanh(), self.again], x, training)

    gradcheck.assert_gradients(Tied(), rng.standard_normal((3, 4)))


def test_backward_may_give_a_list_and_labels_stay_as_they_were(x):
    def forward(x, labels):
        labels -= 1
        return x * labels, x

    labels = np.arange(3)
    gradcheck.assert_gradients((forward, lambda dy, x: [dy * (np.arange(3) - 1)]), x, labels)
    np.testing.assert_array_equal(labels, np.arange(3))


def test_a_layer_may_have_a_parameter_called_x(rng):
    class Shift(nn.Layer):
        def __init__(self):
            self.x = nn.Parameter(np.array(0.3))

        def forward(self, x, training=True):
            def backward(dy):
                self.x.grad += dy.sum()
                return dy

            return x + self.x.value, backward

    report = gradcheck.check(Shift(), rng.standard_normal((2, 3)))
    assert report.passed
    assert [gradient.name for gradient in report.gradients] == ["input", "x"]


def test_a_gradient_of_rounding_alone_that_moves_nothing_is_not_wrong(rng):
    """As of a bias before a softmax: what is added to all scores cancels, in y to the last bit."""

    def forward(x, b):
        return 2 * x, None

    def backward(dy, _):
        return 2 * dy, 3e-17 * dy[0, :1]

    report = gradcheck.check((forward, backward), rng.standard_normal((3, 4)), np.ones(1))
    assert report.passed
    assert report["b"].verdicts == (Verdict.TOO_SMALL,)
    wrong = (forward, lambda dy, _: (2 * dy, 1e-12 * dy[0, :1]))
    assert not gradcheck.check(wrong, rng.standard_normal((3, 4)), np.ones(1)).passed


def test_a_gradient_that_drowns_in_rounding_is_too_small_to_judge(rng):
    """A bias before batch normalisation moves nothing; what differences see of it is rounding."""

    def forward(x, b):
        y, saved = ops.batch_norm(x + b[:, None, None], np.ones(3), np.zeros(3))
        return y, saved

    def backward(dy, saved):
        dx = ops.batch_norm_backward(dy, saved)[0]
        return dx, dx.sum(axis=(0, 2, 3))

    report = gradcheck.check((forward, backward), rng.standard_normal((4, 3, 3, 2)), np.ones(3))
    assert report.passed
    assert verdicts(report, "b") == {Verdict.TOO_SMALL}


@pytest.mark.parametrize(
    ("step", "verdict"), [(0.1, Verdict.TOO_COARSE), (1e-13, Verdict.TOO_FINE)]
)
def test_a_step_that_is_not_right_is_told_from_a_wrong_gradient(x, step, verdict):
    report = gradcheck.check((ops.tanh, ops.tanh_backward), x, step=step)
    assert report.passed
    assert verdict in verdicts(report)
    assert verdict.value in str(report)
    wrong = (ops.tanh, lambda dy, saved: 1.01 * ops.tanh_backward(dy, saved))
    assert not gradcheck.check(wrong, x, step=step).passed


def test_of_a_large_array_a_sample_and_a_direction_are_compared(x):
    report = gradcheck.check((ops.tanh, ops.tanh_backward), x, sample=10)
    assert len(report["x"].entries) == len(set(report["x"].entries)) == 10
    assert report["x"].overall is Verdict.RIGHT
    assert "10/72" in str(report)
    assert "can miss a single wrong entry" in " ".join(str(report).split())


def test_a_direction_over_everything_finds_what_the_sample_missed(rng):
    x, last = rng.standard_normal(4000), slice(2000, None)

    def wrong(dy, saved):
        dx = ops.tanh_backward(dy, saved)
        dx[last] *= 1.1
        return dx

    report = gradcheck.check((ops.tanh, wrong), x, sample=1)
    assert report["x"].overall is Verdict.WRONG
    assert not report.passed


def test_not_a_number_never_passes(x):
    def wrong(dy, saved):
        return ops.tanh_backward(dy, saved) * np.nan

    report = gradcheck.check((ops.tanh, wrong), x)
    assert not report.passed
    assert np.isnan(report.relative_error)
    assert "NaN" in str(report)


def test_complex_steps_are_exact_to_rounding(x):
    pair = (ops.tanh, ops.tanh_backward)
    exact = gradcheck.check(pair, x, method="complex")
    assert exact.relative_error < 1e-12  # 1 − y² loses some digits where y is near 1
    assert exact.relative_error < gradcheck.check(pair, x).relative_error
    wrong = (ops.tanh, lambda dy, saved: (1 + 1e-8) * ops.tanh_backward(dy, saved))
    assert gradcheck.check(wrong, x).passed
    assert not gradcheck.check(wrong, x, method="complex").passed


@pytest.mark.parametrize(
    ("forward", "message"),
    [
        (lambda x: (x * np.conj(x), x), "is not analytic"),
        (lambda x: (np.abs(x), x), "drops the imaginary part"),
        (lambda x: (np.heaviside(x, 0.5), x), "does not take complex numbers"),
    ],
)
def test_complex_steps_are_refused_where_they_cannot_be_taken(x, forward, message):
    pair = (forward, lambda dy, x: dy)
    with pytest.raises(InputError, match=message):
        gradcheck.check(pair, x, method="complex")


def test_complex_steps_go_through_a_layer_with_averages(x):
    for training in (True, False):
        layer = nn.BatchNorm2d(4, dtype=np.float64)
        report = gradcheck.check(layer, x, method="complex", training=training)
        assert report.passed


def test_a_whole_net_is_checked_with_its_loss(rng):
    net = models.create("se-cnn", dtype=np.float64)
    loss = (ops.softmax_cross_entropy, ops.softmax_cross_entropy_backward)
    images, labels = rng.standard_normal((3, 1, 28, 28)), rng.integers(0, 10, 3)
    report = gradcheck.check(net, images, labels, loss=loss, sample=3)
    assert report.passed
    assert {"x", *dict(net.named_parameters())} == {g.name for g in report.gradients}
    wrong = (loss[0], lambda dy, saved: len(saved.p) * loss[1](dy, saved))
    assert not gradcheck.check(net, images, labels, loss=wrong, sample=3).passed


def test_the_layer_and_the_inputs_stay_as_they_were(x):
    layer = nn.BatchNorm2d(4, dtype=np.float64)
    state, input_before = layer.state_dict(), x.copy()
    gradcheck.assert_gradients(layer, x)
    np.testing.assert_array_equal(x, input_before)
    for name, array in layer.state_dict().items():
        np.testing.assert_array_equal(array, state[name])
    assert not layer.weight.grad.any()


def test_the_same_generator_gives_the_same_report(x):
    reports = [
        str(
            gradcheck.check(
                (ops.tanh, ops.tanh_backward), x, sample=7, rng=np.random.default_rng(k)
            )
        )
        for k in (1, 1, 2)
    ]
    assert reports[0] == reports[1] != reports[2]


def test_assert_gradients_raises_with_the_table(x):
    with pytest.raises(AssertionError, match="relu: FAILED"):
        gradcheck.assert_gradients((ops.relu, lambda dy, saved: 2 * dy), x)


def test_the_table_fits_a_terminal(rng):
    se = partial(nn.SEBlock, reduction=2, rng=rng, **F64)
    block = nn.Residual(2, 4, 2, se=se, rng=rng, **F64)
    report = gradcheck.check(block, rng.standard_normal((3, 2, 5, 4)), sample=20)
    assert max(map(len, str(report).splitlines())) <= 100


def test_a_picture_has_a_row_for_each_gradient(x, s, tmp_path):
    report = gradcheck.check((ops.channel_scale, ops.channel_scale_backward), x, s)
    figure = report.plot(tmp_path / "scale.png")
    assert (tmp_path / "scale.png").read_bytes().startswith(b"\x89PNG")
    pictures = [axes for axes in figure.axes if axes.get_xlabel()]
    assert len(pictures) == 2 * 3


def test_float32_arrays_are_checked_in_float64(x):
    report = gradcheck.check((ops.tanh, ops.tanh_backward), x.astype(np.float32))
    assert report.passed
    assert report["x"].analytic.dtype == np.float64
    assert not report.said
    block = nn.SEBlock(4, 2)
    report = gradcheck.check(block, x)
    assert report.passed
    assert not report.said
    assert block.fc1.weight.value.dtype == np.float32


PAIR = (ops.relu, ops.relu_backward)


@pytest.mark.parametrize(
    ("subject", "inputs", "options", "message"),
    [
        (PAIR, [np.arange(3)], {}, "relu was given no float array to differentiate: x is int64"),
        (PAIR, [np.ones((0, 3))], {}, "no float array|no entries to differentiate"),
        ((np.tanh, PAIR[1]), [np.ones(3)], {}, "tanh returned ndarray, expected .y, saved"),
        # written in C, whose signature Python does not tell
        ((max, PAIR[1]), [np.ones(3)], {}, "max returned float64, expected .y, saved"),
        (PAIR, [np.ones(3)], {"sample": 2.5}, "sample is 2.5, expected an integer"),
        (PAIR, [np.ones(3), np.ones(3)], {}, "relu takes 1 inputs, got 2"),
        ((ops.relu, lambda dy, saved: (dy, dy)), [np.ones(3)], {}, "2 gradients for 1 inputs: x"),
        (ops.relu, [np.ones(3)], {}, r"returned \(float64 array, .*\): .* or a pair"),
        (nn.ReLU(), [], {}, "one float array x, .*: got nothing"),
        (
            nn.ReLU(),
            [np.ones(3), np.ones(3)],
            {},
            "takes one float array x, and inputs after it only",
        ),
        (PAIR, [np.ones(3)], {"loss": PAIR}, "loss= is for layers"),
        (PAIR, [np.ones(3)], {"step": 0.0}, "step is 0.0, expected more than 0"),
        (PAIR, [np.ones(3)], {"sample": 0}, "sample is 0"),
        (PAIR, [np.ones(3)], {"tolerance": -1e-6}, "tolerance is -1e-06"),
        (PAIR, [np.ones(3)], {"method": "exact"}, "'exact', expected differences or complex"),
    ],
)
def test_what_cannot_be_checked_is_one_clear_error(subject, inputs, options, message):
    with pytest.raises(InputError, match=message):
        gradcheck.check(subject, *inputs, **options)


@pytest.mark.parametrize("names", [["x"], ["shortcut.1.weight"], ["layer3.0.shortcut.0.weight"]])
def test_a_report_fits_80_columns(names):
    """Wider, and a terminal breaks its columns."""

    class Named(nn.Layer):
        def __init__(self):
            for name in names:
                setattr(self, name, nn.Parameter(1e-4 * np.ones((1, 12, 1, 1))))

        def forward(self, x, training=True):
            (parameter,) = self.parameters()
            y, saved = ops.relu(x * parameter.value)

            def backward(dy):
                dz = ops.relu_backward(dy, saved)
                parameter.grad += 1.3 * (dz * x).sum(axis=(0, 2, 3), keepdims=True)
                return dz * parameter.value

            return y, backward

    x = np.random.default_rng(0).standard_normal((12, 12, 12, 12))
    x[x < -0.5] = 0  # at the kink
    report = gradcheck.check(Named(), 1e-4 * x, sample=150)
    assert not report.passed
    assert "at a kink" in str(report)
    assert max(map(len, str(report).splitlines())) <= 80
    for found in report.gradients:  # nothing is left out for it
        at = str(list(found.worst_index))
        numbers = (
            f"{float(found.analytic[found.worst_index]):.4g}",
            f"{found.errors[found.worst]:.1e}",
        )
        assert all(text in str(report) for text in (found.name, at, *numbers))
