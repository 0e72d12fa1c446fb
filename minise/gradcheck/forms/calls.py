"""How a backward is called: with dy or several, with what forward saved, and inputs by name.

y, saved = forward(x)               backward(dy, saved), or backward(saved, dy)
y, h, saved = forward(x)            backward(dy, dh, saved)
(y, h), saved = forward(x)          either, or backward((dy, dh), saved)
y = forward(x, labels)              backward(dy, x), backward(dy, labels), backward()
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from itertools import takewhile
from typing import Any, NamedTuple

import numpy as np

from minise.errors import InputError
from minise.gradcheck.forms.outputs import join, split
from minise.gradcheck.subject import here, there

SAVED = {
    "cache", "caches", "cached", "saved", "ctx", "context", "res", "residual", "residuals", "tape",
    "memory", "mem", "stash",
}  # fmt: skip
OUTPUT = ("output", "outputs", "out", "y")


class Called(NamedTuple):
    """What came of a forward."""

    y: Any  # several outputs are joined to a vector
    backward: Callable[[Any], Any]  # from dy to what backward returns
    takes_dy: bool  # if not, dy is multiplied with what backward returns
    said: tuple[str, ...] = ()  # what a report should say of it


class Takes(NamedTuple):
    """The names of the arguments of a backward."""

    wanted: tuple[str, ...]  # it must be given: dy and saved, where it does not tell them
    options: tuple[str, ...]  # all that may be given by name
    star: bool  # whether it takes any number
    one: bool = False  # whether the first is 1 unless it is given, as dy is for a loss

    @classmethod
    def of(cls, backward: Callable[..., Any]) -> Takes:
        """Those of `backward`."""
        try:
            parameters = list(inspect.signature(backward).parameters.values())
        except ValueError:  # written in C
            return cls(("dy", "saved"), (), False)
        wanted = [
            p.name
            for k, p in enumerate(parameters)
            if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)
            and (p.default is p.empty or k == 0 or p.name in SAVED)
        ]
        options = [
            p.name for p in parameters if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)
        ]
        star = any(p.kind is p.VAR_POSITIONAL for p in parameters)
        first = parameters[0].default if parameters else None
        one = isinstance(first, int | float) and first == 1
        return cls(tuple(wanted), tuple(options), star, one)

    def names(self, values: int) -> list[str]:
        """As many as a forward returned values, for a *star."""
        more = ["dy", *(f"saved[{k}]" for k in range(values))] if self.star else []
        return [*self.wanted, *more[len(self.wanted) : values]]


class Plan(NamedTuple):
    """Which of the arguments of a backward is what."""

    names: list[str]  # of its arguments, in order
    dys: list[str]  # those of them that are dy: one for each output, one for all, none
    saved: list[str]  # those that forward saved, its last values
    outputs: int  # how many values of forward are outputs
    nested: bool  # whether they are in a tuple of their own
    options: list[str]  # inputs that backward may be given
    unused: list[str]  # those that were taken for dy, and have no effect
    said: tuple[str, ...]  # what a report should say

    @classmethod
    def of(
        cls,
        result: Any,
        takes: Takes,
        inputs: Mapping[str, Any],
        who: str,
        asked: int | Sequence[str] | None = None,
        saves: bool = True,
    ) -> Plan:
        """For a forward of `inputs` that returned `result`.

        What a forward that `saves` returns last is no output; an object keeps what backward needs.
        Raises `InputError` where the arguments of backward cannot be told.
        """
        parts = list(result) if isinstance(result, tuple) else [result]
        names = takes.names(len(parts))
        could = [name for name in names if name.lower() not in SAVED]
        if len(names) > len(parts) and SAVED & {name.lower() for name in names}:
            could = [name for name in could if name not in inputs]  # backward(X, Y, cache)
        nested = len(parts) > 1 and isinstance(parts[0], tuple | list)
        known = {*inputs, *OUTPUT}
        if len(parts) == 1:
            count, dys = 1, [name for name in names if name not in known]
        elif nested:
            count = len(parts[0])
            dys = could[:count] if len(names) > count else could[:1]
        else:
            one_saved = len(names) == len(parts) and len(could) == len(names) - 1
            like = len(could) if one_saved else _like_gradients(could)
            count = len(asked) if isinstance(asked, Sequence) else asked or 0
            count = count or min(like, len(parts) - saves)
            dys = could[:count]
        left = len(parts) - (1 if nested else count)
        others = [name for name in names if name not in dys]
        saved, by_name = others[:left], others[left:]
        unknown = [name for name in others if name not in known]
        if len(unknown) == left:  # backward(dy, x, w, mean, rstd)
            saved, by_name = unknown, [name for name in others if name in known]
        takes_what = f"its backward takes {', '.join(names) or 'nothing'}"
        if len(parts) == 1 and (len(dys) > 1 or SAVED & {name.lower() for name in dys}):
            expected = "(y, saved)" if saves else "an output for each dy"
            raise InputError(
                f"gradcheck: {who} returned {type(result).__name__}, expected {expected}: "
                f"{takes_what}"
            )
        if not known.issuperset(by_name) or len(dys) not in (0, 1, count) or left < 0:
            raise InputError(
                f"gradcheck: {who} returned {len(parts)} values, and {takes_what}: give outputs=, "
                "the number of outputs among these values, or return the outputs, then what is "
                "saved, as one"
            )
        said = []
        if (ignored := left - max(len(saved), int(saves))) > 0:
            said.append(
                f"forward returns {ignored} more, of which backward takes no dy: no gradient of "
                f"{'it' if ignored == 1 else 'them'} was checked"
            )
        if not dys and np.size(parts[0]) > 1:
            said.append(
                f"backward takes no dy: held against the mean of {np.size(parts[0])} losses"
            )
        options = [name for name in takes.options if name in inputs and name not in names]
        return cls(names, dys, saved, count, nested, options, [], tuple(said))

    def for_dy_of_one(self) -> Plan:
        """For a backward(dout=1) of a loss that does not use its dout."""
        said = (
            f"backward does not use {self.dys[0]}, which is 1 unless it is given: right only where "
            "nothing follows the loss"
        )
        return self._replace(dys=[], unused=self.dys, said=(*self.said, said))

    def called(
        self, result: Any, backward: Callable[..., Any], inputs: Mapping[str, Any], who: str
    ) -> Called:
        """What came of such a forward."""
        parts = result if isinstance(result, tuple) else (result,)
        ys = parts[0] if self.nested else parts[: self.outputs]
        for y in ys:
            if y is None:
                raise InputError(f"gradcheck: {who} returned None, expected its output")

        def run(dy: Any) -> Any:
            each = [there(part) for part in split(dy, [np.shape(here(y)) for y in ys])]
            if len(self.dys) == 1 and len(ys) > 1:
                each = [tuple(each)]
            values = dict.fromkeys(OUTPUT, ys[0]) | dict(inputs) | dict.fromkeys(self.unused, 1)
            values |= zip(self.saved, parts[len(parts) - len(self.saved) :], strict=True)
            values |= zip(self.dys, each, strict=False)
            options = {name: inputs[name] for name in self.options}
            return backward(*(values[name] for name in self.names), **options)

        y = join([here(y) for y in ys])
        return Called(y if self.dys else np.mean(y), run, bool(self.dys), self.said)


def _like_gradients(names: list[str]) -> int:
    """How many of the first are called like gradients, dh and grad_c: one at least."""
    like = takewhile(lambda name: name[:1] in "dg" or "grad" in name, names)
    return max(1, len(list(like)))
