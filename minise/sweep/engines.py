"""Who trains the points: the processes of this machine."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
import time
import warnings
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, wait
from pathlib import Path
from typing import Any, Protocol

from minise.runs.lock import is_free
from minise.sweep.point import Point
from minise.sweep.work import ORPHANED, Work

TICK = 0.2  # seconds after which an engine lets its caller do something else
# Variables that hold libraries to one thread; Apple's does not follow the others' pattern.
LIBRARIES = "NUMBA", "OMP", "OPENBLAS", "MKL", "BLIS", "NUMEXPR"
ONE_THREAD = {f"{name}_NUM_THREADS": "1" for name in LIBRARIES} | {"VECLIB_MAXIMUM_THREADS": "1"}


class Engine(Protocol):
    """Hands points to workers."""

    workers: int  # about as many train at the same time

    def train(self, points: Iterable[Point], work: Work) -> Generator[str | None, None, None]:
        """Have some worker do `work(point)` once for each point, if none of them dies.

        Ends when all are back or dead. Yields what the work returned, and some times a second
        None, so that the caller can show progress, or ask the workers to stop; it closes the
        iterator to have them stopped at once.
        """


class Processes:
    """Worker processes of this machine, each with one thread.

    Each is a pool of its own: loky ends all workers of a pool where one dies.
    """

    def __init__(self, workers: int) -> None:
        self.workers = workers

    def train(self, points: Iterable[Point], work: Work) -> Generator[str | None, None, None]:
        """See `Engine`. The workers end, after their steps, also where this process is killed."""
        from loky.process_executor import BrokenProcessPool, ProcessPoolExecutor

        # of one that grew by 300 MB, as with other images, and was replaced
        warnings.filterwarnings("ignore", "A worker stopped while some jobs", UserWarning)
        waiting = deque((point, False) for point in points)  # and whether its process has died
        idle: list[Any] = []
        busy: dict[Future[str | None], tuple[Any, Point, bool]] = {}

        def start() -> Any:
            return ProcessPoolExecutor(
                1,
                initializer=_end_with,
                initargs=(work.sweep / work.driver,),
                env=ONE_THREAD,
            )

        _start_trackers()
        try:
            while waiting or busy:
                while waiting and len(busy) < self.workers:
                    worker = idle.pop() if idle else start()
                    try:
                        point, died = waiting[0]
                        with _deaf():  # the process of a new worker starts here
                            busy[worker.submit(_do, work, point)] = worker, point, died
                        waiting.popleft()
                    except BrokenProcessPool:  # it died while it had nothing to do
                        worker.shutdown(wait=False)
                while idle and not waiting:
                    idle.pop().shutdown(wait=False)
                done, _ = wait(busy, TICK, FIRST_COMPLETED)
                for future in done:
                    worker, point, died = busy.pop(future)
                    try:
                        said = future.result()
                        idle.append(worker)
                    except BrokenProcessPool:  # it died: the point's folder tells how far it came
                        worker.shutdown(wait=False)
                        said = None
                        if not died:  # where that is repeated, the next round decides
                            waiting.append((point, True))
                    yield said
                yield None
        finally:
            for worker in (*idle, *(worker for worker, _, _ in busy.values())):
                worker.shutdown(wait=True, kill_workers=True)


def _start_trackers() -> None:
    """Start two processes of loky and Python, which would else start with the first worker.

    Whoever starts them is no longer deaf: they end that, so that worker would hear Ctrl-C.
    """
    if os.name != "nt":
        from multiprocessing import resource_tracker

        from loky.backend import resource_tracker as of_loky

        resource_tracker.ensure_running()
        of_loky.ensure_running()


@contextlib.contextmanager
def _deaf() -> Iterator[None]:
    """Within a `with`, processes are started that a terminal's Ctrl-C does not reach.

    Nor does the end of the terminal. They are asked to stop in another way, and who still imports
    minise would show a traceback.
    """
    if os.name == "nt":
        ignore: Callable[[None, bool], int] = _kernel32().SetConsoleCtrlHandler
        ignore(None, True)
        try:
            yield
        finally:
            ignore(None, False)
    else:
        before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGHUP})
        try:
            yield
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _kernel32() -> Any:
    import ctypes

    return getattr(ctypes, "windll").kernel32  # noqa: B009  (which other systems do not have)


_WORKING = threading.Lock()


def _do(work: Work, point: Point) -> str | None:
    with _WORKING:
        try:
            return work(point)
        except Exception as error:  # a fault of minise
            return f"{point.name}: {type(error).__name__}: {error}"


def _end_with(driver: Path) -> None:
    """Let this process end when the one that owns the lock `driver` does, in whatever way."""

    def watch() -> None:
        while not is_free(driver):
            time.sleep(1)
        ORPHANED.set()
        with _WORKING:  # a training stops after its step
            os._exit(0)

    threading.Thread(target=watch, name="end with the sweep", daemon=True).start()
