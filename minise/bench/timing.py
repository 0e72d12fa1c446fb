"""Timing: several ways to do one thing, alternated, so that disturbances affect them all."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple, TypeAlias

import numpy as np

Clock: TypeAlias = Callable[[], float]

ROUNDS = 7
LONG_ENOUGH = 0.02  # seconds that the calls of one round take: a clock's cost is then negligible
# Seconds of rest first: the threads of the library that ran last watch for more work for up to ten
# milliseconds, on processors that the next one needs.
RESTING = 0.03
SETTLING = 0.003  # seconds of untimed calls then: the caches are full of the other's arrays


class Measured(NamedTuple):
    """The median of several measurements, in seconds of one call, or in bytes."""

    median: float
    low: float  # the first quartile
    high: float  # the third
    rounds: int

    @property
    def spread(self) -> float:
        """Half of the interquartile range, relative to the median."""
        return (self.high - self.low) / 2 / self.median if self.median else 0.0


def summarise(samples: Iterable[float]) -> Measured:
    """Median and quartiles."""
    values = list(samples)
    low, median, high = np.percentile(values, [25, 50, 75])
    return Measured(float(median), float(low), float(high), len(values))


def nothing() -> None:
    """Nothing to wait for."""


def alternate(
    calls: Mapping[str, Callable[[], object]],
    *,
    seconds: float,
    rounds: int = ROUNDS,
    clock: Clock = time.perf_counter,
    wait: Callable[[], object] = nothing,
    sleep: Callable[[float], object] = time.sleep,
) -> dict[str, Measured]:
    """Time all `calls` in turn, for at least this many rounds and seconds in all.

    In each round, each of them is called often enough to take `LONG_ENOUGH`; each round begins
    with another of them. `wait` waits for work that calls only launch, as on a GPU: once after all
    calls of a round, since a training does not wait for each of its steps either.
    """
    counts = {name: _count(call, clock, wait) for name, call in calls.items()}
    samples: dict[str, list[float]] = {name: [] for name in calls}
    order = list(calls)
    began = clock()
    done = 0
    while done < rounds or clock() - began < seconds:
        for name in order:
            sleep(RESTING)
            samples[name].append(_one_call(calls[name], counts[name], clock, wait))
        order.append(order.pop(0))
        done += 1
    return {name: summarise(values) for name, values in samples.items()}


def _count(call: Callable[[], object], clock: Clock, wait: Callable[[], object]) -> int:
    call()  # compiles what is needed
    wait()
    took = []
    for _ in range(3):
        began = clock()
        call()
        wait()
        took.append(clock() - began)
    return max(1, math.ceil(LONG_ENOUGH / max(min(took), 1e-9)))


def _one_call(
    call: Callable[[], object], count: int, clock: Clock, wait: Callable[[], object]
) -> float:
    """Seconds of one call, out of `count` of them."""
    settled = clock() + SETTLING
    call()
    wait()
    while clock() < settled:
        call()
        wait()
    began = clock()
    for _ in range(count):
        call()
    wait()
    return (clock() - began) / count
