"""Who watches the loops that a piece of work calls, and the new arrays that they write to.

`ahead` does to see what is to be compiled, and `tape` to call the same loops again.
"""

from __future__ import annotations

from collections.abc import Callable
from contextvars import ContextVar
from typing import Any, Protocol

from minise.arrays import Array


class Watcher(Protocol):
    """What is told of each, in the thread that does the work."""

    def called(self, loop: Any, call: Callable[..., Any], first: Any, arguments: Any) -> Any:
        """Python called `loop` by `call(*arguments)`, which gives it `first` and the arguments."""

    def made(self, array: Array, contents: int | None) -> None:
        """A new array, with that number everywhere, or None where it is to be written."""


watcher: ContextVar[Watcher | None] = ContextVar("minise_watcher", default=None)
