import os
import signal
from unittest import mock

import cupy
import numpy as np
import pytest
from watching import Calling

from minise import InputError, backend, data, nn, train
from minise.data import Dataset, Split
from minise.kernels.cupy.cublas import without_cublas
from minise.runs import checkpoint
from minise.train import loop, repeats
from minise.train.counts import Counts


@pytest.fixture(autouse=True)
def _on_gpu():
    with backend.using("cupy"):
        yield


def stripes_of(train_count):
    """Images of 8×8 whose class is where the bright row is."""
    rng = np.random.default_rng(0)

    def split(count):
        labels = rng.integers(0, 3, count)
        images = rng.integers(0, 60, (count, 1, 8, 8), dtype=np.uint8)
        images[np.arange(count), 0, 2 * labels + 1] += 180
        return Split(images, labels)

    return Dataset("stripes", split(train_count), split(60))


def begin(count=120, *, lr=0.05, optimizer=train.SGD, epochs=2, **options):
    rng = np.random.default_rng(0)
    net = nn.Sequential(
        conv=nn.conv_norm_act(1, 4, 3, rng=rng),
        se=nn.SEBlock(4, 2, rng=rng),
        pool=nn.MaxPool2d(2),
        mean=nn.GlobalAvgPool(),
        fc=nn.Linear(4, 3, rng=rng),
    )
    images = stripes_of(count)
    schedule = train.one_cycle(lr, epochs * -(-count // 16))
    return train.Training(
        net,
        images,
        optimizer(net.parameters(), lr, weight_decay=0.01),
        epochs=epochs,
        rng=np.random.default_rng(1),
        batch_size=16,
        schedule=schedule,
        augment=data.shift_and_rotate,
        **options,
    )


class EnoughError(Exception):
    pass


def stop(step):
    raise EnoughError


def same(first, second):
    return all(np.array_equal(first[name], second[name]) for name in first)


@pytest.mark.parametrize("optimizer", [train.SGD, train.AdamW])
def test_a_training_goes_as_on_the_processor_and_twice_to_the_same_bits(optimizer):
    there, again = (begin(optimizer=optimizer, label_smoothing=0.1) for _ in range(2))
    histories = [there.run(), again.run()]
    assert same(there.net.state_dict(), again.net.state_dict())
    assert histories[0][-1]._replace(seconds=0, images_per_second=0) == histories[1][-1]._replace(
        seconds=0, images_per_second=0
    )
    with backend.using("numba"):
        here = begin(optimizer=optimizer, label_smoothing=0.1)
        history = here.run()
    for mine, theirs in zip(histories[0], history, strict=True):
        assert mine.loss == pytest.approx(theirs.loss, rel=1e-3)
        assert mine.test_loss == pytest.approx(theirs.test_loss, rel=1e-2)
    for name, array in here.net.state_dict().items():
        np.testing.assert_allclose(there.net.state_dict()[name], array, rtol=1e-2, atol=1e-3)


def test_a_step_that_is_replayed_gives_the_bits_of_one_that_is_not():
    """Its learning rate moves, its last batch is smaller, and AdamW counts its steps."""
    assert repeats.repeats_itself(begin().net)
    for optimizer in (train.SGD, train.AdamW):
        replayed, plain = (begin(optimizer=optimizer) for _ in range(2))
        replayed.run()
        eager = mock.patch.object(loop, "repeats_itself", return_value=False)
        with eager, without_cublas():
            plain.run()
        assert same(replayed.net.state_dict(), plain.net.state_dict())
        assert same(replayed.optimizer.state_dict(), plain.optimizer.state_dict())
        assert replayed.history[-1].loss == plain.history[-1].loss


def test_a_step_that_cannot_be_recorded_is_told_once_and_taken_all_the_same(monkeypatch):
    class Waits(nn.Layer):
        def forward(self, x, training=True):
            assert float(x.sum()) > -np.inf  # what no recording can do
            return x, lambda dy: dy

    def with_it(optimizer=train.SGD):
        training = begin(optimizer=optimizer)
        training.net.also = Waits()
        return training

    waiting, plain = with_it(), with_it()
    with mock.patch.object(loop, "repeats_itself", return_value=True):
        with pytest.warns(RuntimeWarning, match="cannot be recorded as a CUDA graph") as told:
            waiting.run()
        assert len(told) == 1
    with without_cublas():
        plain.run()
    assert same(waiting.net.state_dict(), plain.net.state_dict())


def test_what_others_put_into_memory_is_not_touched_by_a_step_that_is_replayed():
    kept = []

    def hold(step):
        kept.extend(cupy.full(size, 7, np.float32) for size in (3, 4, 48, 256, 1024, 4096))

    with mock.patch.object(backend.CuPy, "read_every", 1):
        begin().run(watchers=[Calling(hold)])
    assert kept
    assert all(bool((array == 7).all()) for array in kept)


def test_a_loss_that_is_not_finite_counts_as_unsound_from_there_on():
    counts = Counts(nn.Linear(2, 2).parameters())
    scores, labels = cupy.zeros((2, 3)), cupy.zeros(2, int)
    for loss in (1.0, np.nan, 1.0):
        counts.add(cupy.full((), loss), scores, labels)
        counts.end()
    assert counts.read().sound == 1


def test_nets_that_do_something_else_each_time_are_not_recorded():
    rng = np.random.default_rng(0)
    large = nn.Sequential(nn.Linear(1000, 1001))
    assert repeats.repeats_itself(nn.Sequential(nn.Linear(10, 10)))
    assert not repeats.repeats_itself(large)
    assert not repeats.repeats_itself(nn.Sequential(nn.Linear(10, 10), nn.Dropout(rng=rng)))

    class Own(nn.Layer):
        pass

    assert not repeats.repeats_itself(nn.Sequential(nn.Linear(10, 10), Own()))


def test_a_training_stops_at_any_step_and_goes_on_to_the_same_bits_on_either_backend():
    whole = begin()
    whole.run()
    stopped = begin()

    def press(step):
        if step.images == 48:
            os.kill(os.getpid(), signal.SIGINT)

    with mock.patch.object(backend.CuPy, "read_every", 1):
        stopped.run(watchers=[Calling(press)])
    assert stopped.history.interrupted
    assert (stopped.epoch, stopped.steps) == (1, 3)
    state = checkpoint.state_of(stopped)
    went_on = begin()
    checkpoint.restore(went_on, state)
    went_on.run()
    assert same(whole.net.state_dict(), went_on.net.state_dict())
    assert went_on.history[-1].loss == pytest.approx(whole.history[-1].loss, rel=1e-6)
    with backend.using("numba"):
        here = begin()
        checkpoint.restore(here, state)
        here.run()
    assert here.history[-1].loss == pytest.approx(whole.history[-1].loss, rel=1e-2)


def test_the_loss_is_read_every_so_many_steps_and_at_the_end_of_an_epoch():
    seen = []
    with mock.patch.object(backend.CuPy, "read_every", 3):
        note = Calling(lambda step: seen.append((step.epoch, step.images)))
        begin().run(watchers=[note])
    assert seen == [(k, images) for k in (1, 2) for images in (48, 96, 120)]


@pytest.mark.skipif(not hasattr(cupy, "stand_in"), reason="a true GPU does not count its waits")
def test_a_step_waits_for_nothing():
    """So an epoch of many steps waits as often as one of few: for what it reads at its end."""
    stand_in = cupy.stand_in
    waits = []
    for count in (160, 640):
        training = begin(count, epochs=1)
        stand_in.reset()
        training.run()
        waits.append(stand_in.synchronisations)
    # the thread that makes batches waits for its own copy before it makes the next
    assert waits[1] - waits[0] <= (640 - 160) // 16


@pytest.mark.parametrize("lr", [1e30, float("inf")])
def test_what_goes_wrong_is_named_and_moves_nothing(lr):
    training = begin(epochs=1)
    training.schedule = lambda step: 0.05 if step < 3 else lr
    with pytest.raises(InputError, match=r"is (nan|inf|not finite) in epoch 1, step 5, .* began"):
        training.run()
    before = begin(epochs=1)
    before.schedule = training.schedule
    with mock.patch.object(backend.CuPy, "read_every", 4), pytest.raises(EnoughError):
        before.run(watchers=[Calling(stop)])
    assert same(training.optimizer.state_dict(), before.optimizer.state_dict())


def test_batches_are_those_of_the_processor_and_so_is_the_generator():
    def all_of(name):
        with backend.using(name):
            rng = np.random.default_rng(3)
            split = stripes_of(50).train
            batches = data.Batches(
                split, 16, mean=0.2, std=0.3, rng=rng, augment=data.shift_and_rotate
            )
            return [
                (backend.asnumpy(x).copy(), backend.asnumpy(y).copy(), rng.bit_generator.state)
                for x, y in batches
            ]

    for there, here in zip(all_of("cupy"), all_of("numba"), strict=True):
        np.testing.assert_array_equal(there[0], here[0])
        np.testing.assert_array_equal(there[1], here[1])
        assert there[2] == here[2]


def test_a_generator_that_a_layer_shares_is_not_set_back():
    """A dropout that drew from it would have the same mask in every batch."""
    rng = np.random.default_rng(3)
    batches = data.Batches(stripes_of(50).train, 8, mean=0.2, std=0.3, rng=rng)
    drawn = [rng.random() for _ in batches]
    assert len(set(drawn)) == len(drawn) > 1


def test_batches_may_be_left_early_and_an_error_in_them_is_the_callers():
    split = stripes_of(50).train
    for _ in data.Batches(split, 8, mean=0.2, std=0.3):
        break

    def broken(images, rng):
        raise RuntimeError("no more")

    rng = np.random.default_rng(0)
    with pytest.raises(RuntimeError, match="no more"):
        list(data.Batches(split, 8, mean=0.2, std=0.3, rng=rng, augment=broken))


@pytest.mark.skipif(cupy.cuda.runtime.getDeviceCount() < 2, reason="there is one GPU")
def test_a_second_gpu_trains_as_the_first():
    states = []
    for device in (0, 1):
        with backend.using("cupy", device=device):
            training = begin(epochs=1)
            training.run()
            states.append(training.net.state_dict())
    assert same(*states)


def test_a_profile_tells_every_layer():
    profile = train.Profile()
    training = begin(epochs=1)
    training.run(profile=profile)
    assert profile.steps == 8
    assert {"conv.conv", "conv.bn", "se.fc1", "(loss)", "(optimizer)"} <= set(profile.spent)


def test_evaluation_is_that_of_the_processor():
    training = begin(epochs=1)
    training.run()
    options = {"mean": training.mean, "std": training.std, "batch_size": 7}
    there = train.evaluate(training.net, training.data.test, **options)
    with backend.using("numba"):
        here = train.evaluate(nn.moved(training.net), training.data.test, **options)
    assert there.loss == pytest.approx(here.loss, rel=1e-4)
    np.testing.assert_allclose(there.probabilities, here.probabilities, atol=1e-5)
