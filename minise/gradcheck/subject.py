"""What is checked, as one thing: named arrays in, the output and a function for gradients out.

Each form in which people have their gradients is made into a `Subject` by a file in `forms`. The
arrays are NumPy's. With "cupy" in use they go to the GPU for each run, and come back from it.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import Any, Self, TypeAlias

import numpy as np

from minise.arrays import Array, asnumpy, on_gpu
from minise.backend import asarray

Pair: TypeAlias = tuple[Callable[..., Any], Callable[..., Any]]
Gradients: TypeAlias = dict[str, Array]


class Subject(ABC):
    """A pair of functions, a layer, an object, a function of another library, on its inputs."""

    name: str
    inputs: dict[str, Any]  # what came from outside, by name: arrays, labels, settings
    variables: dict[str, Array]  # what is differentiated: float64 inputs, and parameters held
    training: bool = True
    habits: frozenset[str]  # those of `habits.HABITS` that its form can keep
    said: tuple[str, ...] = ()  # of what is not checked

    @property
    def given(self) -> tuple[str, ...]:
        """Which variables are inputs: all but the parameters that it holds itself."""
        return tuple(self.variables)

    @abstractmethod
    def on(self, inputs: Mapping[str, Any]) -> Self:
        """The same with other inputs, of the same names."""

    def fresh(self) -> Self:
        """Itself as it was given, as no run has moved its averages or its generators."""
        return self

    @abstractmethod
    def run(self, variables: Mapping[str, Array]) -> tuple[Any, Callable[[Any], Gradients]]:
        """The output, and the function from dy to the gradient of each variable.

        Several outputs are one vector, as `outputs.join` makes it; their dy is one as well.
        """

    def output(self, variables: Mapping[str, Array]) -> Any:
        """That of a run of its own, until the next."""
        return self.fresh().run(variables)[0]

    def other_path(self, variables: Mapping[str, Array]) -> Any:
        """The output where a library computes it twice: as it is, and to be differentiated."""
        return self.output(variables)

    def state(self) -> dict[str, Array]:
        """Copies of the arrays that it holds itself, a layer's parameters and averages."""
        return {}

    def overlooked(self) -> list[str]:
        """Attributes that hold parameters which a layer does not find."""
        return []


def differentiable(inputs: Mapping[str, Any]) -> dict[str, Array]:
    """Copies of the float arrays among them, in float64: no other can be moved a little."""
    return {name: value.astype(np.float64) for name, value in inputs.items() if is_float(value)}


def is_float(value: Any) -> bool:
    """Whether it is an array of floating-point numbers."""
    return isinstance(value, np.ndarray) and np.issubdtype(value.dtype, np.floating)


def kind(value: Any) -> str:
    """What it is, for a message: "float32 array", or the name of its type."""
    return f"{value.dtype} array" if isinstance(value, np.ndarray) else type(value).__name__


def name_of(function: Callable[..., Any]) -> str:
    """As it was defined, also behind a `functools.partial`."""
    function = getattr(function, "func", function)
    return getattr(function, "__name__", "the function")


def there(value: Any) -> Any:
    """Where the backend in use wants it."""
    return asarray(value) if isinstance(value, np.ndarray) else value


def here(value: Any) -> Any:
    """As NumPy's array."""
    return asnumpy(value) if on_gpu(value) else value
