"""A training step next to programs that keep the processors busy.

Each figure is from a separate process, which takes steps for a while next to neighbours that were
started before it, each in its own session, like programs of another terminal: Linux gives each
session the same share, if there are enough processors.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

from minise import backend
from minise.bench.case import Variant
from minise.bench.cases import images
from minise.bench.memory import trainer_of
from minise.bench.runner import import_pytorch
from minise.bench.timing import Measured, summarise

NET, BATCH = "se-cnn", 64
BEFORE = 0.5  # seconds that neighbours run before anything is measured

# Hashing lets other threads of the same process run. It ends with its parent.
_BUSY = """
import hashlib, os, threading
parent, data = os.getppid(), bytes(1 << 20)
def work():
    while os.getppid() == parent:
        hashlib.sha256(data).digest()
for _ in range({threads}):
    threading.Thread(target=work).start()
"""


class Neighbours(NamedTuple):
    """Programs that compute endlessly."""

    about: str
    processes: int
    threads: int = 1  # of each


NEIGHBOURS = (
    Neighbours("none", 0),
    Neighbours("one busy process", 1),
    Neighbours("one with two busy threads", 1, 2),
    Neighbours("seven busy processes", 7),
)


class Beside(NamedTuple):
    """Seconds of a step next to these neighbours, with as many threads for both libraries."""

    neighbours: Neighbours
    minise: Measured
    one_thread: Measured
    pytorch: Measured | None


def run_loaded(
    *, threads: int, seconds: float, on_row: Callable[[str], None] = lambda about: None
) -> list[Beside]:
    """Measure a step of se-cnn next to each of `NEIGHBOURS`; each figure takes `seconds`.

    The case "step-se-cnn-64" of `run` checks that both libraries compute the same.
    """
    with_pytorch = import_pytorch() is not None
    rows = []
    for neighbours in NEIGHBOURS:
        on_row(neighbours.about)
        with busy(neighbours):
            rows.append(
                Beside(
                    neighbours,
                    _measure(None, threads, seconds),
                    _measure(None, 1, seconds),
                    _measure(Variant(channels_last=True), threads, seconds)
                    if with_pytorch
                    else None,
                )
            )
    return rows


@contextmanager
def busy(neighbours: Neighbours) -> Iterator[None]:
    """Run the neighbours during the block."""
    code = _BUSY.format(threads=neighbours.threads)
    apart: dict[str, Any] = {"start_new_session": True}
    if os.name == "nt":
        apart = {"creationflags": subprocess.CREATE_NEW_PROCESS_GROUP}  # type: ignore[attr-defined]
    started: list[subprocess.Popen[bytes]] = []
    try:
        for _ in range(neighbours.processes):
            started.append(subprocess.Popen([sys.executable, "-c", code], **apart))
        time.sleep(BEFORE if started else 0)
        yield
    finally:
        for process in started:
            process.kill()
            process.wait()


def _measure(variant: Variant | None, threads: int, seconds: float) -> Measured:
    settings = {
        "net": NET,
        "threads": threads,
        "variant": variant,
        "seconds": seconds,
        "backend": backend.current().name,
    }
    code = "from minise.bench import loaded; loaded.child()"
    command = [sys.executable, "-c", code, json.dumps(settings)]
    done = subprocess.run(command, stdout=subprocess.PIPE, check=True)
    return Measured(*json.loads(done.stdout))


def child() -> None:
    """What the separate process runs; prints the fields of `Measured`."""
    settings = json.loads(sys.argv[1])
    backend.use(settings["backend"])
    trainer = trainer_of(settings)
    batch = trainer.place(images(NET, BATCH))
    for _ in range(3):
        trainer.step(*batch)
    samples: list[float] = []
    ends = time.perf_counter() + settings["seconds"]
    while time.perf_counter() < ends or len(samples) < 3:
        began = time.perf_counter()
        trainer.step(*batch)
        samples.append(time.perf_counter() - began)
    print(json.dumps(summarise(samples)))
