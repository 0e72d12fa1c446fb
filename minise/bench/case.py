"""What a case is: one piece of work, set up for minise and for PyTorch from the same numbers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, Protocol, TypeAlias

import numpy as np

from minise.arrays import Array

Arrays: TypeAlias = dict[str, Array]  # by name, logically NCHW

# Summing n float32 numbers, in any order, has a relative error of about 6e-8 · √n: 2e-5 for the
# hundred thousand pixels of a channel.
TOLERANCE = 1e-4


class Side(NamedTuple):
    """One library, ready to do the work of a case."""

    call: Callable[[], Any]  # does it once: this is what is timed
    numbers: Callable[[], Arrays]  # does it and returns every result by name, to compare


class Library(Protocol):
    """A library that does the work: `ours.Minise()`, or `pytorch.PyTorch(variant)`."""

    def operation(self, name: str, arrays: Arrays, options: Mapping[str, Any]) -> Side:
        """Forward and backward of an operation of `minise.ops`; its dy is `arrays["dy"]`."""

    def se_block(self, channels: int, reduction: float, arrays: Arrays) -> Side:
        """Forward and backward of an SE block."""

    def step(self, net: str, arrays: Arrays) -> Side:
        """A training step of a named net on `arrays["x"]` and `arrays["labels"]`."""

    def evaluated(self, net: str, arrays: Arrays) -> Side:
        """A named net in evaluation mode, on `arrays["x"]`."""


class Variant(NamedTuple):
    """A way to run PyTorch."""

    channels_last: bool = False
    compiled: bool = False
    graphs: bool = False  # compiled, and replayed as CUDA graphs, as minise's own small nets are

    @property
    def name(self) -> str:
        """The name in JSON."""
        layout = "channels_last" if self.channels_last else "nchw"
        return layout + "_compiled" * self.compiled + "_graphs" * self.graphs


class Work(NamedTuple):
    """The least that one call does, in "FLOP", in "B" (bytes moved) or in "images"."""

    amount: float
    unit: str


class Case(NamedTuple):
    """Something to be timed."""

    name: str
    about: str
    work: Work
    arrays: Callable[[], Arrays]
    side: Callable[[Library, Arrays], Side]
    gradient_tolerance: float = TOLERANCE
    forward_tolerance: float = TOLERANCE
    channels_last: bool = True  # whether PyTorch has two layouts for it


class MemoryCase(NamedTuple):
    """A training step whose peak memory is measured, in processes of its own."""

    name: str
    about: str
    net: str
    batch: int


AnyCase: TypeAlias = Case | MemoryCase


def draw(shapes: Mapping[str, tuple[int, ...]]) -> Arrays:
    """Random float32 arrays, all of them multiples of 1/64 between −2 and 2.

    Sums such as s·x + r are then exact, and no relu meets a number whose sign depends on the
    rounding error of one library or the other.
    """
    rng = np.random.default_rng(0)
    return {
        name: rng.integers(-128, 129, shape, dtype=np.int16) * np.float32(1 / 64)
        for name, shape in shapes.items()
    }
