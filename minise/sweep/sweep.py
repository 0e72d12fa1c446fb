"""All points of a sweep, until each is finished or has failed."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

from minise.runs.config import Config
from minise.sweep.engines import Engine
from minise.sweep.point import FAILED, Point, State
from minise.sweep.work import STOP, fingerprint_of


class Sweep:
    """Points and the folder that is their record: whoever starts it again goes on with it."""

    def __init__(self, configs: Sequence[Config], folder: Path) -> None:
        self.folder = folder
        self.points = [Point(config, fingerprint_of(config.data)) for config in configs]

    def states(self) -> list[State]:
        """How far each point is."""
        return [point.state(self.folder) for point in self.points]

    def retry_failed(self) -> None:
        """Forget that points have failed."""
        for point in self.points:
            with suppress(FileNotFoundError):
                (self.folder / point.name / FAILED).unlink()

    def run(self, engine: Engine, show: Callable[[], None] = lambda: None) -> Counter[State]:
        """Train what is left; returns how many points are in each state.

        Points that another process trains are waited for. `show` is called whenever one is done.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / STOP).unlink(missing_ok=True)
        while left := [p for p in self.points if p.state(self.folder) not in ENDED]:
            for _ in engine.train(left, self.folder):
                show()
            if (self.folder / STOP).exists():
                break
            if all(p.state(self.folder) is State.RUNNING for p in left):
                time.sleep(1)
        return Counter(self.states())


ENDED = State.DONE, State.FAILED
