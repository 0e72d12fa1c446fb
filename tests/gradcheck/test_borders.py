"""Every number that parts right from wrong, from both sides: with slopes that are known exactly."""

import numpy as np
import pytest

from minise import InputError, gradcheck
from minise.gradcheck import Verdict, compare, habits
from minise.gradcheck.beside import root_mean_square
from minise.gradcheck.causes import cause
from minise.gradcheck.causes.evidence import FEW, Evidence
from minise.gradcheck.complex_steps import complex_slopes
from minise.gradcheck.differences import EPS, LADDER, Ladder, Line, judge, relative_error
from minise.gradcheck.forms import subject_of

BOTH = [(0.9, True), (1.1, False)]


def times(factor):
    """y = x, and a backward that is off by a factor."""
    return (lambda x: (x.copy(), None), lambda dy, _: dy * factor)


@pytest.mark.parametrize(("of_it", "passes"), BOTH)
@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize(
    ("options", "tolerance"),
    [({}, 1e-6), ({"method": "complex"}, 1e-10), ({"tolerance": 1e-3}, 1e-3)],
)
def test_an_entry_is_right_within_the_tolerance(options, tolerance, sign, of_it, passes):
    wrong = times(np.array([1, 1 + sign * of_it * tolerance, 1]))
    report = gradcheck.check(wrong, np.array([1.0, -2.0, 3.0]), **options)
    assert report.passed == passes
    middle = Verdict.RIGHT if passes else Verdict.WRONG
    assert report["x"].verdicts == (Verdict.RIGHT, middle, Verdict.RIGHT)


@pytest.mark.parametrize(("tolerance", "passes"), [(0.5, True), (np.nextafter(0.5, 0), False)])
def test_the_tolerance_itself_is_within(tolerance, passes):
    assert gradcheck.check(times(2.0), np.array([1.0, -1.0]), tolerance=tolerance).passed == passes
    assert judge(line(lambda t: t), 2.0, tolerance).verdict == (
        Verdict.RIGHT if passes else Verdict.WRONG
    )


@pytest.mark.parametrize(
    ("method", "tolerance", "off", "passes"),
    [
        ("differences", None, 1e-7, True),
        ("differences", None, 1e-5, False),
        ("differences", 1e-3, 1e-4, True),
        ("differences", 1e-3, 1e-2, False),
        ("complex", None, 1e-7, True),  # the direction is judged by differences
        ("complex", None, 1e-5, False),
    ],
)
def test_a_direction_over_all_entries_has_the_tolerance_of_differences(
    method, tolerance, off, passes
):
    x = np.arange(1.0, 31.0)
    options = {"sample": 1, "method": method, "tolerance": tolerance}
    factor = np.full(30, 1 + off)
    factor[gradcheck.check(times(1.0), x, **options)["x"].entries] = 1  # what is compared is right
    report = gradcheck.check(times(factor), x, **options)
    assert report["x"].verdicts == (Verdict.RIGHT,)
    assert (report["x"].overall is Verdict.RIGHT) == report.passed == passes


@pytest.mark.parametrize(("size", "overall"), [(7, None), (8, Verdict.RIGHT)])
def test_all_entries_are_compared_up_to_the_sample(size, overall):
    found = gradcheck.check(times(1.0), np.ones(size), sample=7)["x"]
    assert (len(found.entries), found.overall) == (7, overall)


def line(y, entries=1):
    """A line through 0, and y(t) of one number."""
    x = np.zeros(entries)
    return Line(lambda: np.array(y(float(x[0]))), 1.0, x, (0,), 1.0)


def by_steps(*slopes):
    """An odd function that has these slopes at 0, one for each step of the ladder."""

    def y(t):
        return t * slopes[round(-np.log10(abs(t)))] if t else 0.0

    return line(y)


def bent(below, above):
    return lambda t: t * (below if t < 0 else above)


@pytest.mark.parametrize(("of_it", "within"), BOTH)
@pytest.mark.parametrize(("below", "above"), [(0.0, 1.0), (-3.0, 1.0), (-1.0, 3.0), (2.0, 1.0)])
def test_at_a_kink_a_slope_may_be_a_little_outside_of_both(below, above, of_it, within):
    """By a ten-thousandth of the steeper of the two."""
    slack = of_it * 1e-4 * max(abs(below), abs(above))
    for slope in (min(below, above) - slack, max(below, above) + slack):
        found = judge(line(lambda t: [bent(below, above)(t), t, t]), slope + 2, 1e-6)
        slack_of_sum = of_it * 1e-4 * max(abs(below + 2), abs(above + 2))
        inside = abs(slope - np.clip(slope, *sorted((below, above)))) <= slack_of_sum / of_it
        assert (found.verdict is Verdict.KINK) == inside
        alone = judge(line(lambda t: [bent(below, above)(t), 0.0]), slope, 1e-6)
        assert alone.verdict == (Verdict.KINK if within else Verdict.WRONG)
        assert not alone.doubtful


@pytest.mark.parametrize("slack", [-1.1e-4, -0.9e-4, 0.0, 0.5, 1.0, 1 + 0.9e-4, 1 + 1.1e-4, 1.1])
def test_a_derivative_of_relu_at_0(slack):
    def forward(x):
        return np.maximum(x, 0), x

    def backward(dy, x):
        return dy * np.where(x == 0, slack, x > 0)

    report = gradcheck.check((forward, backward), np.array([-1.0, 0.0, 2.0]))
    assert report.passed == (-1e-4 <= slack <= 1 + 1e-4)
    assert (report["x"].verdicts[1] is Verdict.WRONG) != report.passed


@pytest.mark.parametrize(("power", "kink"), [(1.14, True), (1.16, False)])
def test_slopes_that_stay_apart_are_a_kink(power, kink):
    """From 1e-5 to 1e-7 half of the difference has to stay: 100⁻⁰·¹⁵ = 1/2."""
    assert Ladder.of(line(lambda t: abs(t) ** power)).kink == kink


@pytest.mark.parametrize(("of_it", "kink"), [(0.95, True), (1.05, False)])
def test_a_kink_stands_out_of_the_noise_tenfold(of_it, kink):
    """|t| has the slopes −1 and 1, 2 apart; noise is how much the middle moves, and rounding."""
    moving = line(lambda t: abs(t) + of_it * 0.2 * t * (abs(t) > 1e-6))
    assert Ladder.of(moving).kink == kink
    small = 5 * EPS / LADDER[7] / of_it  # beside an output of 1, which step 1 changes
    assert Ladder.of(line(lambda t: [1.0 + (t > 0.5), small * abs(t)])).kink == kink


@pytest.mark.parametrize(
    ("outputs", "doubtful"),
    [
        (lambda t: max(t, 0.0), True),  # several may meet in one number
        (lambda t: [max(t, 0.0)], True),
        (lambda t: [max(t, 0.0), t], False),
        (lambda t: [max(t, 0.0), 2 * max(-t, 0.0)], True),
        (lambda t: [max(t, 0.0), bent(1, 1 + 0.95e-3)(t)], False),
        (lambda t: [max(t, 0.0), bent(1, 1 + 1.05e-3)(t)], True),
        (lambda t: [max(t, 0.0), bent(1 + 0.95e-3, 1)(t)], False),
        (lambda t: [max(t, 0.0), bent(1 + 1.05e-3, 1)(t)], True),
    ],
)
def test_where_several_kinks_meet_a_wrong_slope_is_in_doubt(outputs, doubtful):
    found = judge(line(outputs), 5.0, 1e-6)
    assert (found.verdict, found.doubtful) == (Verdict.WRONG, doubtful)
    assert not judge(line(outputs), 1.0, 1e-6).doubtful  # in reach


@pytest.mark.parametrize(("of_it", "verdict"), [(0.95, Verdict.TOO_SMALL), (1.05, Verdict.WRONG)])
def test_a_slope_is_judged_where_it_is_off_by_three_times_the_doubt(of_it, verdict):
    for sign in (1, -1):
        slope = 1 + sign * of_it * 3 * 0.01
        assert judge(by_steps(*[1, 1.01] * 5), slope, 1e-6).verdict is verdict  # it moves so much
        two_agree = by_steps(1, 1, 1.01, *[1, 1.01] * 3)  # by chance
        assert judge(two_agree, slope, 1e-6).verdict is verdict
        # an output of 1 that step 1 changes: best is a step of 0.1, where rounding is ten times EPS
        rounded = line(lambda t: [1.0 + (t > 0.5), 1e-17 * t])
        off = sign * of_it * 3 * EPS / 0.1
        assert judge(rounded, 1e-17 + off, 1e-6).verdict is verdict


@pytest.mark.parametrize(
    ("asked", "verdict"),
    [
        (None, Verdict.RIGHT),
        (1e-3, Verdict.TOO_COARSE),
        (1e-4, Verdict.TOO_FINE),
        (1e-5, Verdict.TOO_FINE),
    ],
)
def test_a_step_is_compared_with_the_best(asked, verdict):
    best_at_4 = by_steps(9, 8, 7, 6, 1, 1, 1, 5, 4)
    assert Ladder.of(best_at_4).best == 4
    assert judge(best_at_4, 1.0, 1e-6, asked).verdict is verdict


def test_the_ladder_halves_no_step_and_goes_down_to_where_rounding_begins():
    np.testing.assert_allclose(LADDER, [10.0**-k for k in range(9)], rtol=1e-14)


@pytest.mark.parametrize(
    ("own", "count", "scale", "again"),
    [
        (1.0, 2, 1 / 0.101, False),
        (1.0, 2, 1 / 0.099, True),
        (1.0, 98, 1 / np.sqrt(98), False),  # own is 9.9 times the scale
        (1.0, 103, 1 / np.sqrt(103), True),  # 10.1 times
    ],
)
def test_an_entry_of_another_size_gets_steps_of_its_own(own, count, scale, again):
    """The slope is 3 where the first entry moves by a power of ten of its own size, else 2."""
    x = np.zeros(count)
    x[0], x[1] = own, np.sqrt(max(0.0, count * scale**2 - own**2))

    def forward(x):
        moved = x[0] - own
        rung = np.log10(abs(moved) / own) if moved else 0.0
        y = 2 * x
        y[0] = 2 * own + moved * (3 if abs(rung - round(rung)) < 1e-4 else 2)
        return y, None

    def backward(dy, _):
        dx = 2 * dy
        dx[0] *= 1.5
        return dx

    found = gradcheck.check((forward, backward), x)["x"]
    assert found.verdicts[0] is (Verdict.RIGHT if again else Verdict.WRONG)
    said = found.analytic[0]
    assert found.numeric[0] == pytest.approx(said if again else said / 1.5, rel=1e-6)
    assert gradcheck.check((forward, backward), x, step=1.0)["x"].verdicts[0] is Verdict.WRONG


def test_beside_a_kink_is_a_thousandth_off():
    x = 5.0 * np.random.default_rng(0).standard_normal(4000)
    subject = subject_of(times(1.0), (x,), True, None)
    way = compare.Way("differences", 1e-6, None, 200)
    beside = compare.Comparison(subject, np.ones(4000), way, np.random.default_rng(1)).beside
    assert len(beside.points) == 12
    for point in beside.points:
        off = (point["x"] - x) / np.sqrt(np.mean(x**2))
        assert np.sqrt(np.mean(off**2)) == pytest.approx(1e-3, rel=0.06)  # 5 of its deviations


def test_errors_are_told_relative_to_no_less_than_a_thousandth_of_the_largest():
    slopes = np.array([1.0, 1e-6])
    wrong = (lambda x: (slopes * x, None), lambda dy, _: slopes * dy * [1, 1 + 5e-7])
    found = gradcheck.check(wrong, np.ones(2))["x"]
    said, numeric = np.abs(found.analytic), np.abs(found.numeric)
    assert found.passed
    floor = 1e-3 * numeric.max()
    assert numeric[1] < floor
    np.testing.assert_allclose(found.errors[1], (said - numeric)[1] / floor, rtol=1e-5)


@pytest.mark.parametrize(
    ("a", "n", "floor", "error"),
    [(2, 1, 0, 0.5), (1, 2, 0, 0.5), (-1, 2, 0, 1.5), (0, 0, 0, 0), (1, 2, 4, 0.25), (0, 3, 1, 1)],
)
def test_an_error_is_relative_to_the_larger(a, n, floor, error):
    assert relative_error(a, n, floor) == error


def complex_off_by(e):
    """y = x, whose complex step says 1 + e."""
    return lambda x: (x.real + 1j * (1 + e) * x.imag if np.iscomplexobj(x) else x.copy(), None)


@pytest.mark.parametrize(("of_it", "agree"), BOTH)
def test_complex_steps_have_to_agree_with_differences_roughly(of_it, agree):
    e = of_it * 1e-4
    pair = (complex_off_by(e), lambda dy, _: dy * (1 + e))
    x = np.array([1.0, 2.0])
    if agree:
        assert gradcheck.check(pair, x, method="complex").passed
        says_differences = (pair[0], lambda dy, _: dy)
        assert not gradcheck.check(says_differences, x, method="complex").passed
    else:
        with pytest.raises(InputError, match="is not analytic"):
            gradcheck.check(pair, x, method="complex")


@pytest.mark.parametrize(("of_it", "agree"), BOTH)
def test_complex_steps_may_differ_by_the_doubt_of_differences(of_it, agree):
    subject = subject_of((complex_off_by(of_it * 0.01), np.copy), (np.array([1.0]),), True, None)
    whole = Line(None, 1.0, subject.variables["x"], ..., np.ones(1))
    one = np.ones(1)
    ladder = Ladder(one, one, one, 0.01 * one, 0.0, (one, one))  # of a slope of 1 ± 0.01
    arguments = (subject, np.ones(1), "x", np.arange(1), 1.0, whole, ladder)
    if agree:
        assert complex_slopes(*arguments) == pytest.approx(1 + of_it * 0.01)
    else:
        with pytest.raises(InputError, match="is not analytic"):
            complex_slopes(*arguments)


@pytest.mark.parametrize(
    ("b", "largest", "apart", "close"),
    [
        (0.0, 4.0, 3.9e-9, True),
        (0.0, 4.0, 4.1e-9, False),
        (1.0, 1.0, 1.9e-9, True),  # a billionth of itself, and one of the largest
        (1.0, 1.0, 2.1e-9, False),
        (np.nan, 1.0, 0.0, True),
    ],
)
def test_the_same_sum_in_another_order_is_close(b, largest, apart, close):
    asked = habits.Asked(None, None, None)
    assert asked.alike(np.array([b + apart]), np.array([b]), largest) == close
    assert not asked.alike(np.array([b, b]), np.array([b]), largest)  # another shape


@pytest.mark.parametrize(("off", "told"), [(1e-11, False), (1e-7, True)])
def test_habits_are_told_from_rounding(off, told):
    """A small gradient beside a large one: `off` is relative to the large one."""
    calls = []

    def backward(dy, _):
        calls.append(1)
        return dy * [1, 0] + off * (len(calls) % 2) * np.sign(dy) * [0, 1]

    def not_linear(dy, _):
        return dy * [1, 1e-3] + off * dy**2 * [0, 1]

    def by_order(dy, _):
        return dy * [[1, 1e-3]] + off * dy.flags.f_contiguous * dy[::-1] * [[0, 1]]

    x = np.array([1.0, 2.0])
    forward = times(1.0)[0]
    for wrong, inputs, problem in [
        (backward, x, "different gradient of x when called a second time"),
        (not_linear, x, "not linear in dy"),
        (by_order, np.ones((3, 2)), "different gradient of x where arrays are in Fortran order"),
    ]:
        report = gradcheck.check((forward, wrong), inputs, tolerance=10.0)
        assert (problem in "\n".join(report.problems)) == told, problem


def guess(said, numeric, shape=None, dy=None, variables=None):
    said, numeric = np.array(said, float), np.array(numeric, float)
    wrong = np.ones(said.size, bool)
    variables = variables or {"x": np.ones(shape or said.shape)}
    return cause(
        Evidence(
            "x", variables, np.zeros(99) if dy is None else dy, said.reshape(shape or said.shape),
            np.arange(said.size), numeric.reshape(-1), wrong,
        )
    )  # fmt: skip


@pytest.mark.parametrize(("of_it", "fits"), BOTH)
def test_a_cause_fits_within_a_hundred_thousandth_of_the_largest(of_it, fits):
    e = of_it * 1e-5
    # the best factor lies between: three quarters of e are left at the last entry
    assert (guess([2, 2, 2, 2 + 2 * e / 0.75], [1, 1, 1, 1]) is not None) == fits
    assert ("sign" in (guess([-1, -5 * (1 + e), -2], [1, 5, 2]) or "")) == fits
    numbers = np.array([1.0, 3.0, -2.0, 5.0])
    assert ("1/(N)" in guess(numbers / 4 * (1 + e), numbers, dy=np.zeros((4, 99)))) == fits
    told = guess(numbers * (1 + e), numbers) or ""
    assert ("factor" not in told) == fits  # none that can be seen


def test_few_entries_prove_no_pattern():
    assert FEW == 4
    four = guess([1, 2, 3, 4], [1, 3, 2, 4], (2, 2))
    assert four == "transposed: right with axes 0 and 1 swapped"
    assert guess([1, 2, 5], [5, 2, 1]) is None
    assert "reversed along axis 0" in guess([1, 2, 5, 7], [7, 5, 2, 1])
    assert "shifted by one" in guess([9, 1, 7, 5, 3], [1, 7, 5, 3, 8])
    assert guess([9, 1, 7, 5], [1, 7, 5, 8]) is None


@pytest.mark.parametrize(
    ("verdicts", "others", "passed"),
    [
        ((Verdict.RIGHT, Verdict.KINK, Verdict.TOO_SMALL), {}, True),
        ((Verdict.TOO_COARSE, Verdict.TOO_FINE), {}, True),
        ((Verdict.RIGHT, Verdict.WRONG), {}, False),
        ((Verdict.RIGHT,), {"overall": Verdict.WRONG}, False),
        ((Verdict.RIGHT,), {"together": Verdict.WRONG}, False),
        ((Verdict.RIGHT,), {"overall": Verdict.KINK, "together": Verdict.TOO_SMALL}, True),
    ],
)
def test_what_is_wrong_fails_and_nothing_else_does(verdicts, others, passed):
    numbers = np.ones(len(verdicts))
    found = gradcheck.Checked(
        name="x", analytic=numbers, entries=np.arange(len(verdicts)), numeric=numbers,
        verdicts=verdicts, errors=0 * numbers, kinks=(), step=1.0,
        **{"overall": None, "together": None} | others, cause=None, curve=np.zeros(9),
    )  # fmt: skip
    assert found.passed == passed
    assert gradcheck.Report("f", (found,), (), 1e-6, "differences").passed == passed
    assert not gradcheck.Report("f", (found,), ("a habit",), 1e-6, "differences").passed


@pytest.mark.parametrize(
    ("numbers", "size"),
    [
        ([3.0, 4.0], np.sqrt(12.5)),
        ([0.0, 0.0], 1),
        ([2.0, np.inf, np.nan], 2),
        ([1e300] * 2, 1e300),
    ],
)
def test_the_size_of_an_array_is_its_root_mean_square(numbers, size):
    assert root_mean_square(np.array(numbers)) == pytest.approx(size)


@pytest.mark.parametrize("seed", [0, 4])
def test_a_loss_of_clipped_numbers_at_both_borders(seed):
    """All moved together have the same slope on both sides, and so no kink that shows."""
    x = np.random.default_rng(seed).integers(-2, 3, (3, 4)).astype(float)

    def clipped(x):
        return np.clip(x, -1, 1).sum(), x

    for inside in (np.less, np.less_equal):
        pair = (clipped, lambda dy, x, inside=inside: dy * inside(np.abs(x), 1))
        assert gradcheck.check(pair, x).passed
    twice = (clipped, lambda dy, x: dy * np.where(np.abs(x) == 1, 2, np.abs(x) < 1))
    assert not gradcheck.check(twice, x).passed
