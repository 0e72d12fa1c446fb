"""Captured work, to be done as often as one likes."""

from __future__ import annotations

from collections.abc import Callable

from cupy import stand_in


class Graph:
    """The steps of a capture. They hold memory by its address alone, not the arrays in it."""

    def __init__(self, steps: list[Callable[[], None]]) -> None:
        self._steps = steps

    def launch(self, stream: object = None) -> None:
        from cupy.cuda import stream as streams

        stand_in.launches += 1
        recording = streams.recording_of(stream or streams.get_current_stream())
        if recording:
            recording.steps.append(self._run)
        else:
            with streams.lock:
                self._run()

    def upload(self, stream: object = None) -> None:
        """Nothing to do here; on a GPU, the first launch is faster afterwards."""

    def _run(self) -> None:
        for step in self._steps:
            step()
