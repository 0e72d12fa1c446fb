"""Code of PyTorch in the forms that people have it in, against the real package."""

import numpy as np
import pytest

from minise import InputError, gradcheck
from minise.gradcheck.forms.foreign import package_of


@pytest.fixture(scope="module")
def torch():
    return pytest.importorskip("torch", reason="PyTorch is not installed")


@pytest.fixture
def rng():
    return np.random.default_rng(3)


@pytest.fixture
def x(rng):
    return rng.standard_normal((5, 4))


@pytest.fixture
def w(rng):
    return rng.standard_normal((3, 4))


def function(torch, forward, backward, name="Mine"):
    methods = {"forward": staticmethod(forward), "backward": staticmethod(backward)}
    return type(name, (torch.autograd.Function,), methods)


def linear(torch, backward):
    def forward(ctx, x, w):
        ctx.save_for_backward(x, w)
        return x @ w.T

    return function(torch, forward, lambda ctx, dy: backward(dy, *ctx.saved_tensors), "Linear")


def said(report):
    """On one line, as no terminal is wide enough."""
    return " ".join(str(report).split())


def test_a_function_is_checked_and_what_is_wrong_with_it_told(torch, x, w):
    right = gradcheck.check(linear(torch, lambda dy, x, w: (dy @ w, dy.T @ x)), x, w)
    assert right.passed
    assert right.subject == "Linear"
    assert [gradient.name for gradient in right.gradients] == ["x", "w"]
    wrong = gradcheck.check(linear(torch, lambda dy, x, w: (dy @ w, dy.T @ x / 5)), x, w)
    assert wrong["x"].passed
    assert "w: off by the constant factor 0.2 = 1/(N) = 1/5" in said(wrong)


def test_a_function_with_setup_context(torch, x, w):
    class Linear(torch.autograd.Function):
        @staticmethod
        def forward(x, w):
            return x @ w.T

        @staticmethod
        def setup_context(ctx, inputs, output):
            ctx.save_for_backward(*inputs)

        @staticmethod
        def backward(ctx, dy):
            x, w = ctx.saved_tensors
            return dy @ w, -dy.T @ x

    report = gradcheck.check(Linear, x, w)
    assert [gradient.name for gradient in report.gradients] == ["x", "w"]
    assert report["x"].passed
    assert "w: the sign is wrong" in said(report)


def test_several_outputs_of_which_one_has_no_gradient(torch, x):
    def forward(ctx, x, k):
        best = x.max(dim=1)
        ctx.save_for_backward(best.indices)
        ctx.mark_non_differentiable(best.indices)
        return best.values, best.indices, k * x

    def backward(factor):
        def backward(ctx, dbest, dindices, dscaled):
            (indices,) = ctx.saved_tensors
            dx = 3 * dscaled
            dx[torch.arange(len(dx)), indices] += factor * dbest
            return dx, None

        return backward

    assert gradcheck.check(function(torch, forward, backward(1)), x, 3).passed
    assert not gradcheck.check(function(torch, forward, backward(2)), x, 3).passed


def test_none_is_a_gradient_of_zero(torch, x, w):
    report = gradcheck.check(linear(torch, lambda dy, x, w: (dy @ w, None)), x, w)
    assert report["x"].passed
    assert "w: backward gives 0 everywhere" in said(report)


def test_of_tensors_those_are_differentiated_that_ask_for_it(torch, x, w):
    given = torch.from_numpy(x).float().requires_grad_(), torch.from_numpy(w).float()
    report = gradcheck.check(linear(torch, lambda dy, x, w: (dy @ w, None)), *given)
    assert report.passed
    assert [gradient.name for gradient in report.gradients] == ["x"]
    assert given[0].grad is None
    none_asks = gradcheck.check(lambda x, w: x @ w.T, *(tensor.detach() for tensor in given))
    assert [gradient.name for gradient in none_asks.gradients] == ["x", "w"]


def in_place(what):
    def forward(ctx, x):
        y = x.exp()
        if what == "x":
            x.mul_(2)
        ctx.y = y  # PyTorch would see it itself if it were saved as it should be
        return y

    def backward(ctx, dy):
        y = ctx.y
        if what == "dy":
            return dy.mul_(y)
        return dy * (y.mul_(1.5) / 1.5 if what == "y" else y)

    return forward, backward


@pytest.mark.parametrize(
    ("what", "problem"),
    [
        ("x", "forward changed x, which it was given"),
        ("dy", "backward changed dy, which it was given"),
        ("y", "backward changed y, the output of forward"),
    ],
)
def test_what_a_function_writes_into_is_told(torch, x, what, problem):
    assert gradcheck.check(function(torch, *in_place(None)), x).passed
    report = gradcheck.check(function(torch, *in_place(what)), x)
    assert problem in report.problems


def test_what_is_made_to_write_into_its_input_may(torch, x):
    def double(factor):
        def forward(ctx, x):
            ctx.mark_dirty(x)
            return x.mul_(2)

        return function(torch, forward, lambda ctx, dy: factor * dy)

    assert gradcheck.check(double(2), x).passed
    assert "off by the constant factor 1.5" in said(gradcheck.check(double(3), x))
    assert gradcheck.check(torch.nn.ReLU(inplace=True), x).passed


@pytest.mark.parametrize(
    ("backward", "problem"),
    [
        (lambda dy: dy.clamp(min=0), "the gradient of x is not linear in dy"),
        (lambda dy: torch_ones(dy), "the gradient of x does not depend on dy"),
        (lambda dy: dy.view(-1).view(dy.shape), "fails where arrays are in Fortran order"),
    ],
)
def test_a_backward_that_takes_dy_for_something_else(torch, x, backward, problem):
    identity = function(torch, lambda ctx, x: x.clone(), lambda ctx, dy: backward(dy))
    assert problem in "\n".join(gradcheck.check(identity, x).problems)


def torch_ones(dy):
    return dy.new_ones(dy.shape)


def test_a_function_that_keeps_on_its_class_what_backward_needs(torch, x):
    class Tanh(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            Tanh.y = x.tanh()
            return Tanh.y.clone()

        @staticmethod
        def backward(ctx, dy):
            return dy * (1 - Tanh.y**2)

    assert any("used twice in a net" in line for line in gradcheck.check(Tanh, x).problems)


def test_a_mask_that_backward_draws_anew_is_not_the_one_of_forward(torch, x):
    def dropped(ctx, x):
        return x * (torch.rand(x.shape) > 0.5)

    anew = function(torch, dropped, dropped)
    assert not gradcheck.check(anew, x).passed


def net(torch):
    torch.manual_seed(1)
    return torch.nn.Sequential(
        torch.nn.Linear(4, 3, bias=False),
        torch.nn.BatchNorm1d(3),
        torch.nn.Tanh(),
        torch.nn.Dropout(0.3),
        torch.nn.Linear(3, 2),
    )


@pytest.mark.parametrize("training", [True, False])
def test_a_module_with_averages_and_dropout(torch, x, training):
    module = net(torch)
    before = {name: value.clone() for name, value in module.state_dict().items()}
    numbers = torch.get_rng_state()
    report = gradcheck.check(module, x, training=training)
    assert report.passed, report
    assert [gradient.name for gradient in report.gradients] == [
        "input", "0.weight", "1.weight", "1.bias", "4.weight", "4.bias",
    ]  # fmt: skip
    assert (report["4.weight"].analytic == 0).any() is np.False_
    torch.testing.assert_close(module.state_dict(), before, rtol=0, atol=0)
    assert torch.equal(torch.get_rng_state(), numbers)
    assert module.training
    assert all(p.dtype == torch.float32 and p.grad is None for p in module.parameters())


def test_a_module_is_in_the_mode_that_is_asked_for(torch, x):
    dropout = torch.nn.Dropout(0.5)
    assert (gradcheck.check(dropout, x)["input"].analytic == 0).any()
    assert (gradcheck.check(dropout, x, training=False)["input"].analytic != 0).all()


def test_a_module_with_a_loss_behind_it(torch, x):
    labels = np.array([0, 1, 1, 0, 1])
    loss = torch.nn.functional.cross_entropy
    report = gradcheck.check(net(torch), x, labels, loss=loss)
    assert report.passed
    assert report["4.bias"].analytic.sum() == pytest.approx(0)
    with pytest.raises(InputError, match="loss= is for layers"):
        gradcheck.check(torch.tanh, torch.from_numpy(x), loss=loss)


def test_a_module_of_integers_has_its_parameters_differentiated(torch):
    report = gradcheck.check(torch.nn.Embedding(5, 2, sparse=True), np.array([1, 4, 1]))
    assert report.passed
    assert [gradient.name for gradient in report.gradients] == ["weight"]


def test_a_recurrent_module_has_several_outputs(torch, x):
    report = gradcheck.check(torch.nn.GRU(4, 2), x[:2])
    assert report.passed
    assert report.problems == ()
    assert len(report.gradients) == 5


def test_parameters_that_are_frozen_are_not_differentiated(torch, x):
    module = torch.nn.Linear(4, 2)
    module.weight.requires_grad_(False)
    names = [gradient.name for gradient in gradcheck.check(module, x).gradients]
    assert names == ["input", "bias"]


def module_of(torch, forward, **attributes):
    module = type("Mine", (torch.nn.Module,), {"forward": forward})()
    for name, value in attributes.items():
        setattr(module, name, value)
    return module


def test_parameters_in_a_list_are_not_found(torch, x):
    module = module_of(
        torch, lambda self, x: self.layers[0](x) @ self.mix, layers=[torch.nn.Linear(4, 3)],
        mix=torch.ones(3, 3),
    )  # fmt: skip
    (problem,) = gradcheck.check(module, x).problems
    assert problem.startswith("layers holds parameters that the layer does not find")


def test_a_module_that_keeps_on_itself_what_its_function_needs(torch, x):
    def forward(self, x):
        self.x = x
        return function(torch, lambda ctx, x: x**2, lambda ctx, dy: 2 * dy * self.x).apply(x)

    report = gradcheck.check(module_of(torch, forward), x)
    assert any("used twice in a net" in line for line in report.problems)
    used = module_of(torch, forward)
    used(torch.from_numpy(x).requires_grad_() * 2)
    with pytest.raises(InputError, match=r"cannot be copied.*before a forward"):
        gradcheck.check(used, x)


def test_an_evaluation_that_moves_an_average_is_told(torch, x):
    def forward(self, x):
        self.average += x.detach().mean(0)
        return x * 2

    mine = module_of(torch, forward)
    mine.register_buffer("average", torch.zeros(4))
    assert gradcheck.check(mine, x).passed
    report = gradcheck.check(mine, x, training=False)
    assert report.problems == ("forward changed average of the layer",)


def test_each_run_begins_with_the_averages_that_were_given(torch, x):
    def forward(self, x):
        self.steps += 1
        return x * float(self.steps)

    module = module_of(torch, forward)
    module.register_buffer("steps", torch.zeros(()))
    report = gradcheck.check(module, x)
    assert report.passed
    assert report["x"].numeric.tolist() == pytest.approx(report["x"].analytic.reshape(-1).tolist())
    assert module.steps == 0


def test_a_function_of_tensors_as_it_is(torch, x, w):
    def mixed(x, w, power=2):
        return {"y": torch.tanh(x) @ w.T, "others": (x.sum(), w**power)}

    assert gradcheck.check(mixed, x, w).passed  # arrays, since it names torch
    assert gradcheck.check(lambda x: x.exp(), torch.from_numpy(x)).passed
    detached = gradcheck.check(lambda x: x.exp() * x.detach(), torch.from_numpy(x))
    assert not detached.passed


@pytest.mark.parametrize("as_tensors", [True, False])
def test_a_pair_written_by_hand_with_tensors(torch, x, w, as_tensors):
    def forward(x, w):
        y = torch.tanh(x @ w.T)
        return y, {"x": x, "w": w, "y": y}

    def backward(factor):
        def backward(dy, saved):
            dz = dy * (1 - torch.square(saved["y"]))
            return dz @ saved["w"], factor * dz.T @ saved["x"]

        return backward

    given = [torch.from_numpy(array) if as_tensors else array for array in (x, w)]
    assert gradcheck.check((forward, backward(1)), *given).passed
    wrong = gradcheck.check((forward, backward(2)), *given)
    assert "w: off by the constant factor 2" in said(wrong)


def test_a_function_by_its_apply(torch, x):
    tanh = function(torch, lambda ctx, x: x.tanh(), lambda ctx, dy: dy)
    assert gradcheck.check(tanh.apply, x).subject == "Mine"


def test_a_dictionary_of_parameters(torch, x, w):
    def apply(params, x):
        return torch.tanh(x @ params["w"].T + params["b"][0])

    report = gradcheck.check(apply, {"w": w, "b": [w[:, 0]]}, x)
    assert report.passed
    names = [gradient.name for gradient in report.gradients]
    assert names == ["params['w']", "params['b'][0]", "x"]


def test_without_a_gradient_it_is_another_function(torch, x):
    report = gradcheck.check(lambda x: x * (2 if x.requires_grad else 3), torch.from_numpy(x))
    (problem,) = report.problems
    assert problem.startswith("forward gives another output where no gradient is asked for")


def test_a_backward_by_hand_is_not_passed_over_for_that_of_autograd(torch, x):
    methods = {"__call__": lambda self, x: torch.tanh(x), "backward": lambda self, dy: 7 * dy}
    by_hand = type("Tanh", (), methods)()
    assert package_of(by_hand, (torch.from_numpy(x),)) is None
    assert package_of(by_hand.__call__, (x,)) is None


def test_a_backward_that_a_module_has_for_itself_is_said_not_to_be_checked(torch, x):
    module = module_of(torch, lambda self, x: 2 * x)
    assert gradcheck.check(module, x).said == ()
    type(module).backward = lambda self, dy: 7 * dy
    assert "autograd does not call the backward of Mine" in said(gradcheck.check(module, x))


def test_names_may_be_given_and_what_code_of_pytorch_tells_itself_may_not(torch, x, w):
    given = torch.from_numpy(x), torch.from_numpy(w)
    report = gradcheck.check(torch.nn.functional.linear, *given, names=("x", "w"))
    assert [gradient.name for gradient in report.gradients] == ["x", "w"]
    report = gradcheck.check(torch.nn.Linear(4, 2), given[0], names=("x",))
    assert [gradient.name for gradient in report.gradients] == ["x", "weight", "bias"]
    with pytest.raises(InputError, match="returns= and outputs= are for a backward by hand"):
        gradcheck.check(torch.tanh, given[0], outputs=1)


def test_a_class_of_modules_is_made_where_it_needs_no_arguments(torch, x):
    assert gradcheck.check(torch.nn.Tanh, x).subject == "Tanh"
    with pytest.raises(InputError, match="Linear is a class that needs arguments"):
        gradcheck.check(torch.nn.Linear, x)


@pytest.mark.parametrize(
    ("backward", "message"),
    [
        (
            lambda dy, x, w: (dy @ w, x.T @ dy),
            r"Linear: .* invalid gradient at index 1 - got \[4, 3",
        ),
        (lambda dy, x, w: dy @ w, r"Linear: .* incorrect number of gradients \(expected 2, got 1"),
    ],
)
def test_gradients_that_pytorch_does_not_take(torch, x, w, backward, message):
    with pytest.raises(InputError, match=message):
        gradcheck.check(linear(torch, backward), x, w)


def test_what_it_cannot_be_asked(torch, x):
    given = torch.from_numpy(x)
    with pytest.raises(InputError, match="complex steps are not for code of PyTorch"):
        gradcheck.check(torch.tanh, given, method="complex")
    with pytest.raises(InputError, match="returned no tensor of floating point"):
        gradcheck.check(lambda x: x.argmax(), given)
    with pytest.raises(InputError, match="was given no float array to differentiate"):
        gradcheck.check(torch.nn.Tanh(), np.arange(3))
