"""The training loop, which can stop after any step and resume there with the same bits."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import TypeVar

import numpy as np

from minise import ops
from minise.arrays import Array
from minise.backend import current
from minise.data import Augment, Batches, Dataset, pixel_statistics
from minise.errors import InputError
from minise.nn import Layer
from minise.nn.passes import Passes
from minise.train.counts import Counts
from minise.train.evaluation import Evaluation, evaluate
from minise.train.finite import first_not_finite
from minise.train.history import Epoch, History, Step
from minise.train.learning import Learning
from minise.train.optimizers import Optimizer
from minise.train.profile import Profile
from minise.train.repeats import repeats_itself
from minise.train.schedules import Schedule
from minise.train.signals import StopSignals
from minise.train.watcher import Watcher
from minise.work import TakeStep

Result = TypeVar("Result")


class Training:
    """A training and its progress: `run` continues to the end, or until it is interrupted.

    The arguments are those of `fit`. Between two steps, and so while watchers are called, the
    object is complete: `runs.Run` saves all that is needed to resume from there.
    """

    def __init__(
        self,
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
        test_at_end: bool = False,
    ) -> None:
        if epochs < 1:
            raise InputError(f"epochs: {epochs}, expected at least 1")
        self.net, self.data, self.optimizer = net, data, optimizer
        self.epochs, self.rng, self.schedule = epochs, rng, schedule
        self.label_smoothing, self.test_at_end = label_smoothing, test_at_end
        self.mean, self.std = pixel_statistics(data.train.images)
        self.batches = Batches(
            data.train, batch_size, mean=self.mean, std=self.std, rng=rng, augment=augment
        )
        self.history = History()
        self.epoch = 1  # the current one, or the next
        self.steps = 0  # of that epoch so far
        self.images, self.right, self.loss_sum = 0, 0, 0.0  # over those steps
        self.seconds = 0.0  # taken by those steps
        self.before_epoch = rng.bit_generator.state  # its order was drawn from this
        self.tested: Evaluation | None = None  # the last one, unless it was before a resume
        self._counts = Counts(optimizer.parameters)

    @property
    def all_steps(self) -> int:
        """How many steps are done, over all epochs."""
        return (self.epoch - 1) * len(self.batches) + self.steps

    def run(self, *, profile: Profile | None = None, watchers: Iterable[Watcher] = ()) -> History:
        """Train to the end, and return the history, in a resumed training from its beginning.

        Ctrl-C or SIGTERM stops it after the current step, and marks the history; a second one
        raises `KeyboardInterrupt` at once. Raises `InputError` where the loss or a gradient is not
        finite, and names the layer where that began. The weights are then those before the step;
        running averages have moved.

        Warns once of each layer that had no gradient in a whole epoch, that did not move, or that
        the optimizer does not hold.

        Watchers are told of a step once the loss has been read: on a processor after each step; on
        a GPU every 50 steps and at the end of an epoch, since reading it means waiting for it.
        """
        self.history.interrupted = False
        watchers = tuple(watchers)
        for watcher in watchers:
            if not callable(getattr(watcher, "on_step", None)) or not callable(
                getattr(watcher, "on_epoch", None)
            ):
                raise InputError(
                    f"watchers: a {type(watcher).__name__} has not both on_step and on_epoch; a "
                    "class that inherits from train.Watcher has"
                )
        with StopSignals() as signals, current().running():
            step, learning = self._stepping(profile), Learning(self.net, self.optimizer)
            while self.epoch <= self.epochs:
                whole = self.steps == 0
                self._steps_of_epoch(step, signals, profile, watchers, learning)
                if signals.requested:
                    self.history.interrupted = True
                    break
                self._end_epoch()
                for watcher in watchers:
                    watcher.on_epoch(self.history[-1])
                for line in learning.found(self.history[-1].epoch) if whole else []:
                    warnings.warn(line, RuntimeWarning, stacklevel=2)
        return self.history

    def _steps_of_epoch(
        self,
        step: TakeStep,
        signals: StopSignals,
        profile: Profile | None,
        watchers: Sequence[Watcher],
        learning: Learning,
    ) -> None:
        learning.begin()
        began = time.perf_counter() - self.seconds
        batches = self.batches.of(self._order(), start=self.steps)
        unread, read_every = 0, current().read_every
        for x, labels in batches if profile is None else profile.steps_of("(batch)", batches):
            if self.schedule is not None:
                self.optimizer.lr = self.schedule(self.all_steps)
            with np.errstate(over="ignore", invalid="ignore"):  # reported below
                step(x, labels)
            self.steps += 1
            self.images += len(labels)
            unread += 1
            due = self.steps % read_every == 0 or self.steps == len(self.batches)
            if due or signals.requested:
                self._read(unread, x, labels)
                learning.look()
                unread = 0
                self.seconds = time.perf_counter() - began
                mean_loss, accuracy = self.loss_sum / self.images, self.right / self.images
                for watcher in watchers:
                    watcher.on_step(Step(self.epoch, self.images, mean_loss, accuracy))
            if signals.requested and not unread:
                return

    def _order(self) -> Array:
        """The order of the images in this epoch: drawn again where some of its steps are done."""
        now = self.rng.bit_generator.state
        if self.steps == 0:
            self.before_epoch = now
            return self.batches.order()
        self.rng.bit_generator.state = self.before_epoch
        order = self.batches.order()
        self.rng.bit_generator.state = now
        return order

    def _stepping(self, profile: Profile | None) -> TakeStep:
        """The function that takes a step with a batch."""
        if profile is not None:
            return partial(self._step, profile.layers(self.net), profile.call)
        step = partial(self._step, Passes(self.net), _untimed)
        return current().stepper(step, repeats=repeats_itself(self.net))

    def _step(
        self,
        layers: Layer | Passes,
        timed: Callable[..., tuple[Array, Array]],
        x: Array,
        labels: Array,
    ) -> None:
        """Move every parameter, and count the loss and the right answers.

        Where a number is not finite nothing moves; this raises, or else reading the counts does.
        """
        scores, backward = layers.forward(x, training=True)
        loss, dscores = timed("(loss)", partial(_loss, scores, labels, self.label_smoothing))
        self.net.zero_grad()
        backward(dscores)
        if not self._counts.seem_finite(loss):
            self._went_wrong(self.steps + 1, x, dscores, float(loss))
        self._counts.add(loss, scores, labels)
        timed("(optimizer)", partial(self.optimizer.step, self._counts.finite))
        self._counts.end()

    def _read(self, steps: int, x: Array, labels: Array) -> None:
        """Add what the last `steps` counted; x and labels are the last batch of these."""
        count = self._counts.read()
        if count.sound < steps:  # no parameter has moved since
            scores, _ = self.net.forward(x, training=True)
            loss, dscores = _loss(scores, labels, self.label_smoothing)
            self._went_wrong(self.steps - steps + count.sound + 1, x, dscores, float(loss))
        self.loss_sum += count.loss_sum
        self.right += count.right

    def _went_wrong(self, step: int, x: Array, dscores: Array, loss: float) -> None:
        what = "a gradient is not finite" if np.isfinite(loss) else f"the loss is {loss}"
        where = first_not_finite(self.net, x, dscores)
        raise InputError(
            f"{what} in epoch {self.epoch}, step {step}, with lr "
            f"{self.optimizer.lr:.3g}: try a smaller one"
            + (f". It began in {where}" if where else "")
        )

    def _end_epoch(self) -> None:
        began, test = time.perf_counter(), None
        if self.epoch == self.epochs or not self.test_at_end:
            with np.errstate(over="ignore", invalid="ignore"):  # reported below
                test = evaluate(self.net, self.data.test, mean=self.mean, std=self.std)
            self.tested = test
            if not np.isfinite(test.loss):
                raise InputError(
                    f"the test loss is {test.loss} after epoch {self.epoch}, with lr "
                    f"{self.optimizer.lr:.3g}: try a smaller one"
                )
        self.history.append(
            Epoch(
                self.epoch,
                self.loss_sum / self.images,
                self.right / self.images,
                None if test is None else test.loss,
                None if test is None else test.accuracy,
                self.optimizer.lr,
                self.seconds + time.perf_counter() - began,
                self.images / self.seconds,
            )
        )
        self.epoch += 1
        self.steps = self.images = self.right = 0
        self.loss_sum = self.seconds = 0.0


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
    test_at_end: bool = False,
    profile: Profile | None = None,
    watchers: Iterable[Watcher] = (),
) -> History:
    """Train `net` on `data.train`, test it on `data.test` after each epoch; returns the history.

    With `test_at_end` the test images are used once, after the last epoch. `rng` draws the order of
    the images and what `augment` does to them. `schedule` gives the learning rate of each step;
    without it the optimizer keeps its own. `profile` records where the time goes, and `watchers`
    are told of each step and epoch. Ctrl-C stops after the current step: the history is then
    `interrupted`. Raises `InputError` for fewer than one epoch, and when the loss or a gradient is
    not finite; see `Training`.
    """
    training = Training(
        net,
        data,
        optimizer,
        epochs=epochs,
        rng=rng,
        batch_size=batch_size,
        schedule=schedule,
        augment=augment,
        label_smoothing=label_smoothing,
        test_at_end=test_at_end,
    )
    return training.run(profile=profile, watchers=watchers)


def _loss(scores: Array, labels: Array, label_smoothing: float) -> tuple[Array, Array]:
    """The loss, and its gradient with respect to the scores."""
    loss, saved = ops.softmax_cross_entropy(scores, labels, label_smoothing=label_smoothing)
    return loss, ops.softmax_cross_entropy_backward(1.0, saved)


def _untimed(_: str, function: Callable[[], Result]) -> Result:
    return function()
