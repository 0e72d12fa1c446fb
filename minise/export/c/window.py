"""The rows and the columns that a kernel sees, as loops in C."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from minise.export.c.text import Statement, linear, loops
from minise.export.plan import Step


def window(step: Step, axis: int) -> Window:
    """Rows, or columns, that a kernel sees."""
    options, size, places = step.options, step.inputs[0].shape[axis], step.output.shape[axis]
    K, stride, before = (options[key][axis] for key in ("kernel_shape", "strides", "pads"))
    dilation = options.get("dilations", (1, 1))[axis]
    last = (places - 1) * stride + (K - 1) * dilation - before
    out, k, name = (("i", "ki", "row"), ("j", "kj", "col"))[axis]
    guards = [f"{name} < 0"] * (before > 0) + [f"{name} >= {size}"] * (last >= size)
    moving = (stride, out if places != 1 else ""), (dilation, k if K != 1 or guards else "")
    index = linear(*moving, plus=-before)
    return Window(k, K, name if guards else index, index, " || ".join(guards))


class Window(NamedTuple):
    k: str
    size: int
    at: str  # of the row in x: its name, where it has one
    place: str  # how it is computed
    outside: str  # the condition for a place beyond the border, if there is any

    @property
    def inside(self) -> bool:
        return not self.outside

    def each(self, body: Sequence[Statement]) -> list[Statement]:
        """The body for each row of the kernel."""
        if self.inside:
            return loops([(self.k, self.size)], body)
        return [(f"for (int {self.k} = 0; {self.k} < {self.size}; {self.k}++)", body)]

    def guarded(self, body: Sequence[Statement]) -> list[Statement]:
        """Only where that row of x is there."""
        if self.inside:
            return list(body)
        return [
            f"const int {self.at} = {self.place};",
            f"if ({self.outside}) continue;",
            *body,
        ]

    def repeat(self, body: Sequence[Statement]) -> list[Statement]:
        """The body for each row of the kernel that x has."""
        return self.each(self.guarded(body))
