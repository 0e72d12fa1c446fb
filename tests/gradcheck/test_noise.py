"""Code that computes in float32 somewhere, or has noise of its own: seen, said, judged by it."""

import numpy as np
import pytest

from minise import gradcheck
from minise.gradcheck import Verdict
from minise.gradcheck.noise import NONE, noise_along

SEEDS = range(2)


def bisection(tolerance, bracket):
    """y with y + y³ = x, and its right gradient."""

    def forward(x):
        low, high = bracket(x)
        while (high - low).max() > tolerance:
            middle = (low + high) / 2
            below = middle + middle**3 < x
            low, high = np.where(below, middle, low), np.where(below, high, middle)
        y = (low + high) / 2
        return y, y

    return forward, lambda dy, y: dy / (1 + 3 * y**2)


def fixed(x):
    return np.full_like(x, -10.0), np.full_like(x, 10.0)


def around(x):
    return -np.abs(x) - 1, np.abs(x) + 1


def from_nought(x):
    return np.minimum(x, 0), np.maximum(x, 0)


def single_inside():
    def forward(x):
        y = np.exp(x.astype(np.float32)).astype(np.float64)
        return y, y

    return forward, lambda dy, y: dy * y


def single_throughout():
    def forward(x, w):
        x, w = x.astype(np.float32), w.astype(np.float32)
        y = np.tanh(x @ w)
        return y, (x, w, y)

    def backward(dy, saved):
        x, w, y = saved
        da = (dy * (1 - y**2)).astype(np.float32)
        return da @ w.T, x.T @ da

    return forward, backward


def times(factor, pair):
    def backward(dy, saved):
        found = pair[1](dy, saved)
        return tuple(factor * g for g in found) if isinstance(found, tuple) else factor * found

    return pair[0], backward


NOISY = {
    **{
        f"bisection {bracket.__name__} {tolerance}": (bisection(tolerance, bracket), [(4, 3)])
        for tolerance in (1e-6, 1e-7, 1e-8)
        for bracket in (fixed, around, from_nought)
    },
    "float32 inside": (single_inside(), [(3, 4)]),
    "float32": (single_throughout(), [(3, 4), (4, 5)]),
}


@pytest.mark.parametrize("name", NOISY)
def test_noise_is_no_reason_to_reject_and_three_per_cent_are_seen(name):
    pair, shapes = NOISY[name]
    for seed in SEEDS:
        rng = np.random.default_rng(seed)
        inputs = [rng.standard_normal(shape) for shape in shapes]
        report = gradcheck.check(pair, *inputs)
        assert report.passed, report
        verdicts = [verdict for gradient in report.gradients for verdict in gradient.verdicts]
        assert verdicts.count(Verdict.RIGHT) >= 0.9 * len(verdicts)
        wrong = gradcheck.check(times(1.03 - 0.06 * seed, pair), *inputs)
        assert not any(gradient.passed for gradient in wrong.gradients), wrong


def test_float32_is_said_and_how_well_slopes_are_judged(rng):
    x, w = rng.standard_normal((3, 4)), rng.standard_normal((4, 5))
    (said,) = gradcheck.check(single_throughout(), x, w).said
    assert said.startswith(
        "computes in float32: y, the gradient of x and the gradient of w; slopes are judged to "
        "within "
    )
    assert 1e-7 < float(said.split("within ")[1].split()[0]) < 1e-3
    (said,) = gradcheck.check(single_inside(), x).said
    assert said.startswith("computes in float32: y;")
    (said,) = gradcheck.check(bisection(1e-6, around), x).said
    assert "y has noise of its own, some" in said


def test_what_float32_happens_to_hold_is_not_said_to_be_it(rng):
    x = rng.standard_normal((4, 3))
    (said,) = gradcheck.check(bisection(1e-6, fixed), x).said  # multiples of 10 · 2⁻²⁴
    assert "y has noise of its own, some" in said
    one = (lambda x: (np.float64(np.float32(x.sum())), x), lambda dy, x: dy * np.ones(x.shape))
    assert "computes in float32" not in " ".join(gradcheck.check(one, x).said)


def test_a_float32_backward_alone_is_said(rng):
    def backward(dy, y):
        return (dy * (1 - y**2)).astype(np.float32)

    pair = (lambda x: (np.tanh(x), np.tanh(x)), backward)
    report = gradcheck.check(pair, rng.standard_normal((3, 4)))
    assert report.passed
    assert report.said == ("computes in float32: the gradient of x",)


def normalise(x):
    centred = x - x.mean(axis=0)
    s = 1 / np.sqrt((centred**2).mean(axis=0) + 1e-5)
    return centred * s, s


def sum_of_normalised(x):
    h, s = normalise(x)
    return h.sum(), (h, s)


def sum_of_normalised_backward(dy, saved):
    h, s = saved
    dh = dy * np.ones_like(h)
    return s * (dh - dh.mean(axis=0) - h * (dh * h).mean(axis=0))


@pytest.mark.parametrize("seed", range(20))
def test_a_sum_that_is_nothing_but_rounding(seed):
    """The gradient of Σ batch_norm(x) is 0."""
    x = np.random.default_rng(seed).standard_normal((5, 3))
    report = gradcheck.check((sum_of_normalised, sum_of_normalised_backward), x)
    assert report.passed, report
    without_the_mean = (
        sum_of_normalised,
        lambda dy, saved: sum_of_normalised_backward(dy, saved) + dy * saved[1] / 5,
    )
    assert not gradcheck.check(without_the_mean, x).passed


@pytest.mark.parametrize(
    "smooth",
    [
        np.tanh,
        lambda t: np.sin(1e4 * t),
        lambda t: np.maximum(t, 0) + 3 * np.abs(t - 1e-5) - np.abs(t + 0.3),
        lambda t: np.sqrt(np.abs(t - 1e-3)),
        lambda t: np.exp(8 * t),
        lambda t: 3 * t,
    ],
)
def test_what_is_smooth_or_has_kinks_has_no_noise(smooth):
    found = noise_along(lambda t: np.array([smooth(t), t]), np.array([1.0, 0.5]))
    assert found is NONE or found.size.max() < 1e-14
    assert not NONE


@pytest.mark.parametrize("size", [1e-12, 1e-9, 1e-6, 1e-3])
def test_noise_is_measured(size):
    """Steps, and numbers drawn for each place."""

    def steps(t):
        return np.array([np.round(np.tanh(t) / size) * size, np.tanh(2 * t)])

    found = noise_along(steps, np.array([1.0, -0.5]))
    assert 0.3 * size <= found.size[0] <= 3 * size

    def drawn(t):
        rng = np.random.default_rng(np.array([t + 2]).view(np.uint64))
        return np.tanh([t, 2 * t]) + size * rng.standard_normal(2)

    found = noise_along(drawn, np.array([1.0, -0.5]))
    assert (size <= found.size).all()
    assert (found.size <= 12 * size).all()


def test_errors_alike_add_up():
    """A float32 in what all outputs share."""

    def at(t):
        return np.float64(np.float32(np.tanh(1 + t))) * np.ones(100)

    found = noise_along(at, np.ones(100))
    assert found.in_loss(np.ones(100), True) > 50 * found.size.max()


def test_a_kink_in_float32_is_one():
    def forward(x):
        x = x.astype(np.float32)
        return np.maximum(x, 0) * (1 + x**2), x

    def backward(dy, x):
        return dy * (x > 0) * (1 + 3 * x**2)

    x = np.random.default_rng(0).standard_normal((4, 3))
    x[0, 0] = 0
    report = gradcheck.check((forward, backward), x)
    assert report.passed
    assert report["x"].verdicts[0] is Verdict.KINK
    steep = (forward, lambda dy, x: backward(dy, x) + 5 * dy * (x == 0))
    assert not gradcheck.check(steep, x).passed


@pytest.fixture
def rng():
    return np.random.default_rng(7)


def masked(dtype):
    """Jumps where a mask changes, and is smooth elsewhere."""

    def forward(x):
        return np.where(x > 0, np.exp(x.astype(dtype)).astype(np.float64), x), x

    return forward, lambda dy, x: dy * np.where(x > 0, np.exp(x), 1)


def but_for_the_largest(pair):
    def backward(dy, saved):
        dx = pair[1](dy, saved)
        dx.reshape(-1)[np.abs(dx).argmax()] *= 1.03
        return dx

    return pair[0], backward


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("seed", range(6))
def test_a_jump_somewhere_is_no_noise(dtype, seed):
    x = np.random.default_rng(seed).standard_normal((3, 4))
    report = gradcheck.check(masked(dtype), x)
    assert report.passed, report
    assert "nothing but noise" not in str(report)
    assert list(report["x"].verdicts).count(Verdict.RIGHT) >= 11
    assert not gradcheck.check(but_for_the_largest(masked(dtype)), x).passed


def test_steps_of_many_outputs_near_each_other():
    """The search for a jump lost it between two others."""
    x = np.random.default_rng(2).standard_normal((4, 3))
    assert gradcheck.check(bisection(1e-4, fixed), x).passed


@pytest.mark.parametrize("seed", SEEDS)
def test_an_iteration_that_stops_leaves_its_slope_as_far_off(seed):
    def newton(x):
        y, moves = np.zeros_like(x), np.ones(x.shape, bool)
        while moves.any():
            step = (y + y**3 - x) / (1 + 3 * y**2)
            moves &= np.abs(step) > 1e-4
            y = y - step * moves
        return y, y

    pair = newton, bisection(1e-4, fixed)[1]
    x = np.random.default_rng(seed).standard_normal((4, 3))
    report = gradcheck.check(pair, x)
    assert report.passed, report
    assert not gradcheck.check(but_for_the_largest(pair), x).passed


def test_what_a_float32_sum_does_not_see_at_all():
    def sum_of_squares(x):
        return np.float32(1e5) + (x.astype(np.float32) ** 2).sum(), x

    x = np.array([1.0, -2.0, 0.5, 1e-4])
    report = gradcheck.check((sum_of_squares, lambda dy, x: 2 * x * dy), x)
    assert report.passed, report
    assert report["x"].verdicts[-1] is Verdict.TOO_SMALL
    assert not gradcheck.check((sum_of_squares, lambda dy, x: -2 * x * dy), x).passed


def test_a_float32_sum_that_jumps_where_its_winners_change():
    def two_largest(x):
        return x >= np.sort(x, axis=1)[:, -2:-1]

    pair = (
        lambda x: ((np.sin(x.astype(np.float32)) * two_largest(x)).sum(), x),
        lambda dy, x: dy * np.cos(x) * two_largest(x),
    )
    for seed in range(3):
        x = np.random.default_rng(seed).standard_normal((3, 4))
        assert gradcheck.check(pair, x).passed
        assert not gradcheck.check(but_for_the_largest(pair), x).passed


def test_the_slope_within_a_short_piece():
    """Of a table of a million, read by straight lines; coarse steps see the sine, fine ones it."""
    places = np.linspace(-5, 5, 10**6 + 1)
    table = np.sin(places)

    def slope(dy, x):
        k = np.floor((x + 5) * 1e5).astype(int)
        return dy * (table[k + 1] - table[k]) * 1e5

    x = np.random.default_rng(13).standard_normal((3, 2))
    pair = (lambda x: (np.interp(x, places, table), x)), slope
    assert gradcheck.check(pair, x).passed
    assert not gradcheck.check(but_for_the_largest(pair), x).passed


@pytest.mark.parametrize("seed", [2, 5, 9, 10])
def test_a_sum_that_is_nothing_but_rounding_beside_a_bias(seed):
    """The bias moves the sum, so that no noise is seen; nothing else does."""
    x = np.random.default_rng(seed).standard_normal((5, 3))

    def forward(x, b):
        h, s = normalise(x)
        return (h + b).sum(), (h, s)

    def backward(dy, saved):
        return sum_of_normalised_backward(dy, saved), np.full(3, 5 * dy)

    report = gradcheck.check((forward, backward), x, np.zeros(3))
    assert report.passed, report
    wrong = (forward, lambda dy, saved: (1e-6 * saved[0] * dy, np.full(3, 5 * dy)))
    assert not gradcheck.check(wrong, x, np.zeros(3))["x"].passed


@pytest.mark.parametrize("slope", [0, 0.5, 1])
@pytest.mark.parametrize("seed", range(3))
def test_a_float32_loss_at_kinks(slope, seed):
    """Beside a kink coarse steps meet it, and fine ones only noise."""

    def backward(dy, x):
        return dy * np.where(x == 0, slope, x > 0)

    def forward(x):
        return np.maximum(x.astype(np.float32), 0).sum(), x

    rng = np.random.default_rng(seed)
    x = rng.standard_normal((4, 5))
    x[rng.random(x.shape) < 0.4] = 0
    assert gradcheck.check((forward, backward), x).passed
    for wrong in (2, -1, 100):
        steep = (forward, lambda dy, x, s=wrong: dy * np.where(x == 0, s, x > 0))
        assert not gradcheck.check(steep, x).passed
