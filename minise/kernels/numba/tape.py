"""A tape of the loops that a piece of work calls, to call them again without Python between them.

Arguments are checked, arrays made and loops chosen in Python, which for one small image takes longer
than the loops themselves. All of that comes out the same the next time, since it depends on shapes
alone. So a tape keeps what the loops were given, and plays them into the same arrays.

What is not a loop is not on a tape. So each array that a loop is given must be known: one of those
that the work began with, one that was made for a loop to write to, or a view of such an array. What
NumPy has computed is none of these. Only tables, whole numbers made from shapes, may be unknown.
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
    """The loops of one piece of work, with the arrays that they read and write."""

    def __init__(self, given: Iterable[Array], most: int) -> None:
        """`given`: what the work begins with. It may make arrays of `most` bytes in all."""
        self._known = {id(root): root for root in map(_root, given)}
        self._made: list[tuple[Array, int | None]] = []
        self._loops: list[tuple[Any, Any]] = []
        self._room, self._fits = most, True

    def record(self, work: Callable[[], Array]) -> Array:
        """Do the work, and keep its loops. `is_whole` tells whether these are all of it."""
        token = watcher.set(self)
        try:
            y = work()
        finally:
            watcher.reset(token)
        self._fits &= id(_root(y)) in self._known and bool(self._loops)
        if self.is_whole:
            self._write_frames()
        return y

    @property
    def is_whole(self) -> bool:
        """Whether `play` repeats the work. Otherwise it must not be called."""
        return self._fits

    def play(self) -> None:
        """Do it again, with what the given arrays hold now."""
        if run_shared(replay, self._frames):
            raise MemoryError("a loop found no memory for what it works in")

    def spoil(self) -> None:
        """Fill what the loops write with NaN, which is seen where a number is not written again."""
        for array, contents in self._made:
            array.fill(np.nan if contents is None and array.dtype.kind == "f" else contents or 0)

    def called(self, loop: Any, call: Callable[..., Any], first: Any, arguments: Any) -> Any:
        """As `Watcher` says: it is called, and kept."""
        for array in arguments:
            if isinstance(array, np.ndarray) and array.dtype.kind == "f":
                self._fits &= id(_root(array)) in self._known
        self._fits &= bool(first)  # else a loop of one thread, which has no frame
        self._loops.append((loop, arguments))
        return call(*arguments)

    def made(self, array: Array, contents: int | None) -> None:
        """As `Watcher` says."""
        self._room -= array.nbytes
        self._fits &= self._room >= 0
        if self._fits:
            self._known[id(_root(array))] = _root(array)
            self._made.append((array, contents))
        else:
            self._loops.clear()

    def _write_frames(self) -> None:
        """Call each loop once more, as one whose frame has a place of its own; see `tasks`."""
        memory = zeros((len(self._loops), ROOM // 8), np.int64)
        self._frames = memory.ctypes.data + ROOM * np.arange(len(memory))
        self._memory = memory
        words, team = team_of_one()
        for frame, (loop, arguments) in zip(self._frames, self._loops, strict=True):
            words[FRAME // 8] = frame
            loop(team, *arguments)


def _root(array: Array) -> Array:
    """The array whose memory it is a view of, or itself."""
    while isinstance(array.base, np.ndarray):
        array = array.base
    return array
