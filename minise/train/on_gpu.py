"""Training steps on a GPU, which nobody waits for.

The processor asks for a step and goes on to the next; what a step counts stays on the GPU, and is
read every `READ_EVERY` steps. A step of a small net is a hundred kernels of a few microseconds, and
to ask for each of them takes longer: such a step is recorded once, as a CUDA graph, and replayed.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple, TypeAlias

from minise.backend import Array, memory_explained
from minise.nn import AvgPool2d, Dropout, Layer

READ_EVERY = 50  # steps, after which what they counted is read

SMALL = 1_000_000  # parameters, up to which a step takes longer to ask for than to do

# Layers with something in their forward that a recording would not do anew: numbers that are drawn,
# arrays that are copied from the processor's memory.
_NOT_RECORDED = (Dropout, AvgPool2d)

TakeStep: TypeAlias = Callable[[Array, Array], None]  # with a batch x, labels


@contextmanager
def own_stream() -> Iterator[None]:
    """Work in a stream of one's own, since the one that all share cannot be recorded."""
    import cupy

    cupy.cuda.runtime.deviceSynchronize()  # what was asked for before is not waited for otherwise
    stream = cupy.cuda.Stream(non_blocking=True)
    with memory_explained(), stream:
        yield
        stream.synchronize()


def can_be_recorded(net: Layer) -> bool:
    """Whether a step of this net is the same work each time, and small.

    Layers from elsewhere may do anything; and large nets are faster with cuBLAS, which CuPy does
    not let into a recording.
    """
    layers = [layer for _, layer in net.named_layers()]
    ours = all(type(layer).__module__.startswith("minise.") for layer in layers)
    same = not any(isinstance(layer, _NOT_RECORDED) for layer in layers)
    return ours and same and sum(p.value.size for p in net.parameters()) <= SMALL


class Recorded(NamedTuple):
    """A step as a CUDA graph, and the arrays that it takes its batch from."""

    graph: Any
    x: Array
    labels: Array


class Replay:
    """A step that is asked for once and then replayed, for batches of each shape.

    The first batch of a shape goes through `step` itself, so that all kernels are compiled when the
    second is recorded. The arrays that a recording makes on its way lie in memory of its own, which
    nobody else is given. Where CuPy refuses to record, every batch goes through `step`.
    """

    def __init__(self, step: TakeStep) -> None:
        import cupy

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
        import cupy

        x, labels = x.copy(), labels.copy()
        stream = cupy.cuda.get_current_stream()
        try:
            with self._alone():
                stream.begin_capture()
                try:
                    self.step(x, labels)
                finally:
                    graph = stream.end_capture()
        except RuntimeError as error:  # of CuPy or CUDA; nothing of the step was done
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
        """With memory of its own, and with nothing that cannot be recorded."""
        import cupy

        from minise.kernels.cupy.conv import without_cublas

        with cupy.cuda.using_allocator(self._pool.malloc), without_cublas():
            yield
