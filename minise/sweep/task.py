"""What workers of clusters are given: a point to train, if they have the sweep's minise.

All that an engine does is to have this called with each point on some machine. The folder of the
sweep, on a disk that the machines share, says what came of it.
"""

from __future__ import annotations

import socket
import threading
from typing import NamedTuple

from minise.runs.environment import sources
from minise.sweep.point import Point
from minise.sweep.work import Work
from minise.version import __version__

_WORKING = threading.Lock()


class Task(NamedTuple):
    """What workers of a cluster are given: `work`, and which minise is to do it.

    Call it with a point. A process trains one point at a time, however many threads call.
    """

    work: Work
    minise: str

    def __call__(self, point: Point) -> str | None:
        """As `Work`. Where minise is another one here, that is what it returns."""
        if (here := minise_here()) != self.minise:
            return (
                f"{socket.gethostname()}: the worker has minise {here}, the sweep {self.minise}: "
                "install the same on all machines"
            )
        with _WORKING:
            return self.work(point)


def minise_here() -> str:
    """The version of minise, and a digest of the sources that a training uses."""
    return f"{__version__} ({sources()})"
