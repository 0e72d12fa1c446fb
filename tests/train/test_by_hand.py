"""A training worked out apart, in plain NumPy: a linear map of six images of three classes."""

import numpy as np
import pytest
from watching import Calling

from minise import backend, nn, train
from minise.data import Dataset, Split


def images_of(seed):
    """Six to learn from, in batches of four and two, and three to test with, of 2×2 pixels."""
    pixels = np.random.default_rng(seed).integers(0, 256, (9, 1, 2, 2), dtype=np.uint8)
    labels = np.array([0, 1, 2, 2, 1, 0, 1, 0, 0])
    return Dataset("six", Split(pixels[:6], labels[:6]), Split(pixels[6:], labels[6:]))


def weights_of(seed):
    return np.random.default_rng(seed).standard_normal((3, 4)).astype(np.float32)


def noisy(images, rng):
    return images // 2 + rng.integers(0, 99, images.shape, dtype=np.uint8)


def softmax(scores):
    p = np.exp(scores)
    return p / p.sum(axis=1, keepdims=True)


BASE = {
    "data": images_of(0), "weights": weights_of(1), "lr": 0.5, "epochs": 2, "seed": 2,
    "batch_size": 4, "schedule": None, "augment": None, "label_smoothing": 0.0,
    "test_at_end": False,
}  # fmt: skip


def by_hand(
    *, data, weights, lr, epochs, seed, batch_size, schedule, augment, label_smoothing, test_at_end
):
    """The weights at the end; loss and accuracy after each step; those of each epoch and its test.

    w ← w − lr · (p − t)ᵀ x / N, where t is the smoothed target (N, 3) and x is (N, 4).
    """
    w, rng = weights.astype(float), np.random.default_rng(seed)
    pixels = data.train.images / 255
    steps, epochs_seen = [], []

    def x_of(images):
        return ((images / 255 - pixels.mean()) / pixels.std()).reshape(len(images), 4)

    for epoch in range(1, epochs + 1):
        order, losses, right = rng.permutation(6), 0.0, 0
        for low in range(0, 6, batch_size):
            chosen = order[low : low + batch_size]
            images, labels = data.train.images[chosen], data.train.labels[chosen]
            x = x_of(images if augment is None else augment(images, rng))
            p = softmax(x @ w.T)
            t = (1 - label_smoothing) * np.eye(3)[labels] + label_smoothing / 3
            losses -= (t * np.log(p)).sum()
            right += (p.argmax(axis=1) == labels).sum()
            rate = lr if schedule is None else schedule(len(steps))
            w = w - rate * (p - t).T @ x / len(chosen)
            seen = low + len(chosen)
            steps.append((epoch, seen, losses / seen, right / seen))
        p = softmax(x_of(data.test.images) @ w.T)
        loss = -np.log(p[range(3), data.test.labels]).mean()
        test = loss, (p.argmax(axis=1) == data.test.labels).mean()
        if test_at_end and epoch < epochs:
            test = None, None
        epochs_seen.append((*steps[-1][:1], *steps[-1][2:], *test, rate))
    return w, steps, epochs_seen


def fitted(*, data, weights, lr, seed, watchers=(), **options):
    """The same of `train.fit`."""
    net = nn.Sequential(flatten=nn.Flatten(), fc=nn.Linear(4, 3, bias=False))
    net.fc.weight.value[...] = backend.asarray(weights)
    steps, rng = [], np.random.default_rng(seed)
    optimizer = train.SGD(net.parameters(), lr)
    watchers = [Calling(on_step=steps.append), *watchers]
    history = train.fit(net, data, optimizer, rng=rng, watchers=watchers, **options)
    return backend.asnumpy(net.fc.weight.value), steps, [epoch[:6] for epoch in history]


def numbers(weights, steps, epochs):
    """All of a training, one after the other; NaN for no test."""
    return np.array([*weights.flat, *(value for row in [*steps, *epochs] for value in row)], float)


@pytest.mark.usefixtures("each_backend")
@pytest.mark.parametrize(
    "option",
    [
        pytest.param(
            {},
            marks=pytest.mark.effect("train.fit(net)", "train.fit(data)", "train.fit(optimizer)"),
        ),
        pytest.param({"data": images_of(5)}, marks=pytest.mark.effect("train.fit(data)")),
        pytest.param({"weights": weights_of(5)}, marks=pytest.mark.effect("train.fit(net)")),
        pytest.param({"lr": 0.2}, marks=pytest.mark.effect("train.fit(optimizer)")),
        pytest.param({"epochs": 1}, marks=pytest.mark.effect("train.fit(epochs)")),
        pytest.param({"seed": 5}, marks=pytest.mark.effect("train.fit(rng)")),
        pytest.param({"batch_size": 3}, marks=pytest.mark.effect("train.fit(batch_size)")),
        pytest.param(
            {"schedule": lambda step: 0.3 / (1 + step)},
            marks=pytest.mark.effect("train.fit(schedule)"),
        ),
        pytest.param({"augment": noisy}, marks=pytest.mark.effect("train.fit(augment)")),
        pytest.param(
            {"label_smoothing": 0.3}, marks=pytest.mark.effect("train.fit(label_smoothing)")
        ),
        pytest.param({"test_at_end": True}, marks=pytest.mark.effect("train.fit(test_at_end)")),
    ],
    ids=lambda option: next(iter(option), "as it is"),
)
def test_a_training_is_that_worked_out_by_hand(option):
    weights, steps, epochs = by_hand(**BASE | option)
    if backend.current().on_gpu:  # which is asked at the end of an epoch, after its six images
        steps = [step for step in steps if step[1] == 6]
    expected = numbers(weights, steps, epochs)
    np.testing.assert_allclose(numbers(*fitted(**BASE | option)), expected, rtol=1e-5, atol=1e-6)
    whole, as_it_is = (numbers(*by_hand(**BASE | given)) for given in (option, {}))
    same = whole.shape == as_it_is.shape and np.allclose(whole, as_it_is)
    assert same == (option == {})  # or there would be nothing to see


def test_a_net_is_trained_in_training_mode_and_tested_in_evaluation_mode():
    calls = []

    def watch(name, layer, x, training):
        calls.append((name, len(x), training))
        return layer.forward(x, training)

    fc = nn.Linear(4, 3)
    net = nn.observed(nn.Sequential(flatten=nn.Flatten(), fc=fc), watch)
    optimizer, rng = train.SGD(net.parameters(), 0.1), np.random.default_rng(0)
    train.fit(net, BASE["data"], optimizer, epochs=1, batch_size=4, rng=rng)
    assert [call for call in calls if call[0] == "fc"] == [
        ("fc", 4, True), ("fc", 2, True), ("fc", 3, False),
    ]  # fmt: skip
