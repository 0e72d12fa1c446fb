"""The training loop."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from typing import NamedTuple, TypeVar

import numpy as np

from minise import ops
from minise.backend import Array
from minise.data import Augment, Batches, Dataset, Split, pixel_statistics
from minise.errors import InputError
from minise.nn import Layer
from minise.train.optimizers import Optimizer
from minise.train.profile import Profile
from minise.train.schedules import Schedule

Result = TypeVar("Result")


class Step(NamedTuple):
    """How an epoch stands after a step: loss and accuracy are averages over its images so far."""

    epoch: int  # from 1
    images: int
    loss: float
    accuracy: float


class Epoch(NamedTuple):
    """One pass over the training images, and the test after it."""

    epoch: int  # from 1
    loss: float
    accuracy: float  # 0 to 1, while training
    test_loss: float
    test_accuracy: float
    lr: float  # of the last step
    seconds: float  # of training and test
    images_per_second: float  # of training alone


class Evaluation(NamedTuple):
    """The mean loss, the accuracy (0 to 1), and the probabilities (N, K) of the classes."""

    loss: float
    accuracy: float
    probabilities: Array


def fit(
    net: Layer,
    data: Dataset,
    optimizer: Optimizer,
    *,
    epochs: int,
    rng: np.random.Generator,
    batch_size: int = 64,
    schedule: Schedule | None = None,
    augment: Augment | None = None,
    label_smoothing: float = 0.0,
    profile: Profile | None = None,
    on_step: Callable[[Step], None] = lambda step: None,
    on_epoch: Callable[[Epoch], None] = lambda epoch: None,
) -> list[Epoch]:
    """Train `net` on `data.train`, test it on `data.test` after each epoch; returns the history.

    `rng` draws the order of the images and what `augment` does to them. `schedule` gives the
    learning rate of each step, else the optimizer's own stays. `profile` is told where the time
    goes. `on_step` and `on_epoch` are called with the news. Raises `InputError` for less than one
    epoch, and when the loss is not finite.
    """
    if epochs < 1:
        raise InputError(f"epochs: {epochs}, expected at least 1")
    mean, std = pixel_statistics(data.train.images)
    batches = Batches(data.train, batch_size, mean=mean, std=std, rng=rng, augment=augment)
    layers = net if profile is None else profile.layers(net)
    timed = _untimed if profile is None else profile.call
    history: list[Epoch] = []
    for epoch in range(1, epochs + 1):
        began = time.perf_counter()
        loss_sum, right, seen = 0.0, 0, 0
        steps = batches if profile is None else profile.steps_of("(batch)", batches)
        for k, (x, labels) in enumerate(steps):
            if schedule is not None:
                optimizer.lr = schedule((epoch - 1) * len(batches) + k)
            with np.errstate(over="ignore", invalid="ignore"):  # the loss tells, below
                scores, backward = layers.forward(x, training=True)
                loss, dscores = timed("(loss)", partial(_loss, scores, labels, label_smoothing))
                net.zero_grad()
                backward(dscores)
                timed("(optimizer)", optimizer.step)
            if not np.isfinite(loss):
                raise InputError(
                    f"the loss became {loss} in epoch {epoch}, step {k + 1}, with lr "
                    f"{optimizer.lr:.3g}: try a smaller one"
                )
            seen += len(labels)
            loss_sum += float(loss) * len(labels)
            right += int((scores.argmax(axis=1) == labels).sum())
            on_step(Step(epoch, seen, loss_sum / seen, right / seen))
        trained = time.perf_counter() - began
        test = evaluate(net, data.test, mean=mean, std=std)
        history.append(
            Epoch(
                epoch,
                loss_sum / seen,
                right / seen,
                test.loss,
                test.accuracy,
                optimizer.lr,
                time.perf_counter() - began,
                seen / trained,
            )
        )
        on_epoch(history[-1])
    return history


def _loss(scores: Array, labels: Array, label_smoothing: float) -> tuple[Array, Array]:
    """The loss, and its gradient with respect to the scores."""
    loss, saved = ops.softmax_cross_entropy(scores, labels, label_smoothing=label_smoothing)
    return loss, ops.softmax_cross_entropy_backward(1.0, saved)


def _untimed(_: str, function: Callable[[], Result]) -> Result:
    return function()


def evaluate(
    net: Layer, split: Split, *, mean: float, std: float, batch_size: int = 256
) -> Evaluation:
    """Run `net` in evaluation mode over all images of `split`."""
    losses, probabilities = 0.0, []
    for x, labels in Batches(split, batch_size, mean=mean, std=std):
        loss, saved = ops.softmax_cross_entropy(net(x), labels)
        losses += float(loss) * len(labels)
        probabilities.append(saved.p)
    p = np.concatenate(probabilities)  # (N, K)
    accuracy = float((p.argmax(axis=1) == split.labels).mean())
    return Evaluation(losses / len(p), accuracy, p)
