"""A tape of the loops that a piece of work calls, to call them again without Python between them.

For one small image, Python takes longer than the loops. But all that it decides follows from shapes
and comes out the same the next time: which loops are called, and with which arrays. A tape keeps
that, and plays it into the same arrays.

What is not a loop is not on the tape. So each array of numbers that a loop is given must be known:
one that the work began with, one made for a loop to write to, or a view of such an array. What
NumPy has computed is none of these, and then the tape is not whole. Whole numbers are tables, made
from shapes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
from numba import config

from minise.arrays import Array
from minise.kernels.numba.memory import zeros
from minise.kernels.numba.tasks import FRAME, ROOM, replay
from minise.kernels.numba.team import run_shared, team_of_one
from minise.kernels.numba.watch import watcher


def maker() -> type[Tape] | None:
    """What makes a tape; None without a compiler, and where the loops are watched already."""
    is_off = config.DISABLE_JIT or watcher.get()  # type: ignore[attr-defined]
    return None if is_off else Tape


class Tape:
    """The loops of a piece of work, and the arrays that they read and write."""

    def __init__(self, given: Iterable[Array], most: int) -> None:
        """`given` is what the work begins with. It may make arrays of `most` bytes in all."""
        self._known = {id(root): root for root in map(_root, given)}
        self._made: list[tuple[Array, int | None]] = []
        self._room = most
        self._loops: list[tuple[Any, Any]] = []
        self.is_whole = True  # whether `play` repeats the work, and may be called

    def record(self, work: Callable[[], Array]) -> Array:
        """Do the work, which gives one of the arrays that loops write to; keep its loops."""
        token = watcher.set(self)
        try:
            y = work()
        finally:
            watcher.reset(token)
        self.is_whole &= bool(self._loops) and self._knows(y)
        if self.is_whole:
            self._write_frames()
        return y

    def play(self) -> None:
        """Do it again, with what the given arrays hold now."""
        if run_shared(replay, self._frames):
            raise MemoryError("a loop found no memory for what it works in")

    def spoil(self) -> None:
        """Fill what the loops write to with NaN: a number that none of them writes will be seen."""
        for array, contents in self._made:
            array.fill(np.nan if contents is None and array.dtype.kind == "f" else contents or 0)

    def called(self, loop: Any, call: Callable[..., Any], first: Any, arguments: Any) -> Any:
        """See `Watcher`: the loop is kept, and called."""
        arrays = [a for a in arguments if isinstance(a, np.ndarray) and a.dtype.kind == "f"]
        # a loop of one thread, which is given nothing first, has no frame
        self.is_whole &= bool(first) and all(map(self._knows, arrays))
        if self.is_whole:
            self._loops.append((loop, arguments))
        return call(*arguments)

    def made(self, array: Array, contents: int | None) -> None:
        """See `Watcher`."""
        self._room -= array.nbytes
        self.is_whole &= self._room >= 0
        if self.is_whole:
            self._known[id(_root(array))] = _root(array)
            self._made.append((array, contents))

    def _knows(self, array: Array) -> bool:
        return id(_root(array)) in self._known

    def _write_frames(self) -> None:
        """Call each loop once more, with a frame of its own for its arguments; see `tasks`."""
        self._memory = zeros((len(self._loops), ROOM // 8), np.int64)
        self._frames = self._memory.ctypes.data + ROOM * np.arange(len(self._loops))
        words, team = team_of_one()
        for frame, (loop, arguments) in zip(self._frames, self._loops, strict=True):
            words[FRAME // 8] = frame
            loop(team, *arguments)


def _root(array: Array) -> Array:
    """The array whose memory it is a view of, or itself."""
    while isinstance(array.base, np.ndarray):
        array = array.base
    return array
