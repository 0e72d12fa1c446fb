"""Who trains the points: the processes of this machine."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Protocol

from minise.sweep.point import Point, State
from minise.sweep.work import train_point


class Engine(Protocol):
    """Hands points to workers."""

    def train(self, points: Iterable[Point], sweep: Path) -> Iterator[State]:
        """Have each point trained; yields a state whenever a worker is done with one."""


class Processes:
    """Worker processes of this machine, each with one thread."""

    def __init__(self, workers: int) -> None:
        self.workers = workers

    def train(self, points: Iterable[Point], sweep: Path) -> Iterator[State]:
        """Have each point trained. Ends early where a worker dies."""
        import joblib
        from joblib.externals.loky.process_executor import TerminatedWorkerError

        with joblib.parallel_config("loky", inner_max_num_threads=1):
            parallel = joblib.Parallel(
                self.workers, return_as="generator_unordered", batch_size=1, pre_dispatch="all"
            )
            try:
                yield from parallel(joblib.delayed(train_point)(point, sweep) for point in points)
            except TerminatedWorkerError:
                return
