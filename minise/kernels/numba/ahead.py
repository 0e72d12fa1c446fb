"""Compiling ahead what a piece of work will call, in several processes that fill one cache.

The work is done once without running any loop, so that only its calls are seen: each names a
kernel and the types of its arguments. Those that no cache holds are divided among the processes.
This one compiles as well, and continues alone where others cannot start, or die: that costs time.
"""

from __future__ import annotations

import functools
import importlib
import pickle
import signal
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any, NamedTuple, TypeVar, cast

import numba
import numpy as np

from minise.cores import cores
from minise.kernels.numba.cache import KernelCache
from minise.kernels.numba.memory import pool
from minise.kernels.numba.watch import watcher

Function = TypeVar("Function", bound=Callable[..., Any])
Result = TypeVar("Result")

# Seconds that compiling takes, measured on one core; all others take about one.
SECONDS = {"_dot_blocks": 3.0, "_sum_rows": 2.5, "_convolve": 2.5}
WORTH_A_PROCESS = 2.0  # seconds of compiling: it needs more than one to start, and 200 MB
MOST_PROCESSES = 4  # more have to wait for the slowest kernel

# What another process runs: it finds its modules where this one does, whatever folder that is.
# Numba would import SciPy, where there is one, for functions that no kernel calls.
_HELPER = """
import pickle, sys
sys.path[:] = pickle.load(sys.stdin.buffer)
sys.modules["scipy"] = None
from minise.kernels.numba.ahead import help_out
help_out()
"""

_loops: dict[tuple[str, str], Any] = {}


class Kernel(NamedTuple):
    """A loop, and the types of the arguments that it is to be compiled for."""

    module: str
    name: str
    signature: Any

    def compile(self) -> None:
        """Compile it, or load it where the cache holds it."""
        importlib.import_module(self.module)
        _loops[self.module, self.name].compile(self.signature)

    @property
    def is_compiled(self) -> bool:
        """Whether this process has it."""
        return self.signature in _loops[self.module, self.name].overloads

    @property
    def is_kept(self) -> bool:
        """Whether the cache on disk has it."""
        loop = _loops[self.module, self.name]
        return self.can_be_kept and loop._cache.holds(self.signature, loop.targetctx)

    @property
    def can_be_kept(self) -> bool:
        """Whether there is a cache."""
        return isinstance(_loops[self.module, self.name]._cache, KernelCache)

    @property
    def seconds(self) -> float:
        """That compiling takes, about."""
        return SECONDS.get(self.name, 1.0)


def known(loop: Any) -> tuple[str, str]:
    """The module and the name by which each process finds a loop from here on."""
    name = loop.py_func.__module__, loop.py_func.__qualname__
    _loops[name] = loop
    return name


def seen(loop: Function, call: Function) -> Function:
    """`call`, the way in which Python calls `loop`, left to whoever watches, if anybody does."""
    dispatcher: Any = loop
    if not hasattr(dispatcher, "overloads"):  # NUMBA_DISABLE_JIT
        return call
    known(dispatcher)

    @functools.wraps(dispatcher.py_func)
    def or_seen(*arguments: Any) -> Any:
        watching = watcher.get()
        if watching is None:
            return call(*arguments)
        return watching.called(dispatcher, call, arguments)

    return cast(Function, or_seen)


class _Calls(dict[Kernel, None]):
    """The kernels that were called, in order: none of them is run."""

    new = staticmethod(pool.new)

    def called(self, loop: Any, call: object, arguments: tuple[Any, ...]) -> None:
        types = map(loop.typeof_pyval, (0, *arguments))  # a team is an address
        self[Kernel(*known(loop), tuple(types))] = None

    def computed(self, function: Callable[..., Result], arguments: tuple[Any, ...]) -> Result:
        return function(*arguments)


def missing(work: Callable[[], object], besides: Sequence[Kernel] = ()) -> list[Kernel]:
    """The kernels that `work` calls, or `besides`, that neither this process nor the cache has.

    `work` is done without its loops: results have the right shapes and arbitrary contents.
    """
    if numba.config.DISABLE_JIT:  # type: ignore[attr-defined]
        return []
    calls = _Calls((kernel, None) for kernel in besides)
    token = watcher.set(calls)
    try:
        with np.errstate(all="ignore"):
            work()
    finally:
        watcher.reset(token)
    return [kernel for kernel in calls if not (kernel.is_compiled or kernel.is_kept)]


def compile_all(kernels: list[Kernel], tell: Callable[[], object]) -> None:
    """Compile them, in several processes where that pays; `tell` is called after each.

    Whatever ends this ends the other processes too. Ctrl-C does so at once: this thread only
    waits, since within LLVM an interrupt would come late, or be lost. A kernel that cannot be
    compiled is skipped: calling it will say why.
    """
    waiting = deque(sorted(kernels, key=lambda kernel: -kernel.seconds))
    helpers: list[_Helper] = []
    here = threading.Thread(target=_compile_here, args=(waiting, helpers, tell), daemon=True)
    try:
        for _ in range(_processes(kernels) - 1):
            with suppress(OSError):  # no process can be started
                helpers.append(_Helper(waiting, tell))
        here.start()
        while here.is_alive():
            here.join(0.1)  # and no longer: on Windows Ctrl-C would wait as well
    finally:
        waiting.clear()
        for helper in helpers:
            helper.process.kill()
            helper.join()


def _compile_here(
    waiting: deque[Kernel], helpers: list[_Helper], tell: Callable[[], object]
) -> None:
    busy = True
    while busy:
        busy = any(helper.is_alive() for helper in helpers)
        while kernel := _next(waiting, small=any(helper.starts for helper in helpers)):
            with suppress(Exception):
                kernel.compile()
            tell()
        time.sleep(0.02)


def _next(waiting: deque[Kernel], *, small: bool) -> Kernel | None:
    """Large ones come first, but small ones while others start: something is seen to happen."""
    try:
        return waiting.pop() if small else waiting.popleft()
    except IndexError:
        return None


def _processes(kernels: list[Kernel]) -> int:
    if not (sys.executable and all(kernel.can_be_kept for kernel in kernels)):
        return 1
    worth = int(sum(kernel.seconds for kernel in kernels) / WORTH_A_PROCESS)
    return max(1, min(worth, cores(), MOST_PROCESSES))


class _Helper(threading.Thread):
    """Another process, and the thread that hands it kernels one by one."""

    def __init__(self, waiting: deque[Kernel], tell: Callable[[], object]) -> None:
        super().__init__(daemon=True)
        self.waiting, self.tell = waiting, tell
        self.starts = True
        self.process = subprocess.Popen(
            [sys.executable, "-c", _HELPER],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        self.start()

    def run(self) -> None:
        with suppress(OSError), self.process:  # it may die, or be ended
            try:
                self._ask(sys.path)
                self.starts = False
                while kernel := _next(self.waiting, small=False):
                    self._hand(kernel)
            finally:
                self.starts = False
                self.process.kill()

    def _hand(self, kernel: Kernel) -> None:
        try:
            self._ask(kernel)
            if not kernel.is_kept:  # its cache is another, or the disk is full
                raise BrokenPipeError
        except OSError:
            self.waiting.append(kernel)
            raise
        self.tell()

    def _ask(self, question: object) -> None:
        """Wait until it has done so. Raises `OSError` where it did not."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        pickle.dump(question, self.process.stdin)
        self.process.stdin.flush()
        if not self.process.stdout.readline():
            raise BrokenPipeError


def help_out() -> None:
    """Compile what another process asks for, until it asks no more or has ended."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # Ctrl-C ends it without a word
    with suppress(EOFError, BrokenPipeError):
        while True:
            sys.stdout.write("done\n")  # at first: started
            sys.stdout.flush()
            pickle.load(sys.stdin.buffer).compile()  # noqa: S301  (from who started this process)
