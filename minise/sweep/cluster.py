"""The workers of a Dask scheduler, and which engine was asked for.

Dask is asked without joblib's backend for it: that waits for ever where a task has killed several
workers, of which it tells nobody (joblib 1.6).
"""

from __future__ import annotations

import contextlib
import gc
import logging
import socket
import threading
import time
import warnings
from collections.abc import Generator, Iterable, Iterator, Sequence
from typing import Any

from minise.cores import cores
from minise.errors import InputError
from minise.runs.folder import LOCK
from minise.runs.lock import is_free
from minise.sweep.engines import TICK, Engine, Processes
from minise.sweep.point import Point
from minise.sweep.task import Task, minise_here
from minise.sweep.work import Work

PATIENCE = 30.0  # seconds in which a scheduler must answer: as many as Dask itself has
MOMENT = 2.0  # seconds in which somebody must listen where an address was typed
ASKS = "asks the scheduler"  # the name of a thread


def engine_of(workers: int | None, scheduler: str | None, slurm: Sequence[str]) -> Engine:
    """That of `--scheduler` or `--slurm`; where neither is given, processes of this machine.

    Raises `InputError` where two are asked for, or the cluster cannot be reached.
    """
    asked = {"--workers": workers, "--scheduler": scheduler, "--slurm": slurm}
    if len(several := [name for name, value in asked.items() if value]) > 1:
        raise InputError(f"{' and '.join(several)}: expected one of them")
    if scheduler:
        return Dask(scheduler)
    if slurm:
        from minise.sweep.slurm import Slurm, read_slurm

        return Slurm(read_slurm(slurm))
    return Processes(workers or cores())


class Dask:
    """The workers of a Dask scheduler, also those that come later.

    `workers` is how many there are now; `advice` says what should be changed about them. Raises
    `InputError` where no scheduler answers at the address.
    """

    def __init__(self, address: str) -> None:
        self.address = address
        with _client(address, typed=True) as client:
            threads = client.nthreads().values()
        self.workers = max(1, len(threads))
        self.advice = ""
        start = f"dask worker {address} --nworkers 4 --nthreads 1"
        if not threads:
            self.advice = f"{address} has no workers yet, the points wait for some: {start}"
        elif max(threads) > 1:
            self.advice = f"a worker trains one point at a time; one for each core: {start}"

    def train(self, points: Iterable[Point], work: Work) -> Generator[str | None, None, None]:
        """See `Engine`."""
        task = Task(work, minise_here())
        with contextlib.ExitStack() as stack:
            try:
                client = stack.enter_context(_client(self.address))
            except InputError:
                raise InputError(
                    f"the Dask scheduler at {self.address} has gone: start it and its workers "
                    "again, at the same address; the same command then continues"
                ) from None
            points = list(points)
            left = dict(enumerate(client.map(task, points, pure=False)))
            stopping = False
            try:
                while left:
                    if work.stopped and not stopping:
                        stopping = True  # there may be no worker to give back what waits
                        locks = {k: work.sweep / points[k].name / LOCK for k in left}
                        client.cancel([left[k] for k in left if is_free(locks[k])])
                    for k in [k for k, future in left.items() if future.done()]:
                        yield self._said(left.pop(k))
                    yield None
                    time.sleep(TICK)
            finally:
                if left:
                    # those that run see that the driver has gone
                    client.cancel(list(left.values()))

    def _said(self, future: Any) -> str | None:
        """What a worker returned, or what prevented that."""
        from distributed import KilledWorker

        if future.status == "finished":
            said: str | None = future.result()
            return said
        if future.status == "cancelled":  # the scheduler was lost: the next round asks it again
            return None
        error = future.exception()
        if isinstance(error, KilledWorker):  # several died: the point's folder tells how far it is
            return None
        if isinstance(error, ImportError) and (error.name or "").startswith("minise"):
            return "a Dask worker has no minise, or an older one: install the same on all machines"
        return f"a Dask worker could not take a point: {type(error).__name__}: {error}"


@contextlib.contextmanager
def _client(address: str, *, typed: bool = False) -> Iterator[Any]:
    """One of the scheduler at an address, which may be a slip of the pen where it was `typed`."""
    try:
        from distributed import Client
    except ImportError as error:
        raise InputError(
            "--scheduler needs the packages dask and distributed: "
            f'python -m pip install "dask[distributed]" ({error})'
        ) from None
    for name in ("distributed", "distributed.client", "tornado", "tornado.application"):
        logging.getLogger(name).setLevel(logging.CRITICAL)  # what matters of it is told here
    found: list[Any] = []

    def connect() -> None:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # versions that matter are compared by `Task`
                client: Any = Client
                found.append(client(address, timeout=PATIENCE, set_as_default=False))
        except Exception as error:  # a MemoryError, too, where a web server answers
            found.append(str(error) if isinstance(error, ValueError) else "")
        if isinstance(found[0], str):
            # What is left of the client goes here: it takes a lock, for which it would wait for
            # ever where the garbage collector comes upon it while another client starts.
            gc.collect()

    # in a thread, as a server that is none of Dask's may let a client wait for ever
    thread = threading.Thread(target=connect, name=ASKS, daemon=True)
    thread.start()
    thread.join(MOMENT)
    why = _refusal(address) if typed and not any(found) else ""
    if not why:
        thread.join(1.5 * PATIENCE)
    if not found or isinstance(found[0], str):
        why = why or "".join(found)
        raise InputError(
            f"--scheduler {address}: no Dask scheduler answers there{f' ({why})' if why else ''}; "
            "expected the address that dask scheduler prints, as in tcp://10.0.0.5:8786"
        )
    try:
        yield found[0]
    finally:
        with contextlib.suppress(Exception):
            found[0].close(timeout=2)


def _refusal(address: str) -> str:
    """Why the system connects nobody to the address; nothing where it does, or takes its time."""
    from distributed.comm.addressing import get_address_host_port

    try:
        socket.create_connection(get_address_host_port(address), PATIENCE).close()
    except (TimeoutError, ValueError):  # or it is no address of a machine
        return ""
    except OSError as error:
        return str(error.strerror)
    return ""
