import numpy as np
import pytest

from minise import InputError, gradcheck, nn, ops


@pytest.fixture
def x():
    return np.random.default_rng(3).standard_normal((2, 4, 3, 3))


@pytest.fixture
def s():
    return np.random.default_rng(4).standard_normal((2, 4))


def test_a_right_backward_passes_and_tells_its_worst_entries(x, s):
    report = gradcheck.check((ops.channel_scale, ops.channel_scale_backward), x, s)
    assert report.passed
    assert [(entry.name, entry.entries) for entry in report.worst] == [("x", 72), ("s", 8)]
    assert report.relative_error < 1e-8
    assert "channel_scale: passed" in str(report)


def test_a_mistake_in_one_entry_is_found_and_named(x, s):
    def wrong(dy, saved):
        dx, ds = ops.channel_scale_backward(dy, saved)
        dx[1, 2, 0, 1] *= 1.001
        return dx, ds

    report = gradcheck.check((ops.channel_scale, wrong), x, s)
    assert not report.passed
    worst = report.worst[0]
    assert (worst.name, worst.index) == ("x", (1, 2, 0, 1))
    assert worst.relative_error == pytest.approx(1e-3, rel=0.01)
    assert worst.analytic == pytest.approx(1.001 * worst.numeric)
    assert report.worst[1].relative_error < 1e-8
    assert "channel_scale: FAILED" in str(report)


def test_the_cotangent_is_not_all_ones(x, s):
    """A cotangent of ones cannot tell dy from 1 / dy: a random one has to."""

    def wrong(dy, saved):
        return ops.channel_scale_backward(1 / dy, saved)

    assert not gradcheck.check((ops.channel_scale, wrong), x, s).passed


def test_not_a_number_never_passes(x):
    def wrong(dy, saved):
        return ops.tanh_backward(dy, saved) * np.nan

    report = gradcheck.check((ops.tanh, wrong), x)
    assert not report.passed
    assert np.isnan(report.relative_error)


def test_a_backward_that_writes_into_what_it_was_given_is_caught(x):
    def in_place(dy, saved):
        dy *= 2
        return dy

    with pytest.raises(ValueError, match="read-only"):
        gradcheck.check((ops.relu, in_place), x)


def test_a_backward_that_spoils_what_was_saved_is_caught(x):
    def spoil(dy, saved):
        dx = ops.tanh_backward(dy, saved)
        saved.y[...] = 0
        return dx

    report = gradcheck.check((ops.tanh, spoil), x)
    assert "called a second time" in report.problems[0]
    assert not report.passed


def test_a_layer_that_sets_its_gradient_where_it_should_add_is_caught(x):
    class Overwriting(nn.Linear):
        def forward(self, x, training=True):
            y, backward = super().forward(x, training)

            def overwrite(dy):
                self.zero_grad()
                return backward(dy)

            return y, overwrite

    layer = Overwriting(9, 2, dtype=np.float64)
    report = gradcheck.check(layer, x.reshape(8, 9))
    assert "weight" in report.problems[0]


def test_a_gradient_of_another_shape_or_dtype_is_caught(x):
    def flat(dy, saved):
        return ops.tanh_backward(dy, saved).reshape(-1)

    def single(dy, saved):
        return ops.tanh_backward(dy, saved).astype(np.float32)

    assert "(72,), expected float64 (2, 4, 3, 3)" in str(gradcheck.check((ops.tanh, flat), x))
    assert "float32 (2, 4, 3, 3)" in str(gradcheck.check((ops.tanh, single), x))


def test_a_gradient_too_few_is_an_error(x, s):
    def half(dy, saved):
        return ops.channel_scale_backward(dy, saved)[0]

    with pytest.raises(InputError, match="gave 1 gradients for 2 inputs: x, s"):
        gradcheck.check((ops.channel_scale, half), x, s)


def test_float32_is_refused_since_differences_need_float64(x):
    with pytest.raises(InputError, match="x of relu is float32"):
        gradcheck.check((ops.relu, ops.relu_backward), x.astype(np.float32))
    with pytest.raises(InputError, match=r"fc1\.weight of SEBlock is float32"):
        gradcheck.check(nn.SEBlock(4, 2), x)


def test_nothing_to_differentiate_is_an_error():
    with pytest.raises(InputError, match="no float array"):
        gradcheck.check((ops.relu, ops.relu_backward), np.arange(3))


def test_the_layer_and_the_inputs_stay_as_they_were(x):
    layer = nn.BatchNorm2d(4, dtype=np.float64)
    state, input_before = layer.state_dict(), x.copy()
    gradcheck.assert_gradients(layer, x)
    np.testing.assert_array_equal(x, input_before)
    for name, array in layer.state_dict().items():
        np.testing.assert_array_equal(array, state[name])
    assert not layer.weight.grad.any()


def test_assert_gradients_raises_with_the_table(x):
    with pytest.raises(AssertionError, match="relu: FAILED"):
        gradcheck.assert_gradients((ops.relu, lambda dy, saved: 2 * dy), x)
