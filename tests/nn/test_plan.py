import copy
import gc
import os
import pickle
import subprocess
import sys
import weakref
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from numba import config
from planned import CHANGES_OF_LAYERS, DEEP, LAYERS, OPTIONS, another_array

import minise
from minise import backend, models, nn, train
from minise.nn import plan

with_compiler = pytest.mark.skipif(config.DISABLE_JIT, reason="nothing is compiled: no plans")
NET, SHAPE = "se-resnet8", (1, 1, 28, 28)
NETS = [name for name in models.names() if not name.endswith(DEEP)]
# These compare, halve or count in sight of no tape.
WITHOUT_A_PLAN = {
    "avg pool": lambda: nn.AvgPool2d(2),
    "avg+max of all": nn.GlobalAvgMaxPool,
    "the larger of both": lambda: nn.ConcurrentSE(4, 2),
}


def images(shape=SHAPE, seed=0, dtype=np.float32):
    return np.random.default_rng(seed).standard_normal(shape).astype(dtype)


def plain(net, x):
    return net.forward(x, training=False)[0]


def is_planned(net, x):
    """Whether `net` follows a plan for x, once it has seen such an image twice."""
    for _ in range(2):
        net(images(x.shape, 9, x.dtype))
    plans = plan._plans.get(net)
    return plans is not None and bool(plans._idle.get((x.shape, x.dtype)))


def check(net, x, *, planned=True):
    """The same bits as without a plan; and that there is one, where there is a compiler."""
    assert is_planned(net, x) == (planned and not config.DISABLE_JIT)
    for seed in range(2):
        x = images(x.shape, seed, x.dtype)
        np.testing.assert_array_equal(net(x), plain(net, x), strict=True)


def shaken(net):
    """Biases and running statistics that are not 0 or 1, as after a training."""
    rng = np.random.default_rng(5)
    for _, entry in net.named_state():
        entry.value += 0.1 * rng.random(entry.value.shape).astype(entry.value.dtype)
    return net


@pytest.mark.parametrize("name", NETS)
def test_every_net_gives_the_same_bits_by_its_plan(name, monkeypatch):
    monkeypatch.setattr(plan, "MOST_BYTES", 2**30)
    monkeypatch.setattr(plan, "MOST_STATE", 2**30)
    channels, *size = models.image_shape(name)
    size = size if channels == 1 else (33, 33)  # of what is made for photos: it takes others too
    net = shaken(models.create(name, num_classes=5))
    # its average pooling divides by what no tape knows
    check(net, images((1, channels, *size)), planned=not name.endswith("bn-inception"))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(
    "options",
    OPTIONS,
    ids=str,
)
def test_so_does_a_net_with_each_option(options, dtype):
    net = shaken(models.create(NET, dtype=dtype, **options))
    check(net, images(dtype=dtype))


def test_what_numpy_computes_has_no_plan():
    net = shaken(models.create("se-cnn", squeeze="avg+max"))
    check(net, images(), planned=False)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("kind", [*LAYERS, *WITHOUT_A_PLAN])
def test_so_does_every_layer(kind, dtype):
    layer = (LAYERS | WITHOUT_A_PLAN)[kind]()
    for _, entry in layer.named_state():
        entry.value = entry.value.astype(dtype)
    check(shaken(layer), images((1, 4, 9, 9), dtype=dtype), planned=kind in LAYERS)


def test_results_are_the_callers_own_and_images_stay():
    net, x = models.create("se-cnn"), images()
    assert is_planned(net, x) or config.DISABLE_JIT
    before, first = x.copy(), net(x)
    kept = first.copy()
    net(images(seed=1))
    np.testing.assert_array_equal(first, kept)
    first[:] = np.nan
    np.testing.assert_array_equal(net(x), kept)
    np.testing.assert_array_equal(x, before)


def test_images_come_in_any_order_in_memory():
    net, x = models.create(NET, in_channels=3), images((1, 3, 20, 20))
    is_planned(net, x)
    expected = plain(net, x)
    fixed = x.copy()
    fixed.flags.writeable = False
    for other in (
        np.asfortranarray(x),
        backend.current().place(x),
        fixed,
        x[:, :, ::-1][:, :, ::-1],
    ):
        np.testing.assert_array_equal(net(other), expected)


def read_only(value):
    value = value.copy()
    value.flags.writeable = False
    return value


@pytest.mark.parametrize(
    "odd", [read_only, np.asfortranarray, lambda value: np.repeat(value, 2, axis=0)[::2]]
)
def test_weights_that_are_copied_for_each_image_have_no_plan(odd):
    for name in ("conv2", "fc"):
        net = models.create("se-cnn")
        weight = getattr(net, name).weight
        weight.value = odd(weight.value)
        check(net, images(), planned=False)


def test_there_may_be_no_channels():
    for layer in (nn.GlobalAvgPool(), nn.ReLU(), nn.GatherExcite(), nn.MaxPool2d(2)):
        check(layer, images((1, 0, 4, 4)))


def sgd_step(net):
    optimizer = train.SGD(net.parameters(), 0.1)
    _, backward = net.forward(images((4, 1, 28, 28)))
    backward(np.ones((4, 10), np.float32))
    optimizer.step()


CHANGES = CHANGES_OF_LAYERS | {
    "a step": sgd_step,
    "a value in place": lambda net: net.bn.weight.value.fill(0.5),
    "statistics in place": lambda net: net.forward(images((4, 1, 28, 28))),
    "a state loaded": lambda net: net.load_state_dict(models.create(NET, seed=7).state_dict()),
    "another array": another_array,
    "an array for statistics": lambda net: setattr(
        net.bn.running_var, "value", net.bn.running_var.value * 3
    ),
    "another layer": lambda net: setattr(net, "fc", nn.Linear(64, 7, rng=np.random.default_rng(3))),
    "another layer within": lambda net: setattr(net.block1.se, "gate", nn.Tanh()),
    "another option": lambda net: setattr(net.conv, "padding", (2, 2)),
    "another eps": lambda net: setattr(net.block2.bn1, "eps", 0.1),
    "a new layer": lambda net: setattr(net, "last", nn.ReLU()),
    "no layer": lambda net: delattr(net, "bn"),
    "its own forward": lambda net: setattr(
        net.fc, "forward", lambda x, training=True: (x[:, :2] * 2, None)
    ),
}  # fmt: skip


@pytest.mark.parametrize("change", CHANGES)
def test_a_net_that_changes_is_noticed_at_once(change):
    net, x = models.create(NET), images()
    is_planned(net, x)
    before = net(x)
    CHANGES[change](net)
    for _ in range(4):
        np.testing.assert_array_equal(net(x), plain(net, x), strict=True)
    assert before.shape != net(x).shape or (before != net(x)).any()


def test_layers_in_another_order_are_noticed():
    net, x = nn.Sequential(first=nn.Tanh(), last=nn.Sigmoid()), images()
    is_planned(net, x)
    before, first = net(x), net.first
    del net.first
    net.first = first
    for _ in range(3):
        np.testing.assert_array_equal(net(x), plain(net, x))
    assert (net(x) != before).any()


def test_an_array_of_one_number_is_told_from_an_equal_one():
    net, x = nn.Sequential(nn.Flatten(), one=nn.Linear(4, 1)), images((1, 1, 2, 2))
    is_planned(net, x)
    net(x)
    net.one.bias.value = net.one.bias.value.copy()
    net(x)
    net.one.bias.value += 1
    np.testing.assert_array_equal(net(x), plain(net, x))


def test_a_forward_put_into_a_class_is_noticed(monkeypatch):
    net, x = models.create("se-cnn"), images()
    is_planned(net, x)
    monkeypatch.setattr(
        nn.MaxPool2d, "forward", lambda self, x, training=True: (x[..., ::2, ::2], None)
    )
    for _ in range(3):
        np.testing.assert_array_equal(net(x), plain(net, x))


def test_so_is_another_method_that_forward_calls(monkeypatch):
    layer, x = nn.SEBlock(4, 2), images((1, 4, 6, 6))
    is_planned(layer, x)
    monkeypatch.setattr(nn.SEBlock, "gates", lambda self, x, training=True: (x[:, :, 0, 0], None))
    for _ in range(3):
        np.testing.assert_array_equal(layer(x), plain(layer, x))


def test_an_array_may_take_the_place_of_an_option():
    net, x = models.create("se-cnn"), images()
    net.note = None
    is_planned(net, x)
    net.note = np.arange(3)
    for _ in range(3):
        np.testing.assert_array_equal(net(x), plain(net, x))


def test_a_method_put_into_a_class_before_is_called_each_time(monkeypatch):
    calls, forward = [], nn.ReLU.forward

    def spy(self, x, training=True):
        calls.append(training)
        return forward(self, x, training)

    monkeypatch.setattr(nn.ReLU, "forward", spy)
    net = nn.Sequential(nn.ReLU(), nn.Tanh())
    for _ in range(4):
        net(images())
    assert len(calls) == 4


@with_compiler
def test_a_net_with_many_parameters_has_no_plan(monkeypatch):
    net = models.create("se-cnn")
    size = sum(entry.value.nbytes for _, entry in net.named_state())
    monkeypatch.setattr(plan, "MOST_STATE", size - 1)
    assert not is_planned(net, images())
    monkeypatch.setattr(plan, "MOST_STATE", size)
    assert is_planned(models.create("se-cnn"), images())


@with_compiler
def test_a_net_that_is_always_another_makes_no_plan():
    net, x = models.create("se-cnn"), images()
    for _ in range(4):
        another_array(net)
        net(x)
        assert not plan._plans[net]._idle


def test_a_layer_of_ones_own_just_runs():
    calls = []

    class Loud(nn.ReLU):
        def forward(self, x, training=True):
            calls.append(training)
            y, backward = super().forward(x, training)
            return 2 * y, backward

    net, x = models.create("se-cnn"), images()
    net.relu2 = Loud()
    for _ in range(4):
        np.testing.assert_array_equal(net(x), plain(net, x))
    assert calls == [False] * 8


def test_a_net_that_is_watched_is_watched_each_time():
    net, seen = models.create("se-cnn"), []

    def observer(name, part, x, training):
        seen.append(name)
        return part.forward(x, training)

    is_planned(net, images())
    watched = nn.observed(net, observer)
    for times in range(1, 6):
        np.testing.assert_array_equal(watched(images()), net(images()))
        assert seen.count("fc") == times


@pytest.mark.parametrize(
    "wrong", [images((1, 3, 28, 28)), images((1, 28, 28)), images()[0].astype(int)[None]]
)
def test_what_does_not_fit_gives_the_same_error(wrong):
    net = models.create(NET)
    is_planned(net, images())
    with pytest.raises((TypeError, ValueError)) as expected:
        plain(net, wrong)
    for _ in range(3):
        with pytest.raises(type(expected.value)) as found:
            net(wrong)
        assert str(found.value) == str(expected.value)


@with_compiler
def test_what_does_not_fit_takes_no_place_of_a_plan():
    net = models.create(NET)
    is_planned(net, images())
    for size in range(plan.MOST_SHAPES):
        with pytest.raises(ValueError, match="channels"):
            net(images((1, 3, 20 + size, 20)))
    assert is_planned(net, images((1, 1, 20, 20)))


def test_threads_of_python_share_a_net():
    net = models.create(NET)
    xs = [images(seed=seed) for seed in range(40)]
    expected = [plain(net, x) for x in xs]
    with ThreadPoolExecutor(8) as pool:
        for _ in range(3):
            for found, wanted in zip(pool.map(net, xs), expected, strict=True):
                np.testing.assert_array_equal(found, wanted)


def test_the_number_of_threads_changes_no_bit():
    net, x, found = models.create(NET), images(), []
    is_planned(net, x)
    for count in (1, min(2, minise.cores.most_threads()), 1):
        minise.set_num_threads(count)
        found += [net(x), net(x)]
    for other in found:
        np.testing.assert_array_equal(other, plain(net, x))


def test_the_backend_in_use_is_used():
    net, x = models.create(NET), images()
    is_planned(net, x)
    with backend.using("numpy"):
        np.testing.assert_array_equal(net(x), plain(net, x))
    np.testing.assert_array_equal(net(x), plain(net, x))


def test_copies_have_plans_of_their_own():
    net, x = models.create("se-cnn"), images()
    is_planned(net, x)
    for twin in (
        copy.deepcopy(net),
        pickle.loads(pickle.dumps(net)),  # noqa: S301  (our own)
        nn.moved(net),
        copy.copy(net),
    ):
        assert vars(twin).keys() == vars(net).keys()
        assert twin not in plan._plans
        is_planned(twin, x)
        twin.conv1.bias.value += 1
        np.testing.assert_array_equal(twin(x), plain(twin, x))
        np.testing.assert_array_equal(net(x), plain(net, x))


@with_compiler
def test_a_plan_ends_with_its_net():
    net, x = models.create("se-cnn"), images()
    is_planned(net, x)
    gone = weakref.ref(net)
    of_net = weakref.ref(plan._plans[net])
    del net
    gc.collect()
    assert gone() is None
    assert of_net() is None


@with_compiler
def test_large_images_and_many_shapes_have_no_plan():
    net = models.create(NET)
    assert not is_planned(net, images((1, 1, 600, 600)))
    assert is_planned(net, images())
    shapes = [(1, 1, size, 20) for size in range(20, 26)]
    planned = [is_planned(net, images(shape)) for shape in shapes]
    assert planned == [True] * (plan.MOST_SHAPES - 2) + [False] * 4
    assert not is_planned(net, images((2, 1, 28, 28)))


def test_nothing_is_a_fault_of_noise():
    """The image that a plan is tried with must not raise what the user's own does not."""
    net = models.create("se-cnn")
    net.conv1.weight.value[:] = 3e38
    x = np.zeros(SHAPE, np.float32)
    with np.errstate(all="raise"):
        for _ in range(3):
            np.testing.assert_array_equal(net(x), plain(net, x))


FORK = f"""
import os
import numpy as np
from minise import models
net = models.create({NET!r})
x = np.random.default_rng(0).standard_normal({SHAPE}).astype(np.float32)
plain, _ = net.forward(x, training=False)
net(x), net(x)
child = os.fork()
if child == 0:
    os._exit(0 if np.array_equal(net(x), plain) else 3)
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="a system without fork")
def test_a_child_process_goes_on_by_the_plan():
    """Forked from an interpreter of its own: in this one another library may hold threads."""
    command = [sys.executable, "-W", "ignore::DeprecationWarning", "-c", FORK]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600)
    assert (done.stdout, done.stderr) == ("0\n", "")


class Sum(nn.Layer):
    """A layer whose NumPy step a tape would miss."""

    def __init__(self, step):
        self.step = step

    def forward(self, x, training=True):
        y, _ = nn.ReLU().forward(x)
        return nn.ReLU().forward(STEPS[self.step](y))


def in_place(y):
    y -= 0.5
    return y


def by_a_mask(y):
    """Whole numbers and truth values are taken for tables."""
    return backend.current().compute(np.multiply, y, y > 0.5)


STEPS = {
    "a new array": lambda y: y - 0.5,
    "in place": in_place,
    "by a mask": by_a_mask,
    "none": lambda y: y,
}


@pytest.mark.parametrize("step", STEPS)
def test_a_step_that_is_no_loop_is_never_missed(step, monkeypatch):
    for ours in (Sum, Sum.__init__, Sum.forward):
        monkeypatch.setattr(ours, "__module__", "minise.nn.of_ours")
    check(Sum(step), images((1, 2, 5, 5)), planned=step == "none")
