"""What a row is made of."""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import NamedTuple

import numpy as np
from closeness import ROUNDINGS

from minise import ops
from minise.gradcheck import EXAMPLES

N = None  # how many images, in a shape


class Call:
    """What an operation is called with."""

    def __init__(self, *arrays, **options):
        self.arrays, self.options = arrays, options

    def __repr__(self):
        """Shapes and options: a failing example with all its numbers would fill pages."""
        shapes = [str(getattr(array, "shape", array)) for array in self.arrays]
        return f"Call({', '.join([*shapes, *(f'{k}={v}' for k, v in self.options.items())])})"

    def of(self, function):
        return function(*self.arrays, **self.options)

    def filled(self, rng, dtype, batch=None, layout=np.asarray):
        """Normal numbers for shapes, in which N stands for the batch; options as they are."""

        def filled(given):
            if isinstance(given, tuple):
                given = rng.standard_normal([batch if n is N else n for n in given])
            return layout(given.astype(dtype))

        arrays, options = map(filled, self.arrays), dict(self.options)
        if "statistics" in options:
            options["statistics"] = tuple(map(filled, options["statistics"]))
        return Call(*arrays, **options)


class Mutant(NamedTuple):
    """A wrong backward, which the gradient checker has to reject."""

    wrong: str  # the gradients that it has to name
    backward: Callable  # backward(right, dy, saved), where `right` is the right one
    of: str = ""  # which example of the operation is used: what follows the name and a comma
    call: Callable | None = None  # call(rng) gives the arrays where the example's do not show it


def one(gradients, change, of="", call=None):
    """One gradient is wrong, the one with a `!` in "x w! b": change(gradient, dy, saved)."""
    names = gradients.split()
    (wrong,) = (name for name in names if name.endswith("!"))

    def backward(right, dy, saved):
        found = list(as_tuple(right(dy, saved)))
        found[names.index(wrong)] = change(found[names.index(wrong)], dy, saved)
        return tuple(found)

    return Mutant(wrong[:-1], backward, of, call)


@dataclass(frozen=True, kw_only=True)
class Row:
    """All that the tests know of one operation."""

    operation: str = field(kw_only=False)
    draw: Callable  # draw(dtype, N): what hypothesis draws a `Call` from; N draws numbers of images
    naive: Callable  # the definition as loops over numbers: y = naive(*arrays, **options)
    pytorch: Callable  # the twin: y = pytorch(torch, *tensors, **options)
    mutants: dict[str, Mutant]
    refused: dict[str, tuple[type[Exception], Call]] = field(default_factory=dict)  # by message
    # Shapes for kernels: odd ones, and strides that leave a remainder; and many blocks of a GPU.
    sizes: dict[str, Call] = field(default_factory=dict)
    large: dict[str, Call] = field(default_factory=dict)
    batched: int = 1  # how many of the arrays have an axis for the batch
    roundings: int = ROUNDINGS  # within which it is its definition
    kinked: bool = (
        False  # a relu behind other sums: in float32 a number near 0 falls on its other side
    )
    needs_images: bool = False  # there is no mean without
    bounded: bool = False  # infinity comes out as a finite number

    @property
    def forward(self):
        """Looked up at each call: on a GPU the tests put others in their place (see `moving`)."""
        return getattr(ops, self.operation)

    @property
    def backward(self):
        return getattr(ops, f"{self.operation}_backward")

    @property
    def file(self):
        """Where it stands in `minise/ops`, and its kernels in theirs."""
        return self.forward.__module__.rpartition(".")[2]

    def wrong(self, mutant, rng):
        """What `gradcheck.check` takes: the operation with the mutant's backward, and arrays."""
        example = EXAMPLES[f"{self.operation}, {mutant.of}" if mutant.of else self.operation](rng)
        (forward, right), arrays, _ = example
        if mutant.call is not None:
            call = mutant.call(rng)
            forward, arrays = partial(self.forward, **call.options), call.arrays
        return (forward, partial(mutant.backward, right)), arrays


def as_tuple(gradients):
    return gradients if isinstance(gradients, tuple) else (gradients,)
