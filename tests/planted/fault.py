"""Right code in the way people write it, and the small mistakes that are planted in it."""

from __future__ import annotations

import inspect
import textwrap
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

Rng = np.random.Generator


@dataclass(frozen=True)
class Code:
    """A forward and its backward, and what they are called with."""

    forward: Callable[..., Any]
    backward: Callable[..., Any]
    inputs: Callable[[Rng], tuple[Any, ...]]
    on_what: str = ""  # if there are several

    @property
    def name(self) -> str:
        return self.forward.__name__.removesuffix("_forward") + self.on_what

    def on(self, what: str, *shapes: Any) -> Code:
        return Code(self.forward, self.backward, normal(*shapes), f", {what}")

    def pair(self, right: str = "", wrong: str = "") -> tuple[Any, Any]:
        """With a mistake in backward: `wrong` stands where it has `right`."""
        source = textwrap.dedent(inspect.getsource(self.backward))
        if right:
            assert source.count(right) == 1, f"{right!r} is not once in {source}"
        space = dict(self.backward.__globals__)
        exec(source.replace(right, wrong) if right else source, space)
        return self.forward, space[self.backward.__name__]


@dataclass(frozen=True)
class Thing:
    """A class, made with a generator of random numbers, and what its forward is called with."""

    of: type
    inputs: Callable[[Rng], tuple[Any, ...]]

    @property
    def name(self) -> str:
        return self.of.__name__

    def pair(self, right: str = "", wrong: str = "") -> Any:
        """An object, with a mistake in its class."""
        source = inspect.getsource(self.of)
        assert not right or source.count(right) == 1, f"{right!r} is not once in {source}"
        space = {"np": np}
        exec(source.replace(right, wrong) if right else source, space)
        return space[self.name](np.random.default_rng(2))


class Fault:
    """`wrong` in the place of `right`, and for each gradient that it makes wrong what is said.

    The cause is a part of the text; "" where none is told.
    """

    def __init__(self, code: Code | Thing, right: str, wrong: str, **causes: str) -> None:
        self.code, self.right, self.wrong, self.causes = code, right, wrong, causes
        self.name = f"{code.name}: {line(wrong) if wrong else 'without ' + line(right)}"

    def example(self, seed: int = 0) -> tuple[Any, tuple[Any, ...]]:
        pair = self.code.pair(self.right, self.wrong)
        return pair, self.code.inputs(np.random.default_rng(seed))


def line(code: str) -> str:
    """Code in one line."""
    return "; ".join(part.strip() for part in code.strip().splitlines())


def normal(*given: Any) -> Callable[[Rng], tuple[Any, ...]]:
    """Normal random arrays of these shapes; what is no shape is called, or passed on."""

    def inputs(rng: Rng) -> tuple[Any, ...]:
        return tuple(
            rng.standard_normal(one)
            if isinstance(one, tuple)
            else one(rng)
            if callable(one)
            else one
            for one in given
        )

    return inputs
