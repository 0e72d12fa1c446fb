import numpy as np
import pytest
from watching import Calling

from minise import InputError, nn, train


@pytest.fixture
def training(stripes):
    net = nn.Sequential(flat=nn.Flatten(), fc=nn.Linear(64, 3, rng=np.random.default_rng(0)))
    optimizer = train.SGD(net.parameters(), lr=0.01)
    rng = np.random.default_rng(0)
    return train.Training(net, stripes, optimizer, epochs=2, batch_size=60, rng=rng)


def test_watchers_are_told_in_their_order(training):
    told = []
    watchers = [
        Calling(
            lambda step, name=name: told.append((name, step.epoch, step.images)),
            lambda epoch, name=name: told.append((name, epoch.epoch)),
        )
        for name in "ab"
    ]
    training.run(watchers=watchers)
    once = [("a", 1, 60), ("a", 1, 120), ("a", 1), ("a", 2, 60), ("a", 2, 120), ("a", 2)]
    assert told == [(who, *news) for _, *news in once for who in "ab"]


def test_a_watcher_may_leave_out_what_it_does_not_need(training):
    class Epochs(train.Watcher):
        def __init__(self):
            self.seen = []

        def on_epoch(self, epoch):
            self.seen.append(epoch.epoch)

    epochs = Epochs()
    training.run(watchers=[epochs])
    assert epochs.seen == [1, 2]


def test_what_a_watcher_raises_ends_the_training_and_those_after_it_are_not_told(training):
    first, last = [], []

    def stop(step):
        raise ZeroDivisionError

    watchers = [Calling(first.append), Calling(stop), Calling(last.append)]
    with pytest.raises(ZeroDivisionError):
        training.run(watchers=watchers)
    assert ([step.images for step in first], last) == ([60], [])
    assert len(training.run()) == 2  # it goes on from where it stood


def test_watchers_may_come_from_a_generator(training):
    told = []
    training.run(watchers=(Calling(told.append, told.append) for _ in range(2)))
    assert len(told) == 2 * 6


def test_a_watcher_without_a_method_is_refused_before_the_first_step(training):
    class OnlySteps:
        def on_step(self, step):
            raise AssertionError

    for wrong in (OnlySteps(), None):
        with pytest.raises(InputError, match=f"a {type(wrong).__name__} has not both on_step and"):
            training.run(watchers=[wrong])
