import weakref

import numpy as np
import pytest

from minise import InputError, nn
from minise.nn import plan


@pytest.fixture
def net():
    rng = np.random.default_rng(0)
    return nn.Sequential(
        conv=nn.Conv2d(2, 4, 3, padding=1, rng=rng, dtype=np.float64),
        bn=nn.BatchNorm2d(4, dtype=np.float64),
        relu=nn.ReLU(),
        se=nn.SEBlock(4, 2, rng=rng, dtype=np.float64),
        pool=nn.GlobalAvgPool(),
        fc=nn.Linear(4, 3, rng=rng, dtype=np.float64),
    )


@pytest.fixture
def x():
    return np.random.default_rng(1).standard_normal((5, 2, 6, 7))


def test_the_state_has_every_tensor_by_name_in_forward_order(net):
    assert list(net.state_dict()) == [
        "conv.weight",
        "conv.bias",
        "bn.weight",
        "bn.bias",
        "bn.running_mean",
        "bn.running_var",
        "se.fc1.weight",
        "se.fc1.bias",
        "se.fc2.weight",
        "se.fc2.bias",
        "fc.weight",
        "fc.bias",
    ]
    learned = [name for name, _ in net.named_parameters()]
    assert learned == [name for name in net.state_dict() if "running" not in name]


class Watched(nn.Layer):
    """Keeps its input for the backward pass, and notes how many such inputs there are."""

    def __init__(self, kept, most):
        self.kept, self.most = kept, most

    def forward(self, x, training=True):
        self.kept[:] = [one for one in self.kept if one() is not None]
        self.most.append(len(self.kept))
        y = x + 1
        self.kept.append(weakref.ref(y))
        return y, lambda dy: dy * (y == y)


def test_without_a_backward_pass_no_layer_keeps_its_input(x, monkeypatch):
    monkeypatch.setattr(Watched, "__module__", "minise.nn.watched")

    def at_once(run):
        kept, most = [], []
        run(nn.Sequential(*(Watched(kept, most) for _ in range(5))))
        return most

    assert at_once(lambda net: net(x)) == [0, 1, 1, 1, 1]
    assert at_once(lambda net: net.forward(x, training=False)) == [0, 1, 2, 3, 4]


def test_a_layer_of_ones_own_may_run_a_backward_pass_within_its_forward(x):
    class Slope(nn.Layer):
        def forward(self, x, training=True):
            y, backward = nn.Sequential(nn.ReLU()).forward(x, training)
            return backward(np.ones_like(y)), backward

    for net in Slope(), nn.Sequential(Slope()):
        np.testing.assert_array_equal(net(x), x > 0)


def test_a_backward_pass_after_all_says_that_none_was_expected(x):
    token = plan.goes_forward_alone.set(True)
    try:
        y, backward = nn.Sequential(nn.ReLU()).forward(x)
    finally:
        plan.goes_forward_alone.reset(token)
    with pytest.raises(RuntimeError, match="none would follow"):
        backward(y)


def test_the_state_dict_is_a_copy_and_loads_back(net, x):
    state = net.state_dict()
    scores = net(x)
    for parameter in net.parameters():
        parameter.value += 1
    assert not np.array_equal(net(x), scores)
    net.load_state_dict(state)
    np.testing.assert_array_equal(net(x), scores)


def test_a_state_that_does_not_fit_changes_nothing_and_names_everything(net):
    before, state = net.state_dict(), net.state_dict()
    state["conv.weight"] = state["conv.weight"] + 1
    state["fc.bias"] = np.zeros(7)
    state["fc.weight"] = state["fc.weight"].astype(np.int64)
    del state["bn.running_var"]
    state["extra"] = np.zeros(1)
    with pytest.raises(InputError) as error:
        net.load_state_dict(state)
    for part in (
        "missing: bn.running_var",
        "unexpected: extra",
        "of another shape: fc.bias (7,), expected (3,)",
        "not floating point: fc.weight is int64",
    ):
        assert part in str(error.value)
    after = net.state_dict()
    assert all(np.array_equal(before[name], after[name]) for name in before)
    with pytest.raises(InputError, match=r"of another shape: fc\.bias"):
        net.load_state_dict(state, strict=False)
    del state["fc.bias"], state["fc.weight"]
    net.load_state_dict(state, strict=False)
    np.testing.assert_array_equal(net.state_dict()["conv.weight"], state["conv.weight"])


def test_a_layer_used_twice_has_the_sum_of_both_gradients(x):
    """What is cached on a layer between forward and backward would be lost here."""
    layer = nn.Linear(7, 7, dtype=np.float64)
    y, backward = nn.Sequential(layer, nn.Tanh(), layer).forward(x.reshape(-1, 7))
    backward(np.ones_like(y))
    both = layer.weight.grad.copy()
    layer.zero_grad()
    h, first = layer.forward(x.reshape(-1, 7))
    a, tanh = nn.Tanh().forward(h)
    _, second = layer.forward(a)
    da = second(np.ones_like(y))
    by_second = layer.weight.grad.copy()
    first(tanh(da))
    np.testing.assert_allclose(both, layer.weight.grad)
    assert not np.allclose(both, by_second)
    assert len(nn.Sequential(layer, layer).parameters()) == 2


def test_a_layer_without_forward_says_so():
    with pytest.raises(NotImplementedError, match="Layer has no forward"):
        nn.Layer()(np.zeros(1))


def test_a_parameter_shows_its_shape_and_dtype():
    parameter = nn.Parameter(np.zeros((2, 3), np.float32))
    assert repr(parameter) == "Parameter(shape=(2, 3), dtype=float32)"
    assert repr(nn.Buffer(np.ones(2))) == "Buffer(shape=(2,), dtype=float64)"
    assert parameter.grad.shape == (2, 3)


class Doubled(nn.Layer):
    """y = 2x; knows which of the gradients that it gave are held by anybody."""

    def __init__(self):
        self.given = []

    def forward(self, x, training=True):
        def backward(dy):
            dx = 2 * dy
            self.given.append(weakref.ref(dx))
            return dx

        return 2 * x, backward

    @property
    def held(self):
        return [ref() is not None for ref in self.given]


class Looks(Doubled):
    """Notes in its backward whether what `other` gave is still held."""

    def __init__(self, other):
        super().__init__()
        self.other = other

    def forward(self, x, training=True):
        y, backward_of_doubled = super().forward(x, training)

        def backward(dy):
            self.seen = self.other.held
            return backward_of_doubled(dy)

        return y, backward


def test_a_gradient_dies_when_the_next_one_is_there(x):
    """However deep the layers are nested: nobody on the way holds what a layer has used up."""
    last = Doubled()
    inner = nn.Sequential(Looks(last), Doubled())
    net = nn.Sequential(nn.Sequential(inner), last)
    _, backward = net.forward(x)
    for _ in range(2):
        np.testing.assert_array_equal(backward(x), 8 * x)
    assert last.held == [False, False]
    assert getattr(inner, "0").seen == [False, False]
