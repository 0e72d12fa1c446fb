"""Pairs of functions."""

from __future__ import annotations

import copy
import inspect
from collections.abc import Callable, Mapping
from typing import Any

from minise.arrays import Array, asnumpy
from minise.errors import InputError
from minise.gradcheck.habits import HABITS
from minise.gradcheck.subject import Gradients, Pair, differentiable, here, name_of, there


class Functions:
    """`y, saved = forward(*inputs)` and `dx, … = backward(dy, saved)`."""

    habits = frozenset(HABITS)
    training = True

    def __init__(self, pair: Pair, inputs: tuple[Any, ...]) -> None:
        self.forward, self.backward = pair
        self.name = name_of(self.forward)
        names = _argument_names(self.forward, len(inputs))
        self.inputs = dict(zip(names, inputs, strict=True))
        self.variables = differentiable(self.inputs)

    @property
    def given(self) -> tuple[str, ...]:
        """All of them."""
        return tuple(self.variables)

    def on(self, inputs: Mapping[str, Any]) -> Functions:
        """The same functions."""
        twin = copy.copy(self)
        twin.inputs, twin.variables = dict(inputs), differentiable(inputs)
        return twin

    def fresh(self) -> Functions:
        """Itself: functions keep nothing."""
        return self

    def run(self, variables: Mapping[str, Array]) -> tuple[Any, Callable[[Any], Gradients]]:
        """One call of each."""
        others = {n: copy.deepcopy(v) for n, v in self.inputs.items() if n not in variables}
        inputs = self.inputs | others | dict(variables)
        result = self.forward(*map(there, inputs.values()))
        if not isinstance(result, tuple) or len(result) != 2:
            raise InputError(
                f"gradcheck: {self.name} returned {type(result).__name__}, expected (y, saved)"
            )
        y, saved = result

        def gradients(dy: Any) -> Gradients:
            found = self.backward(there(dy), saved)
            listed = found if isinstance(found, tuple | list) else (found,)
            listed = [gradient for gradient in listed if gradient is not None]
            if len(listed) != len(variables):
                raise InputError(
                    f"gradcheck: the backward of {self.name} gave {len(listed)} gradients "
                    f"for {len(variables)} inputs: {', '.join(variables)}"
                )
            return {name: asnumpy(g) for name, g in zip(variables, listed, strict=True)}

        return here(y), gradients

    def state(self) -> dict[str, Array]:
        """None."""
        return {}

    def overlooked(self) -> list[str]:
        """None."""
        return []


def _argument_names(forward: Callable[..., Any], count: int) -> list[str]:
    """As `forward` calls them: x, w, b; numbered for a *star, or where it tells no names."""
    names: list[str] = []
    try:
        parameters = inspect.signature(forward).parameters
    except ValueError:  # written in C, as NumPy's functions are before 2.4
        return [f"inputs[{k}]" for k in range(count)]
    for name, parameter in parameters.items():
        if parameter.kind is parameter.VAR_POSITIONAL:
            names += [f"{name}[{k}]" for k in range(count - len(names))]
        elif parameter.kind is not parameter.KEYWORD_ONLY:
            names.append(name)
    if len(names) < count:
        raise InputError(f"gradcheck: {name_of(forward)} takes {len(names)} inputs, got {count}")
    return names[:count]
