import copy
import gc

import numpy as np
import pytest

from minise import InputError, arrays, backend, models, nn, ops, train
from minise.kernels.cupy.launch import maps_of


@pytest.fixture(autouse=True)
def _on_gpu():
    with backend.using("cupy"):
        yield


def image(*shape, dtype=np.float32):
    return np.random.default_rng(0).standard_normal(shape).astype(dtype)


def test_arrays_go_there_and_come_back():
    x = image(2, 3)
    there = backend.asarray(x)
    assert arrays.on_gpu(there)
    assert not arrays.on_gpu(x)
    assert backend.asarray(there) is there
    np.testing.assert_array_equal(backend.asnumpy(there), x)
    with backend.using("numba"):
        np.testing.assert_array_equal(backend.asarray(there), x)


def test_a_numpy_array_for_a_net_on_the_gpu_is_refused_with_how_to_move_it():
    net = models.create("se-cnn")
    x = image(2, 1, 28, 28)
    with pytest.raises(TypeError, match=r"conv2d: NumPy and CuPy .*backend\.asarray\(x\)"):
        net(x)
    assert backend.asnumpy(net(backend.asarray(x))).shape == (2, 10)


def test_a_net_can_be_moved_and_gives_the_same():
    net, x = models.create("se-resnet8", seed=3), image(4, 1, 28, 28)
    there = backend.asnumpy(net(backend.asarray(x)))
    with backend.using("numba"):
        here = nn.moved(net)
        assert not arrays.on_gpu(here.parameters()[0].value)
        np.testing.assert_allclose(here(x), there, rtol=1e-4, atol=1e-5)
    assert arrays.on_gpu(net.parameters()[0].value)


def test_a_net_starts_with_the_same_numbers_on_every_backend():
    there = models.create("se-cnn", seed=5).state_dict()
    with backend.using("numba"):
        here = models.create("se-cnn", seed=5).state_dict()
    for name, array in here.items():
        np.testing.assert_array_equal(there[name], array)


def test_weights_of_one_backend_load_on_another():
    there = models.create("se-cnn", seed=1)
    with backend.using("numba"):
        here = models.create("se-cnn", seed=2)
        here.load_state_dict(there.state_dict())
        other_way = here.state_dict()
    there.load_state_dict(other_way)
    for name, array in there.state_dict().items():
        np.testing.assert_array_equal(here.state_dict()[name], array)


def test_a_device_that_is_not_there_is_refused():
    with pytest.raises(InputError, match=r"no GPU 99; this machine has \d+, numbered from 0"):
        backend.use("cupy", device=99)
    with pytest.raises(InputError, match="device 0 is a GPU, and 'numba' does not use one"):
        backend.use("numba", device=0)
    with backend.using("cupy", device=0):
        assert backend.current().name == "cupy"


@pytest.fixture
def _nothing_left(_on_gpu):
    """What other tests have left, in cycles and in the pool, is given back now, and not later."""
    gc.collect()
    backend.current().release_memory()


@pytest.mark.usefixtures("_nothing_left")
def test_memory_is_told_in_bytes_and_given_back():
    before = backend.current().memory()
    x = backend.asarray(image(256, 1024))
    during = backend.current().memory()
    assert during.used - before.used == x.nbytes
    assert 0 < during.free <= during.total
    del x
    after = backend.current().memory()
    assert (after.used, after.kept) == (before.used, before.kept + during.used - before.used)
    backend.current().release_memory()
    assert backend.current().memory().kept == before.kept


@pytest.mark.usefixtures("_nothing_left")
def test_out_of_memory_says_what_was_asked_and_what_is_free():
    import cupy

    pool = cupy.get_default_memory_pool()
    pool.set_limit(size=pool.used_bytes() + 2**20)
    try:
        with pytest.raises(InputError, match=r"out of memory: .*4,194,304 bytes.* MB are free"):
            backend.asarray(image(1024, 1024))
    finally:
        pool.set_limit(size=0)


def test_a_label_that_is_no_class_makes_the_loss_nan():
    scores, labels = backend.asarray(image(3, 4)), np.array([0, 3, 1])
    assert np.isfinite(float(ops.softmax_cross_entropy(scores, backend.asarray(labels))[0]))
    for wrong in (-1, 4):
        labels[1] = wrong
        assert np.isnan(float(ops.softmax_cross_entropy(scores, backend.asarray(labels))[0]))


@pytest.mark.parametrize("make", [train.SGD, train.AdamW])
def test_an_optimiser_moves_as_on_the_processor_and_stands_still_for_a_nan(make):
    options = {"momentum": 0.9, "nesterov": True} if make is train.SGD else {}
    nets = [models.create("se-cnn", seed=1)]
    with backend.using("numba"):
        nets.append(models.create("se-cnn", seed=1))
    makers = [make(net.parameters(), 0.1, weight_decay=0.01, **options) for net in nets]
    rng = np.random.default_rng(0)
    for _ in range(3):
        for there, here in zip(*(net.parameters() for net in nets), strict=True):
            here.grad[...] = rng.standard_normal(here.grad.shape)
            there.grad[...] = backend.asarray(here.grad)
        for optimizer in makers:
            optimizer.step()
    for there, here in zip(*(net.parameters() for net in nets), strict=True):
        np.testing.assert_allclose(backend.asnumpy(there.value), here.value, rtol=1e-5, atol=1e-6)

    before = copy.deepcopy(nets[0].state_dict())
    finite = backend.asarray(np.array(1, np.int32))
    nets[0].parameters()[3].grad.reshape(-1)[-1:] = np.nan
    makers[0].step(finite)
    assert int(finite) == 0
    for name, array in nets[0].state_dict().items():
        np.testing.assert_array_equal(array, before[name])


def test_arrays_that_begin_anywhere_in_memory_give_the_same():
    """Kernels read 16 bytes at once where they may, and numbers one by one where not."""
    x, s = image(3, 2, 4, 4), image(3, 2)
    whole = backend.asarray(np.concatenate([np.zeros(1, np.float32), x.reshape(-1)]))
    shifted = whole[1:].reshape(x.shape)
    assert (maps_of(backend.asarray(x)).width, maps_of(shifted).width) == (4, 1)
    expected = backend.asnumpy(ops.channel_scale(backend.asarray(x), backend.asarray(s))[0])
    got = backend.asnumpy(ops.channel_scale(shifted, backend.asarray(s))[0])
    np.testing.assert_array_equal(got, expected)


def test_arrays_in_another_order_give_the_same():
    x = image(4, 3, 5, 5)
    batch_last = backend.asarray(np.moveaxis(x, 0, -1)).transpose(3, 0, 1, 2)
    for operation in (ops.global_avg_pool, ops.global_max_pool, ops.relu):
        there = operation(batch_last)[0]
        np.testing.assert_array_equal(
            backend.asnumpy(there), backend.asnumpy(operation(backend.asarray(x))[0])
        )


def test_gradients_are_checked_on_the_gpu_as_anywhere():
    from minise.gradcheck import EXAMPLES, check

    rng = np.random.default_rng(0)
    example = EXAMPLES["SEBlock"](rng)
    report = check(example.subject, *example.inputs, training=example.training)
    assert report.passed, str(report)
