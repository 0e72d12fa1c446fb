"""Ctrl-C asks a training to stop after its step; a second one stops it at once.

So do a request to end, Ctrl-Break on Windows, and a terminal that was closed.
"""

from __future__ import annotations

import signal
import threading
from types import FrameType, TracebackType
from typing import Any

# What is taken over, if nobody else has: what the interpreter does with them by itself.
_DEFAULTS: dict[int, Any] = {
    signal.SIGINT: signal.default_int_handler,
    signal.SIGTERM: signal.SIG_DFL,
    **{
        getattr(signal, name): signal.SIG_DFL
        for name in ("SIGHUP", "SIGBREAK")  # where the system has them
        if hasattr(signal, name)
    },
}


class StopSignals:
    """Within a `with`, SIGINT, SIGTERM, SIGHUP and SIGBREAK set `requested`; the second interrupts.

    Only SIGHUP never does: of a terminal that is closed the shell and the system may each send it.
    Python hands signals to the main thread alone: in another nothing is taken over, nor where
    somebody else has a handler of their own.
    """

    def __init__(self) -> None:
        self.requested = False
        self._taken: list[int] = []

    def __enter__(self) -> StopSignals:
        if threading.current_thread() is threading.main_thread():
            for number, default in _DEFAULTS.items():
                if signal.getsignal(number) == default:
                    signal.signal(number, self._ask)
                    self._taken.append(number)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        for number in self._taken:
            signal.signal(number, _DEFAULTS[number])

    def _ask(self, number: int, frame: FrameType | None) -> None:
        if self.requested and number != getattr(signal, "SIGHUP", None):
            raise KeyboardInterrupt
        self.requested = True
