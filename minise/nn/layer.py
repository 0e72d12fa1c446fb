"""`Parameter` and `Layer`, which hold the numbers that are learned.

`y, backward = layer.forward(x)`; then `dx = backward(dy)` gives the gradient of the input and
adds those of the parameters to their `grad`. Nothing is stored on the layer between the two.
"""

from __future__ import annotations

import copy
import operator
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, ClassVar, NamedTuple, Self, TypeAlias, TypeVar

import numpy as np

from minise import backend
from minise.arrays import Array, array_module, asnumpy
from minise.errors import InputError
from minise.nn import plan

__all__ = ["Backward", "Buffer", "Layer", "Parameter", "Sequential", "differences", "moved"]

Backward: TypeAlias = Callable[[Array], Array]
LayerType = TypeVar("LayerType", bound="Layer")

PLAIN = {bool, int, float, str, type(None)}  # values that copies share


class _Copied:
    """What `copy.deepcopy` copies soon: a gradient check copies a net for each entry."""

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        twin = memo[id(self)] = object.__new__(type(self))
        for name, value in vars(self).items():
            vars(twin)[name] = value if type(value) in PLAIN else copy.deepcopy(value, memo)
        return twin


class Parameter(_Copied):
    """A learned array and its gradient, of one shape and dtype, on the backend in use.

    With "cupy" in use the given value is copied to the GPU.
    """

    def __init__(self, value: Array) -> None:
        self.value = backend.asarray(value)
        xp = array_module(self.value)
        # where it can, from memory that the system clears when it is first used: for a net whose
        # gradients are never asked for that is all of its time
        in_rows = self.value.flags.c_contiguous
        self.grad = xp.zeros(value.shape, value.dtype) if in_rows else xp.zeros_like(self.value)

    def accumulate(self, gradient: Array) -> None:
        """Add to `grad`."""
        backend.current().compute(operator.iadd, self.grad, gradient)

    def __repr__(self) -> str:
        return _described(self)


class Buffer(_Copied):
    """An array that belongs to the layer's state but is not learned by gradient."""

    def __init__(self, value: Array) -> None:
        self.value = backend.asarray(value)

    def __repr__(self) -> str:
        return _described(self)


Entry = Parameter | Buffer  # of the state


def _described(entry: Parameter | Buffer) -> str:
    return f"{type(entry).__name__}(shape={entry.value.shape}, dtype={entry.value.dtype})"


class MadeAs(NamedTuple):
    """The arguments with which `models.create` makes a net like this one."""

    name: str
    num_classes: int
    in_channels: int
    options: dict[str, Any]


class Layer(_Copied):
    """A function of an array, with parameters. A subclass writes `forward`.

    Parameters, buffers and layers set as attributes are found automatically, in the order in which
    they were first set; the name of the attribute is their name in `state_dict`.

    Class attributes describe a layer to the code that counts its cost, inspects its gates or
    replays its steps; a layer of your own may set them too:

    `recordable`      each pass is the same work: nothing is drawn or fetched (True)
    `squeezes`        each map becomes one number
    `scales`          its own forward multiplies maps by gates
    `gates_channels`  one gate for each channel, from its layers "squeeze" and "gate"
    `is_se`           an SE block or a relative: all its cost is SE's
    `table_name`      of a pooling over the whole map, in the classic table
    `image_shape`     (C, H, W) of the images that a net was made for, or None
    `made_as`         how `models.create` made the net, or None
    """

    recordable: ClassVar[bool] = True
    squeezes: ClassVar[bool] = False
    scales: bool = False
    gates_channels: ClassVar[bool] = False
    is_se: ClassVar[bool] = False
    table_name: ClassVar[str] = ""
    image_shape: tuple[int, int, int] | None = None
    made_as: MadeAs | None = None

    def forward(self, x: Array, training: bool = True) -> tuple[Array, Backward]:
        """The output for x, and the function from dy to dx that adds to every `grad`."""
        raise NotImplementedError(f"{type(self).__name__} has no forward")

    def predict(self, x: Array) -> Array:
        """The output alone, in evaluation mode; `layer(x)` is short for it.

        For single images of one shape, what was decided for the first is not decided again: see
        `minise/nn/plan.py`. The result is that of `forward`, to the last bit.
        """
        return plan.predict(self, x)

    def __call__(self, x: Array) -> Array:
        """`predict`."""
        return self.predict(x)

    def __repr__(self) -> str:
        """Its layers, a line for each."""
        from minise.nn import listing  # which imports this file

        return listing.text(self)

    def _repr_html_(self) -> str:
        from minise.nn import listing

        return listing.html(self)

    def children(self) -> Iterator[tuple[str, Layer]]:
        """The layers that this one is built of, with their names."""
        for name, value in vars(self).items():
            if isinstance(value, Layer):
                yield name, value

    def named_layers(self, prefix: str = "") -> Iterator[tuple[str, Layer]]:
        """The layer itself, called "", and all layers in it with their full names."""
        yield prefix, self
        for name, child in self.children():
            yield from child.named_layers(f"{prefix}.{name}" if prefix else name)

    def named_state(self, prefix: str = "") -> Iterator[tuple[str, Parameter | Buffer]]:
        """Every parameter and buffer with its full name, as in "se.fc1.weight"."""
        for name, value in vars(self).items():
            if isinstance(value, Layer):
                yield from value.named_state(f"{prefix}{name}.")
            elif isinstance(value, Entry):
                yield prefix + name, value

    def named_parameters(self) -> Iterator[tuple[str, Parameter]]:
        """Every parameter with its full name; one used in two places appears once."""
        seen: set[int] = set()
        for name, value in self.named_state():
            if isinstance(value, Parameter) and id(value) not in seen:
                seen.add(id(value))
                yield name, value

    def parameters(self) -> list[Parameter]:
        """Every parameter, once."""
        return [parameter for _, parameter in self.named_parameters()]

    def zero_grad(self) -> None:
        """Set every gradient to 0, since `backward` only adds."""
        for _, entry in self.named_state():
            if isinstance(entry, Parameter):
                entry.grad.fill(0)

    def state_dict(self) -> dict[str, Array]:
        """Copies of all parameters and buffers by name, as NumPy arrays.

        They come in the order in which the layers were set. A state from one backend loads on any
        other.
        """
        return {name: asnumpy(entry.value).copy() for name, entry in self.named_state()}

    def load_state_dict(self, state: Mapping[str, Array], strict: bool = True) -> None:
        """Copy the arrays of `state` into this layer, each cast to the dtype it has here.

        The weights of a linear map (out, in) may come as those of a 1×1 convolution,
        (out, in, 1, 1), and the other way round: they are the same numbers.

        Raises an `InputError` that lists what is missing, unexpected or of another shape, and
        changes nothing then. With `strict=False` only another shape is an error.
        """
        own = {name: entry.value for name, entry in self.named_state()}
        if not strict:
            own = {name: value for name, value in own.items() if name in state}
            state = {name: state[name] for name in own}
        wrong = differences(own, state)
        if wrong:
            raise InputError(f"state of {type(self).__name__} does not fit:\n{wrong}")
        for name, value in own.items():
            given = np.reshape(asnumpy(state[name]), value.shape)
            value[...] = array_module(value).asarray(given)


def moved(net: LayerType) -> LayerType:
    """A copy of `net` with its arrays on the backend in use: moved to a GPU, or from it.

    Its gradients are 0.
    """
    twin = copy.deepcopy(net)
    for _, entry in twin.named_state():
        entry.value = backend.asarray(entry.value)
        if isinstance(entry, Parameter):
            entry.grad = array_module(entry.value).zeros_like(entry.value)
    return twin


def differences(own: Mapping[str, Array], given: Mapping[str, Array]) -> str:
    """What keeps the given state from fitting, in lines; "" where it fits."""

    def fits(name: str) -> bool:
        ours, theirs = own[name].shape, np.shape(given[name])
        # the weights of a linear map and those of a 1×1 convolution are the same numbers
        return ours in (theirs, (*theirs, 1, 1)) or (*ours, 1, 1) == theirs

    both = [name for name in own if name in given]
    kinds = {
        "missing": [name for name in own if name not in given],
        "unexpected": [name for name in given if name not in own],
        "of another shape": [
            f"{name} {np.shape(given[name])}, expected {own[name].shape}"
            for name in both
            if not fits(name)
        ],
        "not floating point": [
            f"{name} is {asnumpy(given[name]).dtype}"
            for name in both
            if asnumpy(given[name]).dtype.kind != "f"
        ],
    }
    return "\n".join(f"  {kind}: {_listed(names)}" for kind, names in kinds.items() if names)


def _listed(names: Sequence[str], most: int = 6) -> str:
    rest = len(names) - most
    return "; ".join(names[:most]) + (f"; and {rest} more" if rest > 0 else "")


def chain(layers: list[Layer], x: Array, training: bool = True) -> tuple[Array, Backward]:
    """Run layers one after the other; their backwards run in reverse order.

    Each gradient is handed over and not kept, so that its memory is free as early as it can be.
    """
    backwards: list[Backward] = []
    goes_back = not plan.goes_forward_alone.get()
    for layer in layers:
        x, backward_of_layer = layer.forward(x, training)
        if goes_back:
            backwards.append(backward_of_layer)
        del backward_of_layer  # else what it keeps would be there while the next layer works

    def backward(dy: Array) -> Array:
        if not goes_back:
            raise RuntimeError("backward: the forward pass was told that none would follow")
        in_hand = [dy]
        del dy
        for backward_of_layer in reversed(backwards):
            in_hand.append(backward_of_layer(in_hand.pop()))
        return in_hand.pop()

    return x, backward


class Sequential(Layer):
    """Layers one after the other. `Sequential(a, b)` names them "0", "1"; keywords name them.

    Without any layers it is the identity.
    """

    def __init__(self, *layers: Layer, **named: Layer) -> None:
        for name, layer in [*((str(k), layer) for k, layer in enumerate(layers)), *named.items()]:
            setattr(self, name, layer)

    def forward(self, x: Array, training: bool = True) -> tuple[Array, Backward]:
        """The last layer's output."""
        return chain([layer for _, layer in self.children()], x, training)
