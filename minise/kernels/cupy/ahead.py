"""Batches for a GPU: made by another thread, and copied while the GPU works on the one before.

A slot holds one batch twice, in page-locked memory, from which a copy needs no processor, and on
the GPU. Two slots take turns, and events keep copies and computation from overtaking each other:
what the GPU still reads is not written, and what is still copied is not read.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import cycle
from typing import Any

import cupy
import cupyx
import numpy as np

from minise.arrays import Array
from minise.work import Batch, MakeBatches

SLOTS = 2


class Slot:
    """Room for one batch of up to `size` images."""

    def __init__(self, size: int, images: Array, labels: Array) -> None:
        self.there: list[Any] = []  # on the GPU
        self.here: list[Array] = []
        for like in (images, labels):
            shape = (size, *like.shape[1:])
            self.here.append(cupyx.empty_pinned(shape, like.dtype))
            self.there.append(cupy.empty(shape, like.dtype))
        self.copied, self.used = cupy.cuda.Event(), cupy.cuda.Event()

    def send(self, batch: Batch, stream: Any) -> None:
        """Copy a batch to the GPU, in the stream's own time."""
        self.copied.synchronize()  # the previous batch has left the page-locked memory
        stream.wait_event(self.used)
        for array, here, there in zip(batch, self.here, self.there, strict=True):
            here[: len(array)] = array
            there[: len(array)].set(here[: len(array)], stream=stream)
        self.copied.record(stream)


def copied_ahead(make: MakeBatches, rng: np.random.Generator | None, size: int) -> Iterator[Batch]:
    """The batches of at most `size` images that `make(rng)` gives, on the GPU in use.

    They are drawn ahead, with a copy of the generator: its own state must be that after the batch
    handed out last, since a training may stop there. A batch is valid until the next is requested.
    """
    twin = copy.deepcopy(rng)
    batches = make(twin)
    device, stream = cupy.cuda.Device(), cupy.cuda.Stream(non_blocking=True)
    slots: list[Slot] = []

    def prepare(number: int) -> tuple[Slot, int, Any] | None:
        with device:
            try:
                batch = next(batches)
            except StopIteration:
                return None
            if number == len(slots):
                slots.append(Slot(size, *batch))
            slots[number].send(batch, stream)
            return slots[number], len(batch[1]), None if twin is None else twin.bit_generator.state

    with ThreadPoolExecutor(1) as worker:
        turns = cycle(range(SLOTS))
        waiting = [worker.submit(prepare, next(turns)) for _ in range(SLOTS)]
        try:
            while (ready := waiting.pop(0).result()) is not None:
                slot, count, drawn = ready
                cupy.cuda.get_current_stream().wait_event(slot.copied)
                if rng is not None:
                    rng.bit_generator.state = drawn
                images, labels = slot.there
                yield images[:count], labels[:count]
                slot.used.record(cupy.cuda.get_current_stream())
                waiting.append(worker.submit(prepare, next(turns)))
        finally:
            cupy.cuda.get_current_stream().synchronize()  # before the slots are given back
