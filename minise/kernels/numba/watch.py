"""Who watches what a piece of work is made of: loops, NumPy's steps between them, new arrays.

`ahead` does to see what is to be compiled, and `tape` to do the same again without Python.
"""

from __future__ import annotations

from collections.abc import Callable
from contextvars import ContextVar
from typing import Any, Protocol, TypeVar

import numpy as np

from minise.arrays import Array

Result = TypeVar("Result")


class Watcher(Protocol):
    """What is asked to do each, in the thread that does the work."""

    def new(self, shape: tuple[int, ...], dtype: np.dtype[Any]) -> Array:
        """Make an array with arbitrary contents."""

    def called(self, loop: Any, call: Callable[..., None], arguments: tuple[Any, ...]) -> None:
        """Do `call(*arguments)`: Python calls the loop with these, after its team."""

    def computed(self, function: Callable[..., Result], arguments: tuple[Any, ...]) -> Result:
        """What NumPy computes: `function(*arguments)`."""


watcher: ContextVar[Watcher | None] = ContextVar("minise_watcher", default=None)


def by_numpy(function: Callable[..., Result], *arguments: Any) -> Result:
    """`function(*arguments)`, a step that is worth no loop.

    It gives one or more new arrays, or changes those that it is given, and follows from them alone.
    """
    watching = watcher.get()
    return function(*arguments) if watching is None else watching.computed(function, arguments)
