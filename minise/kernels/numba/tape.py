"""A tape of what a piece of work does, to do it again without Python between its loops.

For one small image, and for a batch of a small net, Python takes as long as the loops. But all that
it decides follows from shapes and comes out the same the next time: which loops are called, and
with which arrays. A tape keeps that, and plays it into the same arrays. Loops that follow one
another become a single call; between them may be steps of NumPy.

Nothing else is on the tape. So each array of numbers that a step is given must be known: one that
the work began with, one that a step before has made, one that nobody can write to, or a view of
such an array. What was computed out of sight is none of these, and then the tape is not whole. What
was changed out of sight is not noticed: whoever plays a tape tries it with other numbers first.
Whole numbers are tables, made from shapes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
from numba import config

from minise.arrays import Array
from minise.kernels.numba.memory import Pool, pool
from minise.kernels.numba.tasks import FRAME, ROOM, replay
from minise.kernels.numba.team import run_alone, run_shared, team_of_one
from minise.kernels.numba.watch import watcher

FEW_BYTES = 2**21  # of a tape: up to here one thread plays it as fast as two

Result = TypeVar("Result")
Step = tuple[Callable[..., Any], tuple[Any, ...]]  # a function and its arguments


def maker() -> type[Tape] | None:
    """What makes a tape; None without a compiler, and where the loops are watched already."""
    is_off = config.DISABLE_JIT or watcher.get()  # type: ignore[attr-defined]
    return None if is_off else Tape


class Tape:
    """Pieces of work that follow one another, and the arrays that they read and write."""

    def __init__(self, given: Iterable[Array], most: int) -> None:
        """`given` is what the work begins with. It may take `most` bytes of memory."""
        self.pool, self._most = _OwnPool(given), most
        self.new = self.pool.new  # see `Watcher`
        self._is_whole = True
        self._held: list[object] = []  # what a frame has the address of
        self._team = team_of_one()
        self._steps: list[Step] = []
        self._frames: list[int] = []  # addresses, of the loops since NumPy's last step

    @property
    def is_whole(self) -> bool:
        """Whether playing it repeats what was recorded."""
        return self._is_whole and self.pool.taken <= self._most

    def record(self, work: Callable[[], Result]) -> tuple[Result, Callable[[], None]]:
        """Do the work; returns what it returns, and the function that plays it.

        That works with what the given arrays hold then, and writes to the arrays that this has
        returned. Several pieces of work are played in the order in which they were recorded.
        """
        steps: list[Step] = []
        self._steps = steps
        token = watcher.set(self)
        try:
            result = work()
        finally:
            watcher.reset(token)
        self._end_frames()

        def play() -> None:
            for function, arguments in steps:
                function(*arguments)

        return result, play

    def knows(self, array: Array) -> bool:
        """Whether it was given, made by a step, cannot be written to, or is a view of such one."""
        return array.size == 0 or not _root(array).flags.writeable or self.pool.holds(array)

    def spoil(self) -> None:
        """Fill what the steps write to with NaN: a number that none of them writes will be seen."""
        self.pool.spoil()

    def end(self) -> None:
        """Leave its memory to other arrays: it is not played any more."""
        self.pool.end()

    def called(self, loop: Any, call: Callable[..., None], arguments: tuple[Any, ...]) -> None:
        """See `Watcher`: the loop works alone, and leaves its arguments in a frame; see `tasks`."""
        if not self._keeps(arguments):
            return call(*arguments)
        words, team = self._team
        frame = np.zeros(ROOM // 8, np.int64)
        words[FRAME // 8] = frame.ctypes.data
        loop(team, *arguments)
        self._frames.append(frame.ctypes.data)
        self._held += [frame, *map(self.pool.unleased, arguments)]

    def computed(self, function: Callable[..., Result], arguments: tuple[Any, ...]) -> Result:
        """See `Watcher`: what comes out anew is copied to where it came out first."""
        token = watcher.set(None)  # a loop that it calls is a part of it
        try:
            result = function(*arguments)
        finally:
            watcher.reset(token)
        if self._keeps(arguments):
            self._end_frames()
            results = result if isinstance(result, tuple) else (result,)
            places = [
                self.pool.keep(r) if isinstance(r, np.ndarray) and not self.knows(r) else None
                for r in results
            ]
            alone = tuple(map(self.pool.unleased, arguments))
            self._steps.append((_again, (function, alone, places)))
        return result

    def _keeps(self, arguments: tuple[Any, ...]) -> bool:
        """Whether a step with these arguments goes on the tape."""
        arrays = (a for a in arguments if isinstance(a, np.ndarray) and a.dtype.kind == "f")
        self._is_whole &= all(map(self.knows, arrays))
        return self.is_whole

    def _end_frames(self) -> None:
        if self._frames:
            self._steps.append((self._play_frames, (np.array(self._frames),)))
            self._frames = []

    def _play_frames(self, frames: Array) -> None:
        run = run_alone if self.pool.taken <= FEW_BYTES else run_shared
        if run(replay, frames):
            raise MemoryError("a loop found no memory for what it works in")


def _again(
    function: Callable[..., Any], arguments: tuple[Any, ...], places: list[Array | None]
) -> None:
    result = function(*arguments)
    for new, place in zip(result if isinstance(result, tuple) else (result,), places, strict=True):
        if place is not None:
            place[...] = new


class _OwnPool(Pool):
    """Memory of a tape's own: its arrays share it in turn, as they did when it was recorded."""

    def __init__(self, given: Iterable[Array]) -> None:
        super().__init__()
        self.taken = 0  # bytes
        self._kept = {_address(root): root for root in map(_root, given)}  # these share nothing
        self._made: list[Array] = []  # of those
        self._blocks: dict[int, memoryview] = {}  # by address
        self._whole_numbers: set[int] = set()  # addresses

    def new(self, shape: tuple[int, ...], dtype: np.dtype[Any]) -> Array:
        """An array with arbitrary contents."""
        array = super().new(shape, dtype)
        return array if self.holds(array) else self.keep(array)

    def lease(self, size: int, dtype: npt.DTypeLike) -> Array:
        """A block of `size` bytes that is returned when no array uses it any more."""
        array = super().lease(size, dtype)
        if array.dtype.kind != "f":
            self._whole_numbers.add(_address(array))
        return array

    def new_block(self, size: int) -> memoryview:
        """One that lies idle elsewhere, or a new one: never given back."""
        self.taken += size
        block = pool.block(size)
        self._blocks[_address(np.frombuffer(block, np.uint8))] = block
        return block

    def keep(self, array: Array) -> Array:
        """From here on it is one of these, whatever becomes of it."""
        self.taken += array.nbytes
        self._kept[_address(_root(array))] = _root(array)
        self._made.append(array)
        return array

    def holds(self, array: Array) -> bool:
        """Whether it is one of these arrays, or a view of one."""
        place = _address(_root(array))
        return place in self._kept or place in self._blocks

    def unleased(self, argument: Any) -> Any:
        """The same array, which does not keep its block from others."""
        if not isinstance(argument, np.ndarray):
            return argument
        begin = _address(_root(argument))
        if begin not in self._blocks:
            return argument
        shape, dtype, strides = argument.shape, argument.dtype, argument.strides
        return np.ndarray(shape, dtype, self._blocks[begin], _address(argument) - begin, strides)

    def spoil(self) -> None:
        """Fill what was made here with NaN."""
        for array in self._made:
            if array.dtype.kind == "f":
                array.fill(np.nan)
        for address in self._blocks.keys() - self._whole_numbers:
            np.frombuffer(self._blocks[address], np.uint8).fill(255)  # of bits 1 alone: NaN

    def end(self) -> None:
        """Let the arrays from elsewhere have its blocks."""
        with self.lock:
            for block in self._blocks.values():
                pool.idle[block.nbytes].append(block)
                pool.idle_bytes += block.nbytes
            self._blocks.clear()
            self.release()


def _root(array: Array) -> Array:
    """The array whose memory it is a view of, or itself."""
    while isinstance(array.base, np.ndarray):
        array = array.base
    return array


def _address(array: Array) -> int:
    address: int = array.__array_interface__["data"][0]
    return address
