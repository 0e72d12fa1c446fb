import numpy as np
import pytest

from minise import InputError, backend, nn


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
    del state["bn.running_var"]
    state["extra"] = np.zeros(1)
    with pytest.raises(InputError) as error:
        net.load_state_dict(state)
    for part in (
        "fc.bias has shape (7,), expected (3,)",
        "bn.running_var is missing",
        "extra is unknown",
    ):
        assert part in str(error.value)
    after = net.state_dict()
    assert all(np.array_equal(before[name], after[name]) for name in before)
    with pytest.raises(InputError, match=r"fc\.bias has shape"):
        net.load_state_dict(state, strict=False)
    del state["fc.bias"]
    net.load_state_dict(state, strict=False)
    np.testing.assert_array_equal(net.state_dict()["conv.weight"], state["conv.weight"])


def test_gradients_are_added_until_they_are_cleared(net, x):
    scores, backward = net.forward(x)
    dy = np.random.default_rng(2).standard_normal(scores.shape)
    dx = backward(dy)
    once = [parameter.grad.copy() for parameter in net.parameters()]
    np.testing.assert_array_equal(backward(dy), dx)
    for parameter, grad in zip(net.parameters(), once, strict=True):
        np.testing.assert_array_equal(parameter.grad, 2 * grad)
    net.zero_grad()
    assert not any(parameter.grad.any() for parameter in net.parameters())


@pytest.mark.usefixtures("each_backend")
def test_forward_changes_neither_input_nor_parameters_nor_in_evaluation_anything(net, x):
    before, x_before = net.state_dict(), x.copy()
    net(x)
    assert all(np.array_equal(before[name], value) for name, value in net.state_dict().items())
    net.forward(x)
    np.testing.assert_array_equal(x, x_before)
    changed = [n for n, value in net.state_dict().items() if not np.array_equal(before[n], value)]
    assert changed == ["bn.running_mean", "bn.running_var"]


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


def test_two_forwards_before_a_backward_do_not_mix(net, x):
    y1, backward1 = net.forward(x)
    dx1 = backward1(np.ones_like(y1))
    net.forward(x + 1)
    np.testing.assert_array_equal(backward1(np.ones_like(y1)), dx1)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.usefixtures("each_backend")
def test_the_dtype_is_kept_all_the_way(dtype, x):
    net = nn.SEResidual(2, 4, 2, reduction=2, dtype=dtype)
    y, backward = net.forward(x.astype(dtype))
    assert y.dtype == dtype
    assert backward(y).dtype == dtype
    assert {p.grad.dtype for p in net.parameters()} == {np.dtype(dtype)}
    assert net(x.astype(dtype)).dtype == dtype


def test_both_backends_give_a_net_the_same_gradients(net, x):
    results = []
    for which in ("numpy", "numba"):
        with backend(which):
            net.zero_grad()
            y, backward = net.forward(x)
            dx = backward(np.cos(y))
            results.append([y, dx, *(p.grad.copy() for p in net.parameters())])
    for a, b in zip(*results, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-10, atol=1e-12)


def test_a_layer_without_forward_says_so():
    with pytest.raises(NotImplementedError, match="Layer has no forward"):
        nn.Layer()(np.zeros(1))
