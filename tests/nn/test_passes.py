"""Both passes by a plan: the numbers of the ordinary way, to the last bit."""

import copy

import numpy as np
import pytest
from numba import config
from planned import CHANGES_OF_LAYERS, DEEP, LAYERS, OPTIONS, another_array

from minise import backend, models, nn, ops, train
from minise.kernels.numba import memory
from minise.nn import plan
from minise.nn.passes import Passes

with_compiler = pytest.mark.skipif(config.DISABLE_JIT, reason="nothing is compiled: no plans")
NET, N = "se-resnet8", 18
NETS = [name for name in models.names() if models.image_shape(name)[0] == 1]
NETS = [name for name in NETS if not name.endswith(DEEP)]


def images(shape=(N, 1, 28, 28), seed=0, dtype=np.float32):
    x = np.random.default_rng(seed).standard_normal(shape).astype(dtype)
    return backend.current().place(x)


def gradient(y, seed=0):
    dy = np.empty_like(y)
    dy[...] = np.random.default_rng(seed).standard_normal(y.shape)
    return dy


def numbers(net, forward, x, seed=0):
    """All that comes of a step with a batch, and is changed by it; then the parameters move."""
    y, backward = forward(x, training=True)
    y = y.copy()
    dx = backward(gradient(y, seed)).copy()
    grads = [parameter.grad.copy() for parameter in net.parameters()]
    for parameter in net.parameters():
        parameter.value -= 0.01 * parameter.grad
    return [y, dx, *grads, *net.state_dict().values()]  # grads are not cleared: they are added to


def assert_equal(found, expected):
    for a, b in zip(found, expected, strict=True):
        np.testing.assert_array_equal(a, b, strict=True)


def check(net, x, *, planned=True, steps=5):
    """The same bits as the ordinary way, step by step; and from the second on by a plan."""
    twin = copy.deepcopy(net)
    passes = Passes(net)
    for seed in range(steps):
        x = images(x.shape, seed, x.dtype)
        assert_equal(numbers(net, passes.forward, x, seed), numbers(twin, twin.forward, x, seed))
        assert (passes._plan is not None) == (planned and seed > 0 and not config.DISABLE_JIT)
    return passes


@pytest.mark.parametrize("name", NETS)
def test_every_net_gives_the_same_bits_by_its_plan(name):
    check(models.create(name, num_classes=5), images((N, 1, 28, 28)), steps=3)


@pytest.mark.parametrize("size", [1, 7, 8, 15, 16])
def test_so_does_a_batch_of_every_form(size):
    """Convolutions of few images go by planes."""
    check(models.create(NET), images((size, 1, 14, 14)), steps=4)


def test_a_weight_of_0_hides_no_step():
    """Its gradients were 0 in the trial, whatever the tape had left out."""
    net = models.create(NET)
    net.fc.weight.value[:] = 0
    check(net, images((8, 1, 14, 14)))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(
    "options",
    OPTIONS,
    ids=str,
)
def test_so_does_a_net_with_each_option(options, dtype):
    check(models.create(NET, dtype=dtype, **options), images(dtype=dtype), steps=3)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("kind", LAYERS)
def test_so_does_every_layer(kind, dtype):
    layer = LAYERS[kind]()
    for _, entry in layer.named_state():
        entry.value = entry.value.astype(dtype)
        if isinstance(entry, nn.Parameter):
            entry.grad = entry.grad.astype(dtype)
    check(layer, images((N, 4, 9, 9), dtype=dtype), planned=not kind.startswith("drop"))


def test_a_batch_of_another_size_goes_the_ordinary_way():
    net = models.create(NET)
    twin, passes = copy.deepcopy(net), Passes(net)
    for seed, size in enumerate([20, 20, 7, 20, 1, 20, 7, 7, 20]):
        x = images((size, 1, 12, 12), seed)
        assert_equal(numbers(net, passes.forward, x, seed), numbers(twin, twin.forward, x, seed))


@with_compiler
def test_batches_that_come_once_make_no_plan():
    net = models.create(NET)
    passes = Passes(net)
    for size in (20, 21, 22):
        numbers(net, passes.forward, images((size, 1, 12, 12)))
        assert passes._plan is None


def test_batches_in_another_order_in_memory():
    net = models.create("se-cnn")
    passes = check(net, images())
    twin = copy.deepcopy(net)
    x = np.ascontiguousarray(images(seed=7))
    assert_equal(numbers(net, passes.forward, x), numbers(twin, twin.forward, x))


def test_what_draws_numbers_draws_them_once():
    """A pass to make a plan would move the generator on."""
    results = []
    for planned in (False, True):
        rng = np.random.default_rng(3)
        net = nn.Sequential(
            nn.Conv2d(1, 4, 3, rng=rng), nn.Dropout(rng=rng), nn.Flatten(), nn.Linear(4 * 36, 3)
        )
        forward = Passes(net).forward if planned else net.forward
        results.append([numbers(net, forward, images((N, 1, 8, 8), seed)) for seed in range(4)])
    for found, expected in zip(*results, strict=True):
        assert_equal(found, expected)


def a_gradient_of_its_own(net):
    net.fc.weight.grad = net.fc.weight.grad * 2


CHANGES = CHANGES_OF_LAYERS | {
    "a parameter that gets no gradient": lambda net: setattr(
        net.fc.weight, "accumulate", lambda gradient: None
    ),
    "a value in place": lambda net: net.bn.weight.value.fill(0.5),
    "a gradient in place": lambda net: net.fc.weight.grad.fill(3),
    "a state loaded": lambda net: net.load_state_dict(models.create(NET, seed=7).state_dict()),
    "another array": another_array,
    "another gradient": a_gradient_of_its_own,
    "another layer": lambda net: setattr(net, "fc", nn.Linear(64, 7, rng=np.random.default_rng(3))),
    "another option": lambda net: setattr(net.block1.conv2, "padding", (2, 2)) or setattr(
        net.block1.conv1, "padding", (0, 0)
    ),
    "another momentum": lambda net: setattr(net.block2.bn1, "momentum", 0.5),
}  # fmt: skip


@pytest.mark.parametrize("change", CHANGES)
def test_a_net_that_changes_is_noticed_at_once(change):
    net = models.create(NET)
    passes = check(net, images())
    twin = copy.deepcopy(net)
    CHANGES[change](net)
    CHANGES[change](twin)
    for seed in range(4):
        x = images(seed=seed)
        assert_equal(numbers(net, passes.forward, x, seed), numbers(twin, twin.forward, x, seed))


def test_layers_in_another_order_are_noticed():
    net = nn.Sequential(first=nn.Tanh(), last=nn.Sigmoid())
    passes = check(net, images())
    first = net.first
    del net.first
    net.first = first
    for seed in range(3):
        x = images(seed=seed)
        assert_equal(numbers(net, passes.forward, x), numbers(net, net.forward, x))


def test_a_weight_that_cannot_be_written_to():
    net = models.create("se-cnn")
    net.conv1.weight.value.flags.writeable = False
    passes, twin = Passes(net), copy.deepcopy(net)
    for seed in range(4):
        found, expected = (
            [y, backward(gradient(y)), *layer.state_dict().values()]
            for layer, (y, backward) in (
                (net, passes.forward(images(seed=seed))),
                (twin, twin.forward(images(seed=seed))),
            )
        )
        assert_equal(found, expected)


def test_a_method_put_into_a_class_before_is_called_each_time(monkeypatch):
    calls, forward = [], nn.ReLU.forward

    def spy(self, x, training=True):
        calls.append(training)
        return forward(self, x, training)

    monkeypatch.setattr(nn.ReLU, "forward", spy)
    net = models.create("se-cnn3")
    passes = Passes(net)
    for _ in range(4):
        numbers(net, passes.forward, images())
    relus = sum(isinstance(layer, nn.ReLU) for _, layer in net.named_layers())
    assert len(calls) == 4 * relus


@with_compiler
def test_a_net_with_many_parameters_has_no_plan(monkeypatch):
    net = models.create("se-cnn")
    size = sum(entry.value.nbytes for _, entry in net.named_state())
    monkeypatch.setattr(plan, "MOST_STATE", size - 1)
    check(net, images(), planned=False)


def test_in_evaluation_it_is_the_net_itself():
    net = models.create(NET)
    passes, before = check(net, images()), net.state_dict()
    np.testing.assert_array_equal(passes.forward(images(), training=False)[0], net(images()))
    assert_equal(net.state_dict().values(), before.values())


WRONG = {
    "shape": lambda dy: dy[:, 0],
    "a row": lambda dy: dy[:1],
    "whole": lambda dy: dy.astype(int),
    "double": lambda dy: dy.astype(float),
    "complex": lambda dy: dy.astype(complex),
}


@pytest.mark.parametrize("wrong", WRONG)
def test_a_wrong_dy_is_refused_and_forgotten(wrong):
    for planned in (False, True):
        net = models.create("se-cnn")
        passes = check(net, images(), steps=2) if planned else Passes(net)
        y, backward = passes.forward(images())
        with pytest.raises((TypeError, ValueError), match="dy"):
            backward(WRONG[wrong](gradient(y)))
        net.zero_grad()
        for _ in range(2):
            numbers(net, passes.forward, images())


@with_compiler
def test_a_gradient_that_is_replaced_between_the_passes_is_told():
    net = models.create(NET)
    passes = check(net, images())
    y, backward = passes.forward(images())
    net.fc.weight.grad = np.zeros_like(net.fc.weight.grad)
    with pytest.raises(RuntimeError, match="replaced"):
        backward(gradient(y))


@with_compiler
def test_a_forward_pass_that_was_interrupted_overwrote_the_one_before(monkeypatch):
    net = models.create("se-cnn")
    passes = check(net, images())
    y, backward = passes.forward(images())

    def interrupted():
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(passes._plan, "_play_forward", interrupted)
        with pytest.raises(KeyboardInterrupt):
            passes.forward(images())
    with pytest.raises(RuntimeError, match="overwritten"):
        backward(gradient(y))
    numbers(net, passes.forward, images())


def test_a_layer_of_ones_own_just_runs():
    calls = []

    class Loud(nn.ReLU):
        def forward(self, x, training=True):
            calls.append(training)
            return super().forward(x, training)

    net = models.create("se-cnn")
    net.relu2 = Loud()
    passes = Passes(net)
    for _ in range(4):
        numbers(net, passes.forward, images())
    assert calls == [True] * 4


def test_the_backend_in_use_is_used():
    net = models.create("se-cnn")
    passes = check(net, images())
    twin = copy.deepcopy(net)
    with backend.using("numpy"):
        x = np.ascontiguousarray(images())
        assert_equal(numbers(net, passes.forward, x), numbers(twin, twin.forward, x))
    assert_equal(numbers(net, passes.forward, images()), numbers(twin, twin.forward, images()))


@with_compiler
def test_a_backward_pass_that_comes_too_late_is_told():
    net = models.create("se-cnn")
    passes = check(net, images())
    y, early = passes.forward(images())
    _, late = passes.forward(images())
    with pytest.raises(RuntimeError, match="overwritten"):
        early(gradient(y))
    late(gradient(y))
    with pytest.raises(RuntimeError, match="overwritten"):
        late(gradient(y))


@with_compiler
def test_noise_leaves_nothing_behind_even_after_an_error(monkeypatch):
    net = models.create("se-cnn")
    passes = Passes(net)
    numbers(net, passes.forward, images())
    before = [*net.state_dict().values(), *(p.grad.copy() for p in net.parameters())]

    def fail(self):
        raise MemoryError

    monkeypatch.setattr("minise.kernels.numba.tape.Tape.spoil", fail)
    with pytest.raises(MemoryError):
        passes.forward(images())
    after = [*net.state_dict().values(), *(p.grad for p in net.parameters())]
    assert_equal(after, before)


def test_nothing_is_a_fault_of_noise():
    net = models.create("se-cnn")
    net.conv1.weight.value[:] = 3e38
    passes = Passes(net)
    x = np.zeros((N, 1, 28, 28), np.float32)
    with np.errstate(all="raise"):
        for _ in range(3):
            _, backward = passes.forward(x)
            backward(np.zeros((N, 10), np.float32))


@with_compiler
def test_a_plan_takes_no_more_memory_than_the_ordinary_way(monkeypatch):
    net, x = models.create(NET), images((64, 1, 28, 28))
    memory.release()
    numbers(net, net.forward, x)
    ordinary = memory.pool.idle_bytes  # all that it had at once lies idle now
    passes, taken, new_block = Passes(net), [], memory._aligned
    monkeypatch.setattr(memory, "_aligned", lambda size: taken.append(size) or new_block(size))
    for _ in range(2):
        numbers(net, passes.forward, x)
    assert sum(taken) < 0.2 * ordinary  # nor from the system, not even while it is made
    of_plan = sum(block.nbytes for block in passes._plan.tape.pool._blocks.values())
    assert of_plan < 1.05 * ordinary
    # and what the ordinary way had has gone over to it
    assert memory.pool.idle_bytes < 0.2 * ordinary


@with_compiler
def test_a_training_is_the_same_with_and_without(stripes, monkeypatch):
    ends = []
    for planned in (True, False):
        if not planned:
            monkeypatch.setattr("minise.kernels.numba.tape.maker", lambda: None)
        rng = np.random.default_rng(1)
        net = nn.Sequential(
            nn.Conv2d(1, 8, 3, padding=1, rng=rng),
            nn.BatchNormReLU2d(8),
            nn.SEBlock(8, 2, rng=rng),
            nn.Flatten(),
            nn.Linear(8 * 64, 3, rng=rng),
        )
        optimizer = train.SGD(net.parameters(), 0.05, momentum=0.9)
        rng = np.random.default_rng(0)
        history = train.fit(net, stripes, optimizer, epochs=3, batch_size=20, rng=rng)
        ends.append([*net.state_dict().values(), *(np.array(e[1:5]) for e in history)])
    assert_equal(*ends)


def test_the_scores_hold_until_the_next_batch():
    """The loop counts right answers after the backward pass."""
    net = models.create("se-cnn")
    passes = check(net, images())
    y, backward = passes.forward(images(seed=3))
    before = y.copy()
    _, saved = ops.softmax_cross_entropy(y, np.arange(N) % 10)
    backward(ops.softmax_cross_entropy_backward(1.0, saved))
    np.testing.assert_array_equal(y, before)
