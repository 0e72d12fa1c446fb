"""The times in a history, by a clock that the net moves on; test_by_hand.py has its figures."""

from types import SimpleNamespace

import numpy as np
import pytest
from watching import Calling

from minise import nn, train
from minise.data import Dataset, Split

IMAGES = np.random.default_rng(0).integers(0, 256, (8, 1, 1, 3), np.uint8)
LABELS = np.arange(8) % 3
FEW = Dataset("few", Split(IMAGES[:5], LABELS[:5]), Split(IMAGES[5:], LABELS[5:]))


class Taking(nn.Layer):
    """Takes two seconds in training, and three in a test."""

    def __init__(self, clock):
        self.clock = clock

    def forward(self, x, training=True):
        self.clock.now += 2 if training else 3
        return x, lambda dy: dy


@pytest.fixture
def clock(monkeypatch):
    clock = SimpleNamespace(now=1000.0)
    clock.perf_counter = lambda: clock.now
    monkeypatch.setattr("minise.train.loop.time", clock)
    return clock


@pytest.fixture
def training(clock):
    """Makes one of three epochs, each of three images and two."""

    def make(**options):
        net = nn.Sequential(slow=Taking(clock), flatten=nn.Flatten(), fc=nn.Linear(3, 3))
        optimizer, rng = train.SGD(net.parameters(), lr=0.1), np.random.default_rng(0)
        return train.Training(net, FEW, optimizer, epochs=3, batch_size=3, rng=rng, **options)

    return make


@pytest.mark.usefixtures("each_backend")
def test_an_epoch_takes_its_steps_and_its_test_and_its_speed_is_that_of_the_steps(training):
    own = training()
    history = own.run()
    assert [epoch.seconds for epoch in history] == [2 + 2 + 3] * 3
    assert [epoch.images_per_second for epoch in history] == [5 / (2 + 2)] * 3
    assert own.tested[:2] == history[-1][3:5]


def test_without_a_test_its_figures_are_missing_and_take_no_time(training):
    history = training(test_at_end=True).run()
    assert [epoch.test_loss is None for epoch in history] == [True, True, False]
    assert [epoch.test_accuracy is None for epoch in history] == [True, True, False]
    assert [epoch.seconds for epoch in history] == [4, 4, 7]


def test_time_between_two_runs_is_no_time_of_the_training(training, clock):
    own = training()

    def stop(step):
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        own.run(watchers=[Calling(stop)])
    clock.now += 100
    history = own.run()
    assert [epoch.seconds for epoch in history] == [7, 7, 7]
    assert [epoch.images_per_second for epoch in history] == [5 / 4] * 3


def test_steps_are_counted_over_all_epochs(training):
    own, counted = training(), []
    own.run(watchers=[Calling(lambda step: counted.append(own.all_steps))])
    assert counted == [1, 2, 3, 4, 5, 6]
