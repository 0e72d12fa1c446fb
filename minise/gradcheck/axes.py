"""Which axes of the inputs may have other lengths, and which only together.

Found by trying: x (4, 4) and w (4, 4) of x · w have four axes and three lengths, for with another
length of x's second axis forward runs only if w's first has it too.
"""

from __future__ import annotations

import itertools
import warnings
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np

from minise.arrays import Array
from minise.gradcheck.subject import Subject

Axis: TypeAlias = tuple[str, int]  # of which input, and which of its axes
Shape: TypeAlias = tuple[int, ...]

TRIES = 150  # runs of forward, at most, to find the blocks
OUTPUT = "the output"


@dataclass(frozen=True)
class Block:
    """Axes that have one length, and may have another."""

    axes: frozenset[Axis]
    length: int
    shorter: bool  # whether it may be less as well
    of_y: frozenset[int]  # the axes of the output whose lengths follow it

    def lies_in(self, name: str) -> frozenset[int]:
        """Which axes of this input they are."""
        return frozenset(k for n, k in self.axes if n == name)


class Axes:
    """The blocks of one subject, and inputs of other lengths."""

    def __init__(self, subject: Subject) -> None:
        self.subject, self.tries = subject, TRIES
        self.longer: dict[Axis, int] = {}  # axes of length 1, as soon as they are known
        self.arrays: dict[str, Array] = {
            name: value for name, value in subject.inputs.items() if isinstance(value, np.ndarray)
        }
        lengths = {n for array in self.arrays.values() for n in array.shape if n}
        self.blocks = [block for n in sorted(lengths) for block in self._of_length(n)]

    def _of_length(self, n: int) -> Iterator[Block]:
        """Fewest axes first.

        Where a number is repeated along an axis of length 1, forward runs with other lengths that
        are not meant. So of these axes, which are made longer first, backward has to give gradients
        of the right shapes. If the last ones left are all of which it does not, it has a fault.
        """
        rest = [
            (m, k) for m, a in self.arrays.items() for k, size in enumerate(a.shape) if size == n
        ]
        counts = range(1, len(rest) + 1)
        for strict, count in itertools.product((True, False) if n == 1 else (False,), counts):
            for some in itertools.combinations(tuple(rest), count):
                if not set(some) <= set(rest) or (n == 1 and not strict and count < len(rest)):
                    continue
                if self.tries <= 0:
                    return
                axes = frozenset(some)
                if not self._runs(axes, n, strict):
                    continue
                if n == 1:
                    axes = self._with_followers(axes, rest)
                rest = [axis for axis in rest if axis not in axes]
                yield Block(axes, n, n > 2, self._of_y(axes, n))
                if n == 1:
                    self.longer |= dict.fromkeys(axes, 2)

    def _runs(self, axes: frozenset[Axis], n: int, strict: bool) -> bool:
        """Longer and shorter: too few labels, say, fit a forward that too many do not."""
        return all(
            self._shape(axes, other, backward=strict) is not None
            and not self._passed_over(axes, n, other, strict)
            for other in _others(n)
        )

    def _with_followers(self, axes: frozenset[Axis], rest: list[Axis]) -> frozenset[Axis]:
        """With those that have to be as long, as one label that was repeated for each sample."""
        for axis in rest:
            both = axes | {axis}
            if (
                axis not in axes
                and self._shape([axis], 3, beside=axes) is None
                and all(self._shape(both, n, backward=True) is not None for n in (2, 3))
            ):
                axes = both
        return axes

    def _shape(
        self, axes: Iterable[Axis], n: int, backward: bool = False, beside: Iterable[Axis] = ()
    ) -> Shape | None:
        self.tries -= 1
        lengths = self.longer | dict.fromkeys(beside, 2) | dict.fromkeys(axes, n)
        return output_shape(self.subject, self.of(lengths), backward)

    def _passed_over(self, axes: frozenset[Axis], n: int, other: int, strict: bool) -> bool:
        """Whether backward fails since forward was given what does not fit, and did not notice.

        As a loop over pairs that ends with the shorter of two, or where one number is repeated.
        If forward used all entries, it is a fault of backward.
        """
        inputs = self.of(self.longer | dict.fromkeys(axes, other))
        if n == 1:  # b[0, 0, 0, c] is all that is read of a b (1, 1, 1, C)
            moved = [(name, k) for name, k in axes if name in self.subject.variables]
            return any(not _uses_last(self.subject, inputs, name, k) for name, k in moved)
        if strict or output_shape(self.subject, inputs, backward=True) is not None:
            return False
        before, after = self._shape((), 0) or (), self._shape(axes, other) or ()
        if any(one == 1 < more for one, more in zip(before, after, strict=False)):
            return True
        return any(
            self.arrays[name].shape[k] == n
            and _uses_last(self.subject, self.of(self.longer), name, k)
            and not _uses_last(self.subject, inputs, name, k)
            for name in self.arrays
            if name in self.subject.variables
            for k in range(self.arrays[name].ndim)
        )

    def _of_y(self, axes: frozenset[Axis], n: int) -> frozenset[int]:
        old = self._shape((), 0) or ()
        shapes = [self._shape(axes, other) or () for other in _others(n)]
        pairs = [pair for new in shapes for pair in enumerate(zip(new, old, strict=False))]
        return frozenset(k for k, (m, o) in pairs if m != o)

    def of(self, lengths: Mapping[Axis, int]) -> dict[str, Any]:
        """The inputs with these axes cut, or continued with the same entries."""
        inputs = dict(self.subject.inputs)
        for (name, axis), length in lengths.items():
            inputs[name] = cut(inputs[name], axis, length)
        return inputs


def _others(n: int) -> tuple[int, int]:
    return (n + 1, n - 1) if n > 2 else (n + 1, n + 2)


def _uses_last(subject: Subject, inputs: Mapping[str, Any], name: str, axis: int) -> bool:
    """Whether the output depends on the last entries along this axis."""
    other, rng = subject.on(inputs), np.random.default_rng(0)
    # entries that were repeated become others: alike, one of them could stand for all
    arrays = {n: a + 0.1 * np.abs(a) * rng.random(a.shape) for n, a in other.variables.items()}
    y = np.array(other.output({n: np.copy(a) for n, a in arrays.items()}))
    last = np.moveaxis(arrays[name], axis, 0)[-1:]
    last += 1 + rng.random(last.shape)
    return not np.array_equal(y, other.output(arrays), equal_nan=True)


def cut(array: Array, axis: int, length: int) -> Array:
    """The first entries of an axis, or more by beginning anew."""
    other: Array = np.take(array, np.arange(length) % array.shape[axis], axis)
    return other


def output_shape(
    subject: Subject, inputs: Mapping[str, Any] | None = None, backward: bool = False
) -> Shape | None:
    """That of y, of at least one entry; None where forward, or backward if asked for, fails."""
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            used = subject if inputs is None else subject.on(inputs)
            y, back = used.fresh().run({n: np.copy(a) for n, a in used.variables.items()})
            shape = np.shape(y)
            if backward:
                found = back(np.ones(shape)[()])
                right = all(found[n].shape == a.shape for n, a in used.variables.items())
        except Exception:  # any: it is what the person's own code raises
            return None
    return shape if np.size(y) and (not backward or right) else None


def alike(axes: Axes, inputs: Mapping[str, Any] | None = None) -> dict[str, Shape]:
    """Inputs, and the output, of which two axes side by side have one length, but may differ."""
    inputs = axes.subject.inputs if inputs is None else inputs
    shapes = {name: np.shape(inputs[name]) for name in axes.arrays}
    shapes[OUTPUT] = output_shape(axes.subject, inputs) or ()
    return {
        name: shape
        for name, shape in shapes.items()
        if any(_meets(block, name, shape, beside=True) for block in axes.blocks)
    }


def apart(axes: Axes, blocks: Iterable[Block] | None = None) -> dict[Axis, int]:
    """Lengths of which none is 1, and no two of one array are alike, at least not side by side.

    Only those of `blocks` change, if they are given.
    """
    lengths: dict[Axis, int] = {}
    for block in axes.blocks if blocks is None else blocks:
        for beside, length in itertools.product((False, True), (block.length, *_near(block))):
            trial = lengths | dict.fromkeys(block.axes, length)
            inputs = axes.of(trial)
            y = output_shape(axes.subject, inputs)
            if length == 1 or y is None or any(k < len(y) and y[k] == 1 for k in block.of_y):
                continue
            if _meets(block, OUTPUT, y, beside=True):
                continue
            if not any(_meets(block, n, inputs[n].shape, beside) for n in axes.arrays):
                lengths = trial
                break
    return {axis: n for axis, n in lengths.items() if axes.arrays[axis[0]].shape[axis[1]] != n}


def _near(block: Block) -> list[int]:
    """Other lengths of at least 2, the nearest first."""
    n = block.length
    shorter = [m for m in (n - 1, n - 2, n - 3) if m > 1 and block.shorter]
    pairs = itertools.zip_longest(shorter, range(n + 1, n + 7))
    return [m for pair in pairs for m in pair if m]


def _meets(block: Block, name: str, shape: Shape, beside: bool) -> bool:
    """Whether another axis of this array, or one beside it, has the length of one in the block."""
    own = block.of_y if name == OUTPUT else block.lies_in(name)
    return any(
        shape[k] == size > 1 and other not in own and (not beside or abs(other - k) == 1)
        for k in own
        if k < len(shape)
        for other, size in enumerate(shape)
    )


def told(arrays: Mapping[str, Shape | Array]) -> str:
    """Such as "x (3, 4), w (4, 5)"."""
    return ", ".join(f"{name} {getattr(a, 'shape', a)}" for name, a in arrays.items())
