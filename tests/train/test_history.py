"""The figures of a training, held against a softmax regression written out in NumPy."""

from types import SimpleNamespace

import numpy as np
import pytest
from watching import Calling

from minise import nn, train
from minise.data import Dataset, Split

BATCH = 3  # of five images: the second batch has two
LR = (0.4, 0.1)  # in the first epoch and in the others
PIXELS = np.array(
    [[250, 20, 90], [10, 200, 30], [60, 70, 220], [240, 130, 10], [50, 180, 160],
     [30, 240, 80], [200, 40, 130], [90, 110, 100]], np.uint8,
)  # fmt: skip
LABELS = np.array([0, 1, 2, 1, 2, 1, 0, 0])
TRAIN, TEST = slice(0, 5), slice(5, 8)


class Taking(nn.Layer):
    """Lets a clock go on by two seconds in training, and by three in a test."""

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
    """Makes a training of three epochs."""

    def make(**options):
        images = PIXELS[:, None, None]  # (N, 1, 1, 3)
        few = Dataset("few", *(Split(images[part], LABELS[part]) for part in (TRAIN, TEST)))
        fc = nn.Linear(3, 3, rng=np.random.default_rng(22))
        net = nn.Sequential(slow=Taking(clock), flatten=nn.Flatten(), fc=fc)
        return train.Training(
            net, few, train.SGD(net.parameters(), lr=9.0), epochs=3, batch_size=BATCH,
            rng=np.random.default_rng(8), schedule=lambda step: LR[min(step // 2, 1)], **options,
        )  # fmt: skip

    return make


def told_by_numpy(net, smoothing=0.0):
    """The steps, as (epoch, images, loss, accuracy), and the (loss, accuracy) of the tests."""
    W, b = (parameter.value.astype(float) for parameter in net.parameters())
    pixels = PIXELS[TRAIN] / 255
    x, rng = (PIXELS / 255 - pixels.mean()) / pixels.std(), np.random.default_rng(8)

    def probabilities(rows):
        e = np.exp(x[rows] @ W.T + b)
        return e / e.sum(axis=1, keepdims=True)

    steps, tests = [], []
    for epoch in (1, 2, 3):
        order, losses, right = rng.permutation(5), [], []
        for rows in (order[:3], order[3:]):
            p = probabilities(rows)
            t = (1 - smoothing) * np.eye(3)[LABELS[rows]] + smoothing / 3
            losses += list(-(t * np.log(p)).sum(axis=1))
            right += list(p.argmax(axis=1) == LABELS[rows])
            dscores = (p - t) / len(rows)
            W, b = W - LR[epoch > 1] * dscores.T @ x[rows], b - LR[epoch > 1] * dscores.sum(axis=0)
            steps.append((epoch, len(right), np.mean(losses), np.mean(right)))
        p = probabilities(TEST)
        said = p.argmax(axis=1) == LABELS[TEST]
        tests.append((-np.log(p[range(3), LABELS[TEST]]).mean(), said.mean()))
    return steps, tests


@pytest.mark.usefixtures("each_backend")
@pytest.mark.parametrize("smoothing", [0.0, 0.3])
def test_every_figure_of_the_history(training, smoothing):
    own = training(label_smoothing=smoothing)
    steps, tests = told_by_numpy(own.net, smoothing)
    history = own.run()
    for n, (epoch, test) in enumerate(zip(history, tests, strict=True), start=1):
        assert epoch == pytest.approx(
            # two steps take 4 seconds, the test 3
            (n, *steps[2 * n - 1][2:], *test, LR[n > 1], 7.0, 5 / 4.0), rel=1e-5
        )  # fmt: skip
    assert own.tested[:2] == history[-1][3:5]
    assert own.all_steps == 6


def test_every_figure_of_the_steps(training):
    own, told = training(), []
    steps, _ = told_by_numpy(own.net)
    own.run(watchers=[Calling(lambda step: told.append((*step, own.all_steps)))])
    for n, (step, expected) in enumerate(zip(told, steps, strict=True), start=1):
        assert step == pytest.approx((*expected, n), rel=1e-5)


def test_accuracies_rise_stay_and_fall_in_these_figures(training):
    """Else the tests above could not tell the last from the best."""
    steps, tests = told_by_numpy(training().net)
    assert [round(5 * step[3]) for step in steps[1::2]] == [1, 5, 5]
    assert [round(3 * accuracy) for _, accuracy in tests] == [3, 3, 2]


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


def test_without_a_test_its_figures_are_missing_and_take_no_time(training):
    history = training(test_at_end=True).run()
    assert [epoch.test_loss is None for epoch in history] == [True, True, False]
    assert [epoch.test_accuracy is None for epoch in history] == [True, True, False]
    assert [epoch.seconds for epoch in history] == [4, 4, 7]
