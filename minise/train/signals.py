"""Ctrl-C asks a training to stop after its step; a second one stops it at once.

So do SIGTERM, Ctrl-Break on Windows, and closing the terminal.
"""

from __future__ import annotations

import signal
import threading
from types import FrameType, TracebackType
from typing import Any

# The signals that are taken over, each only from the interpreter's own handler.
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

    Only SIGHUP never does: when a terminal closes, the shell and the system may each send one.
    Python delivers signals to the main thread alone: in another thread nothing is taken over, nor
    is a signal that has a handler already.
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
