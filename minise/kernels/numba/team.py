"""The threads that help with loops, and when they wait, sleep, or are left asleep.

A member without work watches for the next loop for some microseconds, since falling asleep and
being woken takes longer than many loops, and then sleeps. So does the caller at the end of a loop,
if a member has lost its processor in the middle of a task: a sleeping thread leaves it a free one.
Threads that wait without sleeping, as OpenMP's do, took 40 times as long beside one busy neighbour.

Where a neighbour takes a processor for long, a second thread only takes turns with the first on the
other one. The caller notices that it is kept from working, and works alone for a while.
"""

from __future__ import annotations

import atexit
import ctypes
import functools
import os
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Concatenate, ParamSpec, TypeAlias

import numpy as np
from numba import config, types

from minise.arrays import Array
from minise.cores import cores, most_threads
from minise.kernels.numba.ahead import Kernel, known, seen
from minise.kernels.numba.cache import kept
from minise.kernels.numba.compile import compiled
from minise.kernels.numba.tasks import (
    ASLEEP,
    BASE,
    FAILED,
    FRAME,
    FROM_PYTHON,
    LINE,
    LOOKS,
    MEMBERS,
    NAP,
    NAP_TIME,
    NAPS,
    NEXT,
    NUMBER,
    ROOM,
    SIZE,
    STATE,
    close,
    look,
    next_task,
    one_nap,
    replay,
    serve,
)

Arguments = ParamSpec("Arguments")
Loop: TypeAlias = Callable[Arguments, None]

LOOK_OUT = 200e-6  # seconds that a member watches for work before it sleeps
WORTH = 20e-6  # seconds that loops last, from which it pays to wake sleepers
PROBE = 4  # in one of so many loops, the caller's processor time is measured
WINDOW = 0.01  # seconds of probed loops that are judged together; more where clocks are coarse
LOST = 0.2  # share of that time from which the caller works alone
REST = 0.05, 1.0  # seconds of work alone, at first and at most


class Team:
    """Threads that help the one that calls a kernel, one loop at a time."""

    def __init__(self, size: int) -> None:
        lines = MEMBERS + size * LINE
        memory = np.zeros(lines + ROOM + LINE, np.uint8)
        self._bytes = memory[-memory.ctypes.data % LINE :][: lines + ROOM]
        self._words = self._bytes.data.cast("q")
        self.base = self._bytes.ctypes.data
        # of the same thread again, if Ctrl-C came just after it had been taken
        self.turn, self._stopping = threading.RLock(), False
        self._pace = 0.0  # how many seconds loops took lately
        self._alone_until, self._rest = 0.0, REST[0]
        self._loops, self._seconds = 0, 0.0  # how many there were, and of those that were probed
        self._lost = 0.0  # seconds of these without a processor
        self._window = max(WINDOW, 20 * time.get_clock_info("thread_time").resolution)
        self._put(SIZE, size)
        self._put(FRAME, self.base + lines)
        self._put(LOOKS, _looks(self.base))
        self._put(NEXT, _address_of_next())
        _alone()
        for offset, value in zip((NAP, NAP_TIME), _nap_of_system(), strict=True):
            self._put(offset, value)
        self._nap = _quickest(lambda: one_nap(self.base))
        for number in range(size):
            self._put(MEMBERS + number * LINE + NUMBER, number)
            self._put(MEMBERS + number * LINE + BASE, self.base)
        self.caller = self.base + MEMBERS
        self._sleepers: list[tuple[int, threading.Lock]] = []  # a word, and where each sleeps
        for number in range(1, size):
            door, line = threading.Lock(), self.caller + number * LINE
            door.acquire()
            self._sleepers.append(((line + ASLEEP - self.base) // 8, door))
            name = f"minise-{number}"
            thread = threading.Thread(target=self._work, args=(line, door), name=name, daemon=True)
            with suppress(RuntimeError):  # the system allows no more threads: others do its tasks
                thread.start()

    def _put(self, offset: int, value: int) -> None:
        self._words[offset // 8] = value

    def _work(self, line: int, door: threading.Lock) -> None:
        while not self._stopping:
            serve(line)
            if not self._stopping:
                door.acquire()

    def run(self, loop: Callable[..., Any], arguments: tuple[Any, ...]) -> Any:
        """Call a kernel; others help if they can. `turn` is held meanwhile."""
        began = time.perf_counter()
        if began < self._alone_until:
            return run_alone(loop, *arguments)
        if self._pace > WORTH:
            self._wake()
        self._loops += 1
        probed = self._loops % PROBE == 0
        cpu, naps = (time.thread_time(), self._words[NAPS // 8]) if probed else (0.0, 0)
        try:
            return loop(self.caller + FROM_PYTHON, *arguments)
        finally:
            if self._words[STATE // 8]:  # else all went well, and `tasks` has closed the loop
                self._end_loop()
            seconds = time.perf_counter() - began
            self._pace += (seconds - self._pace) / 8
            if probed:
                napped = (self._words[NAPS // 8] - naps) * self._nap
                self._judge(seconds, time.thread_time() - cpu, napped)

    def _judge(self, seconds: float, of_cpu: float, napped: float) -> None:
        """Work alone for a while if the caller was kept from working in the loops probed lately.

        Either it had no processor, or it waited for a member that had none, longer than it worked.
        If the same happens again after that while, the next is twice as long.
        """
        self._seconds += seconds
        self._lost += seconds - of_cpu - (napped if napped < seconds / 2 else 0)
        if self._seconds < self._window:
            return
        if self._lost > LOST * self._seconds:
            self._alone_until = time.perf_counter() + self._rest
            self._rest = min(2 * self._rest, REST[1])
        else:
            self._rest = max(self._rest / 2, REST[0])
        self._seconds = self._lost = 0.0

    def _wake(self) -> None:
        """Wake those who sleep, to watch for a loop."""
        for asleep, door in self._sleepers:
            if self._words[asleep]:
                self._words[asleep] = 0
                with suppress(RuntimeError):  # `stop` came first
                    door.release()

    def _end_loop(self) -> None:
        """Raises `MemoryError` where a member had no memory for the buffers of a task."""
        close(self.base)
        state = self._words[STATE // 8]
        self._words[STATE // 8] = 0
        if state >= FAILED:
            raise MemoryError("a thread of a loop found no memory for what it works in")

    def stop(self) -> None:
        """Let its threads end."""
        self._stopping = True
        self._wake()


@functools.cache
def _address_of_next() -> int:
    """Where the machine code of `next_task` begins, as C calls it."""
    compiled: Any = next_task
    compiled.compile(three := (types.int64,) * 3)
    result = compiled.overloads[three]
    address: int = result.library.get_pointer_to_function(result.fndesc.llvm_cfunc_wrapper_name)
    return address


def _looks(address: int) -> int:
    """How many looks take LOOK_OUT."""
    times = 500
    return max(10, int(times * LOOK_OUT / _quickest(lambda: look(address, times))))


def _quickest(call: Callable[[], object]) -> float:
    """How many seconds a call takes: the best of three, as one may be disturbed."""
    seconds = []
    for _ in range(3):
        began = time.perf_counter()
        call()
        seconds.append(time.perf_counter() - began)
    return min(seconds)


def _nap_of_system() -> tuple[int, int]:
    """The address of a function that lets a thread sleep, and the shortest time for it."""
    if os.name == "nt":
        function, shortest = ctypes.WinDLL("kernel32").Sleep, 1  # type: ignore[attr-defined]
    else:
        function, shortest = ctypes.CDLL(None).usleep, 20
    return ctypes.cast(function, ctypes.c_void_p).value or 0, shortest


def team_of_one() -> tuple[Array, int]:
    """The memory of a team without threads, as words, and what a kernel is given for `team`."""
    words = np.zeros(MEMBERS + LINE, np.uint8).view(np.int64)
    words[SIZE // 8], words[NEXT // 8] = 1, _address_of_next()
    words[(MEMBERS + NUMBER) // 8] = -1
    words[(MEMBERS + BASE) // 8] = words.ctypes.data
    return words, words.ctypes.data + MEMBERS + FROM_PYTHON


@functools.cache
def _alone() -> tuple[Array, int]:
    """It is only read, so many threads of Python may share it; the first `Team` makes it."""
    return team_of_one()


# What a team calls besides kernels.
CALLED: list[Kernel] = []
if not config.DISABLE_JIT:  # type: ignore[attr-defined]
    word = types.int64
    for called, given in (
        (next_task, (word, word, word)),
        (serve, (word,)),
        (look, (word, word)),
        (replay, (word, types.Array(word, 1, "C"))),
    ):
        CALLED.append(Kernel(*known(called), given))

_asked: int | None = None  # by `set_num_threads`
_team: Team | None = None
_changing = threading.Lock()


def get_num_threads() -> int:
    """How many threads a loop may have now."""
    return cores() if _asked is None else _asked


def set_num_threads(threads: int) -> None:
    """Give loops so many threads, whichever thread of Python starts them."""
    global _asked
    with _changing:
        _asked = threads
    _end_team()


def _end_team() -> None:
    global _team
    with _changing:
        if _team is not None:
            _team.stop()
        _team = None


def _current() -> Team:
    global _team
    with _changing:
        if _team is None:
            _team = Team(min(get_num_threads(), most_threads()))
        return _team


def _after_fork() -> None:
    """A child has none of its parent's threads, and its locks are as they were at that moment."""
    global _team, _changing
    _team, _changing = None, threading.Lock()


atexit.register(_end_team)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


def compiled_parallel(function: Callable[Concatenate[int, Arguments], None]) -> Loop[Arguments]:
    """A loop whose tasks are shared by a team, called from Python alone, without its `team`.

    Each element of the output is written by one task, so the result is the same whatever the number
    of threads. Where the team is at work for another thread of Python, the caller does all tasks.
    """
    if config.DISABLE_JIT:  # type: ignore[attr-defined]
        return functools.wraps(function)(functools.partial(function, 0))
    loop: Any = kept(compiled(function))
    shared: Loop[Arguments] = seen(loop, functools.partial(run_shared, loop))
    return shared


def run_alone(loop: Callable[..., Any], *arguments: Any) -> Any:
    """Call a loop without the team."""
    return loop(_alone()[1], *arguments)


def run_shared(loop: Callable[..., Any], *arguments: Any) -> Any:
    """Call a loop with the team, or where that is at work without it."""
    team = _team or _current()
    if not team.turn.acquire(blocking=False):
        return run_alone(loop, *arguments)
    try:
        return team.run(loop, arguments)
    finally:
        team.turn.release()
