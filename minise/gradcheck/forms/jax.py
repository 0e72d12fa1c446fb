"""Code of JAX: a function, compiled or not, and one with a backward of its own, a `custom_vjp`.

What `jax.vjp` says is held against differences, in float64, which JAX computes in only where it is
told so: it is for each run, and for nothing else in the process.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from functools import wraps
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from minise.arrays import Array
from minise.errors import InputError
from minise.gradcheck.forms.inputs import named_inputs
from minise.gradcheck.forms.outputs import join, split
from minise.gradcheck.subject import Gradients, Subject, name_of

if hasattr(jax, "enable_x64"):
    in_float64 = jax.enable_x64
else:  # before 0.8
    from jax.experimental import enable_x64 as in_float64  # type: ignore[no-redef]


class OfJax(Subject):
    """A function of arrays and of trees of them, whose leaves go by their path: params['w'].

    Arrays cannot be written into, and what autograd records knows of no other run: what is left of
    the habits is that a `custom_vjp` may do with dy what it wants, and compute another forward.
    """

    habits = frozenset({"linear in dy", "one forward"})

    def __init__(
        self,
        function: Callable[..., Any],
        inputs: tuple[Any, ...],
        names: Sequence[str] | None = None,
    ) -> None:
        self.function, self.name = function, name_of(function)
        self.inputs = named_inputs(function, inputs, names)
        self.variables = _floats(self.inputs)

    def on(self, inputs: Mapping[str, Any]) -> OfJax:
        """The same function."""
        twin = copy.copy(self)
        twin.inputs, twin.variables = dict(inputs), _floats(inputs)
        return twin

    def run(self, variables: Mapping[str, Array]) -> tuple[Any, Callable[[Any], Gradients]]:
        """One call, and for the gradients another one that is recorded."""
        with in_float64(True):
            outputs = self._call(self._arrays(variables))
        shapes = [y.shape for y in outputs]

        def gradients(dy: Any) -> Gradients:
            with in_float64(True):
                # arrays anew: a compiled function may have taken the others as its own (donated)
                _, backward = jax.vjp(self._call, self._arrays(variables))
                parts = [
                    jnp.array(part, y.dtype)
                    for part, y in zip(split(dy, shapes), outputs, strict=True)
                ]
                try:
                    (found,) = backward(parts)
                except (TypeError, ValueError) as error:
                    if "bwd rule" not in str(error):
                        raise
                    text = " ".join(str(error).split())
                    raise InputError(f"gradcheck: {self.name}: {text}") from error
                return {name: _as_numpy(found[name]) for name in variables}

        return join([_as_numpy(y) for y in outputs]), gradients

    def other_path(self, variables: Mapping[str, Array]) -> Any:
        """The output of what is differentiated: of a `custom_vjp` its fwd."""
        with in_float64(True):
            outputs, _ = jax.vjp(self._call, self._arrays(variables))
            return join([_as_numpy(y) for y in outputs])

    def _arrays(self, variables: Mapping[str, Array]) -> dict[str, Any]:
        if any(np.iscomplexobj(array) for array in variables.values()):
            raise InputError("gradcheck: complex steps are not for code of JAX: leave out method=")
        return {name: jnp.array(array) for name, array in variables.items()}

    def _call(self, arrays: Mapping[str, Any]) -> list[Any]:
        """Its outputs of floating point."""

        def leaf(name: str, value: Any) -> Any:
            if name in arrays:
                return arrays[name]
            return _as_jax(value)

        arguments = [_mapped(leaf, name, value) for name, value in self.inputs.items()]
        result = jax.tree_util.tree_leaves(self.function(*arguments))
        outputs = [y for y in map(jnp.asarray, result) if jnp.issubdtype(y.dtype, jnp.floating)]
        if not outputs:
            raise InputError(f"gradcheck: {self.name} returned no array of floating point")
        return outputs


def on_arrays(function: Callable[..., Any]) -> Callable[..., Any]:
    """The same function, from arrays to arrays, computed in float64."""

    @wraps(function)
    def called(*inputs: Any, **options: Any) -> Any:
        with in_float64(True):
            inputs, options = jax.tree_util.tree_map(_as_jax, (inputs, options))
            return as_arrays(function(*inputs, **options))

    return called


def as_arrays(tree: Any) -> Any:
    """With NumPy's arrays for JAX's."""
    return jax.tree_util.tree_map(
        lambda value: _as_numpy(value) if isinstance(value, jax.Array) else value, tree
    )


def _as_jax(value: Any) -> Any:
    return jnp.array(value) if _is_numbers(value) else value


def _floats(inputs: Mapping[str, Any]) -> dict[str, Array]:
    floats: dict[str, Array] = {}

    def leaf(name: str, value: Any) -> None:
        if isinstance(value, np.ndarray | jax.Array) and jnp.issubdtype(value.dtype, jnp.floating):
            floats[name] = np.asarray(value).astype(np.float64)

    for name, value in inputs.items():
        _mapped(leaf, name, value)
    return floats


def _mapped(function: Callable[[str, Any], Any], name: str, tree: Any) -> Any:
    """The same tree, of what `function` makes of each leaf and its name, such as "params['w']"."""

    def leaf(path: Any, value: Any) -> Any:
        return function(name + jax.tree_util.keystr(path), value)

    return jax.tree_util.tree_map_with_path(leaf, tree)


def _is_numbers(value: Any) -> bool:
    return isinstance(value, np.ndarray | np.generic) and value.dtype.kind in "fbiuc"


def _as_numpy(array: Any) -> Array:
    """In its own dtype; NumPy has no bfloat16, whose numbers are float32's."""
    return np.array(array, np.float32 if array.dtype == jnp.bfloat16 else None)
