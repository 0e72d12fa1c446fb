"""All points of a sweep, until each is finished or has failed."""

from __future__ import annotations

import os
import secrets
import time
from collections import Counter
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

from minise.errors import InputError
from minise.files import check_writable
from minise.runs.config import Config
from minise.runs.folder import LOCK
from minise.runs.lock import Lock, is_free, locked, silence
from minise.runs.run import Every
from minise.sweep.check import Nets, check_all
from minise.sweep.engines import TICK, Engine
from minise.sweep.images import images_of
from minise.sweep.point import ENDED, Point, State
from minise.sweep.work import Work
from minise.train.signals import StopSignals

SUSPECT = 2  # deaths of its processes in succession, after which a point waits for all others
DRIVER = ".driver-"  # begins the names of the locks of processes that run the sweep
LONG = 86_400  # seconds; jobs of a cluster may outlive them
IDLE = 5  # rounds in succession without any work, after which something must be wrong


class Sweep:
    """Points and the folder that is their record: whoever starts it again goes on with it.

    Each point is there once. Raises `InputError` where one of them cannot be trained.
    """

    def __init__(self, configs: Sequence[Config], folder: Path) -> None:
        self.folder, self.nets, self.asked_to_stop = folder, Nets(), False
        check_all(configs, self.nets)
        points = [Point(config, images_of(config.data).fingerprint) for config in configs]
        by_name: dict[str, Point] = {}
        for point in points:
            by_name.setdefault(point.name, point)
        self.points = list(by_name.values())
        self._idle = 0  # rounds in succession in which no worker did anything

    def check_folder(self) -> None:
        """Raises `InputError` where the folder can be none."""
        there = next(p for p in (self.folder, *self.folder.absolute().parents) if os.path.exists(p))
        if not there.is_dir():
            raise InputError(f"{self.folder}: cannot be created: {there} is a file")

    def make_folder(self) -> None:
        """Make the folder. Raises `InputError` where it cannot be, or cannot be written to."""
        self.check_folder()
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise InputError(f"{self.folder}: cannot be created: {error.strerror}") from None
        check_writable(self.folder)

    def states(self) -> list[State]:
        """How far each point is."""
        return [point.state(self.folder) for point in self.points]

    def retry_failed(self) -> None:
        """Forget that points have failed."""
        for point in self.points:
            point.retry(self.folder)

    def stop(self) -> None:
        """Let the workers stop after their steps, as Ctrl-C does."""
        self.asked_to_stop = True

    def run(
        self,
        engine: Engine,
        show: Callable[[], None] = lambda: None,
        every: Every = Every(1, "minute"),  # noqa: B008  (it never changes)
    ) -> Counter[State]:
        """Train what is left; returns how many points are in each state.

        Points that another process trains are waited for. `show` is called some times a second.
        Ctrl-C or SIGTERM stops the workers after their steps, and a second one at once, with a
        `KeyboardInterrupt`. They keep a checkpoint as often as `every` says, and when they stop.

        Raises `InputError` where a worker could not work: it finds other images, or another folder.
        """
        driver, trouble, told = f"{DRIVER}{secrets.token_hex(6)}", "", False
        self.asked_to_stop = False
        self.make_folder()
        self._clean()
        with StopSignals() as signals, self._locked(driver) as lock:
            work = Work(self.folder.absolute(), driver, every)
            while not self.asked_to_stop and (left := self._left()):
                with closing(self._round(left, engine, work)) as training:
                    for said in training:
                        trouble = trouble or said or ""
                        if signals.requested or trouble:
                            self.stop()
                        if self.asked_to_stop and not told:
                            told = True
                            lock.tell(stop=True, now=True)
                        show()
        if trouble:
            raise InputError(trouble)
        return Counter(self.states())

    @contextmanager
    def _locked(self, driver: str) -> Iterator[Lock]:
        with ExitStack() as stack:
            try:
                lock = stack.enter_context(locked(self.folder / driver))
            except OSError as error:  # the disk is full
                raise InputError(f"{self.folder}: cannot be written to: {error.strerror}") from None
            yield lock

    def _clean(self) -> None:
        """Remove the locks of processes that ran the sweep and were killed long ago."""
        for path in self.folder.glob(f"{DRIVER}*"):
            if silence(path) > LONG and is_free(path):
                path.unlink(missing_ok=True)

    def _left(self) -> list[Point]:
        """Those to train, and those whose process died when only its tidying was left."""
        return [
            point
            for point in self.points
            if (state := point.state(self.folder)) not in ENDED
            or (state is State.DONE and (self.folder / point.name / LOCK).exists())
        ]

    def _round(
        self, left: list[Point], engine: Engine, work: Work
    ) -> Generator[str | None, None, None]:
        """Have those trained that nobody trains now; or wait for a second where there are none."""
        free = [point for point in left if is_free(self.folder / point.name / LOCK)]
        usual = [point for point in free if point.tries(self.folder) < SUSPECT]
        # what has killed its process more than once is tried last, and alone
        chosen = usual or free[:1]
        before = self._marks(chosen)
        if chosen:
            with closing(engine.train(chosen, work)) as training:
                yield from training
        if self._marks(chosen) == before:
            self._idle += bool(chosen)
            if self._idle > IDLE:
                yield "the workers end before they begin to train: what do they say above?"
            for _ in range(round(1 / TICK)):
                time.sleep(TICK)
                yield None
        else:
            self._idle = 0

    def _marks(self, points: list[Point]) -> list[tuple[State, int]]:
        """What changes in the folders of points where anybody works."""
        return [(point.state(self.folder), point.tries(self.folder)) for point in points]
