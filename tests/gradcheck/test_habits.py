"""What a forward and a backward must do or leave, beside the right numbers: each fault is told."""

import numpy as np
import pytest

from minise import InputError, gradcheck, nn, ops
from minise.gradcheck.habits import HABITS


@pytest.fixture
def x():
    return np.random.default_rng(3).standard_normal((4, 6))


def problems(subject, *inputs, **options):
    report = gradcheck.check(subject, *inputs, **options)
    assert not report.passed
    assert all(problem in " ".join(str(report).split()) for problem in report.problems)
    return "\n".join(report.problems)


def test_a_forward_that_writes_into_its_input(x):
    def relu_in_place(x):
        x[x < 0] = 0
        return x, x > 0

    assert "forward changed x" in problems((relu_in_place, lambda dy, on: dy * on), x)


def test_a_backward_that_writes_into_dy(x):
    def in_place(dy, saved):
        dy *= saved.y > 0
        return dy

    assert "backward changed dy" in problems((ops.relu, in_place), x)


def test_a_backward_that_spoils_what_was_saved(x):
    def spoil(dy, saved):
        dx = ops.tanh_backward(dy, saved)
        saved.y[...] = 0
        return dx

    assert "a different gradient of x when called a second time" in problems((ops.tanh, spoil), x)


def test_a_backward_that_writes_into_x(x):
    def relu_backward(dy, x):
        x[x > 0], x[x <= 0] = 1, 0  # the same when it is called again
        return dy * x

    assert "backward changed x" in problems((lambda x: (np.maximum(x, 0), x), relu_backward), x)


def test_a_backward_that_writes_into_y(x):
    def relu_backward(dy, y):
        y[y > 0] = 1
        return dy * y

    def relu(x):
        y = np.maximum(x, 0)
        return y, y

    assert "backward changed y" in problems((relu, relu_backward), x)


def test_an_output_whose_memory_the_next_forward_uses(x):
    memory = np.empty_like(x)

    def twice(x):
        return np.multiply(x, 2, out=memory if x.flags.c_contiguous else None), None

    assert "changed the output of the first" in problems((twice, lambda dy, _: 2 * dy), x)


def test_a_gradient_whose_memory_the_next_backward_uses(x):
    memory = np.empty_like(x)

    def backward(dy, saved):
        return np.multiply(dy, 2, out=memory)

    assert "another backward changed the gradient of x" in problems(
        (lambda x: (2 * x, None), backward), x
    )


def test_parameters_in_a_list_which_nobody_finds(x):
    class Listed(nn.Layer):
        def __init__(self):
            self.maps = [nn.Linear(6, 2, dtype=np.float64)]

        def forward(self, x, training=True):
            return self.maps[0].forward(x, training)

    assert "maps holds parameters that the layer does not find" in problems(Listed(), x)


def test_a_random_forward_gets_one_line_that_says_what_to_do(x):
    rng = np.random.default_rng(0)

    def dropout(x):
        mask = 2.0 * (rng.random(x.shape) < 0.5)
        return x * mask, mask

    report = gradcheck.check((dropout, lambda dy, mask: dy * mask), x)
    assert not report.passed
    assert not report.gradients
    (line,) = report.problems
    assert "different outputs for one input" in line
    assert "pass them in (the mask of a dropout, say)" in line


@pytest.mark.effect("gradcheck.check(habits)")
def test_a_habit_may_be_switched_off_by_its_name(x):
    pair = (lambda x: (2 * x, None), lambda dy, _: 2 * dy.ravel("K").reshape(dy.shape))
    report = gradcheck.check(pair, x, habits={"linear in dy": False, "called twice": True})
    assert all("where arrays are" in problem for problem in report.problems)
    assert not report.passed
    assert gradcheck.check(pair, x, habits={"memory orders": False}).passed
    with pytest.raises(InputError, match="unknown habit 'memory order': did you mean 'memory o"):
        gradcheck.check(pair, x, habits={"memory order": False})


@pytest.mark.parametrize("name", HABITS)
def test_each_habit_is_named_where_it_is_described(name):
    assert f'- "{name}": ' in gradcheck.habits.__doc__


def test_a_layer_that_sets_its_gradient_where_it_should_add(x):
    class Overwriting(nn.Linear):
        def forward(self, x, training=True):
            y, backward = super().forward(x, training)

            def overwrite(dy):
                self.zero_grad()
                return backward(dy)

            return y, overwrite

    found = problems(Overwriting(6, 2, dtype=np.float64), x)
    assert "overwrites the grad of weight" in found
    assert "overwrites the grad of bias" in found


def test_a_layer_that_keeps_what_its_backward_needs_on_itself(x):
    class Forgetful(nn.Layer):
        def forward(self, x, training=True):
            self.x = x
            return x**2, lambda dy: 2 * self.x * dy

    assert "used twice in a net" in problems(Forgetful(), x)


class MaskKeeper(nn.Layer):
    """Its mask is that of the last forward."""

    def forward(self, x, training=True):
        self.mask = x > 0
        return x * self.mask, lambda dy: dy * self.mask


def test_a_layer_that_keeps_only_its_mask(x):
    assert "used twice in a net" in problems(MaskKeeper(), x)


def test_a_pooling_that_keeps_only_its_winners(x):
    kept = {}

    def largest(x):
        kept["at"] = x.argmax(axis=1)[:, None]
        return np.take_along_axis(x, kept["at"], 1), x.shape

    def largest_backward(dy, shape):
        dx = np.zeros(shape)
        np.put_along_axis(dx, kept["at"], dy, 1)
        return dx

    assert "used twice in a net" in problems((largest, largest_backward), x)


def test_a_function_that_keeps_what_its_backward_needs_elsewhere(x):
    kept = {}

    def square(x):
        kept["x"] = x
        return x**2, None

    assert "used twice in a net" in problems((square, lambda dy, _: 2 * kept["x"] * dy), x)


def test_a_layer_whose_forward_changes_its_parameters(x):
    class Drifting(nn.Linear):
        def forward(self, x, training=True):
            self.weight.value = self.weight.value * 1.01
            return super().forward(x, training)

    assert "forward changed weight of the layer" in problems(Drifting(6, 2, dtype=np.float64), x)


def test_averages_that_move_in_evaluation():
    class Drifting(nn.BatchNorm2d):
        def forward(self, x, training=True):
            result = super().forward(x, training)
            self.running_mean.value = self.running_mean.value + 1
            return result

    x = np.random.default_rng(0).standard_normal((2, 3, 2, 2))
    found = problems(Drifting(3, dtype=np.float64), x, training=False)
    assert "forward changed running_mean" in found


def test_a_gradient_of_another_shape(x):
    pair = (ops.tanh, lambda dy, saved: ops.tanh_backward(dy, saved).reshape(-1))
    assert "gradient of x has the shape (24,), expected (4, 6)" in problems(pair, x)


def test_a_backward_without_dy(x):
    pair = (ops.tanh, lambda dy, saved: 1 - saved.y**2)
    assert "gradient of x does not depend on dy" in problems(pair, x)


def test_a_backward_that_adds_something_to_dy(x):
    pair = (ops.tanh, lambda dy, saved: (dy + 1) * (1 - saved.y**2))
    assert "gradient of x is not 0 where dy is" in problems(pair, x)


def test_a_backward_that_is_not_linear_in_dy(x):
    pair = (ops.tanh, lambda dy, saved: dy * abs(dy) * (1 - saved.y**2))
    assert "gradient of x is not linear in dy" in problems(pair, x)


def test_a_forward_that_reads_memory_as_if_it_were_in_c_order(x):
    def ravelled(x):
        return x.ravel("K")[::-1].reshape(x.shape), None

    found = problems((ravelled, lambda dy, _: dy[::-1, ::-1]), x)
    assert "a different output where arrays are in Fortran order" in found


def test_a_backward_that_reads_memory_as_if_it_were_in_c_order(x):
    found = problems(
        (lambda x: (2 * x, None), lambda dy, _: 2 * dy.ravel("K").reshape(dy.shape)), x
    )
    assert "a different gradient of x where arrays are in Fortran order" in found


def test_a_function_that_fails_on_memory_with_gaps(x):
    def picky(x):
        if not x.flags.c_contiguous:
            raise ValueError("not contiguous")
        return 2 * x, None

    found = problems((picky, lambda dy, _: 2 * dy), x)
    assert "fails where arrays are reversed in memory: " in found
    assert found.count("in picky: ValueError: not contiguous; called with x (4, 6)") == 3


def keeps(forward, backward):
    """A pair whose backward gets what the last forward kept."""
    kept = {}

    def keeping(*inputs):
        y, kept["it"], saved = forward(*inputs)
        return y, saved

    return keeping, lambda dy, saved: backward(dy, kept["it"], saved)


@pytest.mark.parametrize(
    "given", [np.array([[0.5]]), np.abs(np.random.default_rng(3).standard_normal((4, 6)))]
)
def test_a_kept_mask_that_another_order_leaves_as_it_is(given):
    pair = keeps(lambda x: (x * (x > 0), x > 0, x.shape), lambda dy, on, _: dy * on)
    assert "used twice in a net" in problems(pair, given)


def test_a_second_input_that_is_kept(x):
    pair = keeps(lambda x, w: (x @ w, w, x), lambda dy, w, x: (dy @ w.T, x.T @ dy))
    assert "used twice in a net" in problems(pair, x, x[:3].T + 1)


def test_labels_that_are_kept(x):
    def backward(dy, labels, x):
        dx = np.zeros_like(x)
        dx[range(4), labels] = 2 * x[range(4), labels] * dy
        return dx

    def forward(x, labels):
        return x[range(4), labels] ** 2, labels, x

    assert "used twice in a net" in problems(keeps(forward, backward), x, np.array([0, 3, 2, 5]))


def test_a_layer_that_keeps_what_came_first(x):
    class First(nn.Layer):
        def __init__(self):
            self.seen = []

        def forward(self, x, training=True):
            self.seen.append(x)
            return x**2, lambda dy: 2 * self.seen[0] * dy

    assert "of two forwards the second has a wrong gradient of x" in problems(First(), x)


def test_other_signs_are_not_asked_of_what_has_none(x):
    def roots(x):
        if x.mean() < 0:
            raise ValueError("x is negative")
        return np.sqrt(np.abs(x)), x

    x = np.abs(x) + 0.1
    assert gradcheck.check((roots, lambda dy, x: dy / np.sqrt(x) / 2), x, step=1e-4).passed
