"""How long a sweep will take, from a few measured steps of its nets."""

from __future__ import annotations

import heapq
import itertools
import math
import time
import warnings
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np

from minise import backend, train
from minise.data import Dataset, Split, shift_and_rotate
from minise.runs.config import Config, training_of
from minise.runs.run import METRICS
from minise.sweep.check import Nets, make, net_of
from minise.sweep.images import images_of
from minise.sweep.point import ENDED, Point, State
from minise.train.history import Epoch, Step
from minise.train.watcher import Watcher

STEPS = 4  # that are taken; in the first two memory is found, and the net's loops are noted down
SECONDS = 0.5  # in which nets are measured, one at least


class Pace(NamedTuple):
    """How fast a net learns and is tested, with one thread."""

    step: float  # seconds
    image: float  # seconds for a test image
    measured: bool = True

    def seconds(self, config: Config, epochs: int) -> float:
        """What so many epochs of a training take."""
        learned, tested = images_of(config.data).used_by(config)
        steps = epochs * math.ceil(learned / config.batch_size)
        tests = 1 if config.test_at_end else epochs
        return steps * self.step + tests * tested * self.image


class Estimate:
    """The time that points take: those of the nets that take most of it are measured.

    `prepare(work)` is called before the steps in `work` are taken for the first time: kernels may
    be compiled then. Of the nets that are left when `SECONDS` are over, the step is taken to be as
    much longer than a measured one as they have more multiply-adds.
    """

    def __init__(
        self,
        points: Sequence[Point],
        nets: Nets,
        prepare: Callable[[Callable[[], object]], object] = lambda work: None,
    ) -> None:
        configs = {_kind(point.config): point.config for point in points}
        work: Counter[str] = Counter()
        for point in points:
            images, _ = images_of(point.config.data).used_by(point.config)
            work[_kind(point.config)] += (
                point.config.epochs * images * nets.multiply_adds(point.config)
            )
        self._paces: dict[str, Pace] = {}
        spent = 0.0
        order = [kind for kind, _ in work.most_common()]
        first = {configs[kind].model: kind for kind in reversed(order)}  # of each name
        for kind in sorted(order, key=lambda kind: kind not in first.values()):
            if self._paces and spent > SECONDS:
                break
            prepare(partial(warm_up, configs[kind]))
            began = time.process_time()
            self._paces[kind] = measured(configs[kind])
            spent += time.process_time() - began  # of this one, whatever else the machine does
        known = {kind: _size(configs[kind], nets) for kind in self._paces}
        for kind in work.keys() - self._paces.keys():
            self._paces[kind] = self._like(configs[kind], configs, known, nets)

    def _like(
        self, config: Config, configs: dict[str, Config], known: dict[str, float], nets: Nets
    ) -> Pace:
        """The pace of a net that was not measured, from one of the same name, if there is one."""
        alike = [kind for kind in known if configs[kind].model == config.model] or list(known)
        times = _size(config, nets) / known[alike[0]]
        step, image, _ = self._paces[alike[0]]
        of_image = times * configs[alike[0]].batch_size / config.batch_size
        return Pace(step * times, image * of_image, measured=False)

    def pace(self, config: Config) -> Pace:
        """That of one of the points."""
        return self._paces[_kind(config)]

    @property
    def measured(self) -> int:
        """How many nets were."""
        return sum(pace.measured for pace in self._paces.values())

    @property
    def kinds(self) -> int:
        """How many nets there are; with another batch size or images it is another."""
        return len(self._paces)

    def seconds(self, point: Point, epochs: int) -> float:
        """What so many epochs of a point take, on one core."""
        return self.pace(point.config).seconds(point.config, epochs)


def epochs_left(point: Point, state: State, sweep: Path) -> int:
    """Those that a point in this state still has to learn in the folder of a sweep."""
    if state in ENDED:
        return 0
    if state is State.WAITING:
        return point.config.epochs
    try:
        done = (sweep / point.name / METRICS).read_bytes().count(b"\n")
    except OSError:
        done = 0
    return max(0, point.config.epochs - done)


def together(seconds: Sequence[float], workers: int) -> float:
    """How long so many workers take, if whoever is free first takes the next."""
    ends = [0.0] * max(1, min(workers, len(seconds)))  # of what each has to do; a heap
    for each in seconds:
        heapq.heapreplace(ends, ends[0] + each)
    return max(ends)


def _kind(config: Config) -> str:
    """What a step's time depends on."""
    return f"{net_of(config)} {config.batch_size} {config.augment}"


def _size(config: Config, nets: Nets) -> float:
    """Multiply-adds of a step."""
    return float(max(1, nets.multiply_adds(config)) * config.batch_size)


def measured(config: Config) -> Pace:
    """The pace of a training of the configuration, on images of random bytes.

    Raises `KeyboardInterrupt` where it is stopped.
    """
    learned, _ = images_of(config.data).used_by(config)
    config = config._replace(batch_size=min(learned, config.batch_size))
    images = images_of(config.data)
    rng, count = np.random.default_rng(0), STEPS * config.batch_size
    labels = np.arange(max(count, images.num_classes)) % images.num_classes
    pixels = rng.integers(0, 256, (len(labels), *images.shape), np.uint8)
    few = Split(pixels[:count], labels[:count])
    # labels reach the last class, of which a dataset infers how many there are
    dataset = Dataset("random bytes", Split(pixels, labels), few)
    calm = config._replace(lr=1e-6, weight_decay=0.0, epochs=1, test_at_end=False)
    clock = _Clock()
    with backend.using_num_threads(1), warnings.catch_warnings():  # as in a worker
        warnings.simplefilter("ignore")  # such as that so few steps move nothing
        training = training_of(calm, dataset)
        training.run(watchers=[clock])
        began = time.process_time()
        if not training.history.interrupted:
            train.evaluate(training.net, few, mean=training.mean, std=training.std)
    if training.history.interrupted:
        raise KeyboardInterrupt
    image = (time.process_time() - began) / count
    return Pace(min(b - a for a, b in itertools.pairwise(clock.times)), image)


class _Clock(Watcher):
    """When each step was done."""

    def __init__(self) -> None:
        self.times: list[float] = []

    def on_step(self, step: Step) -> None:
        self.times.append(time.process_time())

    def on_epoch(self, epoch: Epoch) -> None:
        pass


def warm_up_all(configs: Iterable[Config]) -> None:
    """`warm_up` for each that has another net or other sizes of batches than those before."""
    alike = {(_kind(c), images_of(c.data).used_by(c)): c for c in configs}
    for config in alike.values():
        warm_up(config)


def warm_up(config: Config) -> None:
    """Take one step with each size of batch that a training of the configuration has."""
    images = images_of(config.data)
    learned, _ = images.used_by(config)
    net = make(config)
    full, rest = divmod(learned, config.batch_size)
    augment = shift_and_rotate if config.augment else None
    for size in [config.batch_size] * (full > 0) + [rest] * (rest > 0):
        train.warm_up(net, images.shape, size, augment)
