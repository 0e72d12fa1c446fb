"""A training step that is recorded once, as a CUDA graph, and then replayed.

Launching a step of a small net, a hundred kernels of a few microseconds, takes longer than running
it.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import cupy

from minise.arrays import Array
from minise.kernels.cupy.cublas import without_cublas
from minise.work import TakeStep


class Recorded(NamedTuple):
    """A step as a CUDA graph, and the arrays that it takes its batch from."""

    graph: Any
    x: Array
    labels: Array


class Replay:
    """A step that is recorded once and then replayed, for batches of each shape.

    The first batch of a shape goes through `step` itself, so that all kernels are compiled when the
    second is recorded. The arrays that a recording makes are in memory of its own, which nothing
    else is given. Where CuPy refuses to record, every batch goes through `step`.
    """

    def __init__(self, step: TakeStep) -> None:
        self.step = step
        self.recorded: dict[tuple[int, ...], Recorded | None] = {}  # None: a batch was seen
        self.refused = False
        self._pool = cupy.cuda.MemoryPool()

    def __call__(self, x: Array, labels: Array) -> None:
        """A step with the batch x, labels."""
        if x.shape in self.recorded and self.recorded[x.shape] is None and not self.refused:
            self._record(x, labels)
        if recorded := self.recorded.setdefault(x.shape, None):
            recorded.x[...] = x
            recorded.labels[...] = labels
            recorded.graph.launch()
        else:
            with self._alone():
                self.step(x, labels)

    def _record(self, x: Array, labels: Array) -> None:
        x, labels = x.copy(), labels.copy()
        stream = cupy.cuda.get_current_stream()
        try:
            with self._alone():
                stream.begin_capture()
                try:
                    self.step(x, labels)
                finally:
                    graph = stream.end_capture()
        except RuntimeError as error:  # of CuPy or CUDA; no part of the step was done
            self.refused = True
            warnings.warn(
                f"a training step cannot be recorded as a CUDA graph ({error}); it is slower so",
                RuntimeWarning,
                stacklevel=2,
            )
            return
        self.recorded[x.shape] = Recorded(graph, x, labels)

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """With memory of its own, and without anything that cannot be recorded."""
        with cupy.cuda.using_allocator(self._pool.malloc), without_cublas():
            yield
