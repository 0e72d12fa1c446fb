"""Code of PyTorch and of JAX: which of the two it is, if any. Only then is either imported."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any

from minise.errors import InputError
from minise.gradcheck.forms.pairs import Told
from minise.gradcheck.forms.trees import leaves
from minise.gradcheck.subject import Subject

PACKAGES = {"torch": "torch", "jax": "jax", "jaxlib": "jax"}


def foreign(
    given: Any, inputs: tuple[Any, ...], training: bool, loss: Any, told: Told
) -> Subject | None:
    """`given` as a subject of PyTorch's or JAX's, or None where it is neither's."""
    package = package_of(given, inputs)
    if package is not None and (told.returns is not None or told.outputs is not None):
        raise InputError(
            f"gradcheck: returns= and outputs= are for a backward by hand, which code of {package} "
            "tells itself"
        )
    if package == "torch":
        from minise.gradcheck.forms.pytorch import of_pytorch

        return of_pytorch(given, inputs, training, loss, told.names)
    if package == "jax":
        if loss is not None:
            raise InputError("gradcheck: loss= is for layers; put the loss into the function")
        from minise.gradcheck.forms.jax import OfJax

        return OfJax(given, inputs, told.names)
    return None


def around(pair: Any, inputs: tuple[Any, ...]) -> tuple[Any, tuple[Any, ...]]:
    """A pair written by hand in PyTorch or JAX, as one of NumPy's, and its inputs as arrays."""
    forward, backward = pair
    package = package_of(forward, inputs) or package_of(backward)
    if package == "torch":
        from minise.gradcheck.forms.pytorch import as_arrays, on_arrays
    elif package == "jax":
        from minise.gradcheck.forms.jax import as_arrays, on_arrays
    else:
        return pair, inputs
    return (on_arrays(forward), on_arrays(backward)), as_arrays(inputs)


def package_of(given: Any, inputs: tuple[Any, ...] = ()) -> str | None:
    """Whose it is: by its type, by its inputs, or by what a plain function names.

    It can be of neither unless the person's own code has imported it.
    """
    if not any(package in sys.modules for package in PACKAGES) or not callable(given):
        return None
    whole = getattr(given, "__self__", given)  # of a method
    if hasattr(whole, "backward") and not _packages(whole):
        return None  # an object with a backward by hand, which autograd would not ask
    found = _packages(given) + _packages(getattr(given, "__self__", None))  # F of F.apply
    for _, value in leaves(inputs):
        found += _packages(value)
    function = getattr(given, "func", given)  # of a functools.partial
    if not inspect.isroutine(function):
        function = type(given).__call__
    if inspect.isfunction(function) or inspect.ismethod(function):
        for value in _named(function):
            found += _packages(value)
    return next(iter(found), None)


def _packages(value: Any) -> list[str]:
    if isinstance(value, ModuleType):
        names = [value.__name__]
    else:
        types = value.__mro__ if isinstance(value, type) else type(value).__mro__
        names = [each.__module__ for each in types]
        names += [getattr(value, "__module__", None) or ""] if callable(value) else []
    roots = [name.partition(".")[0] for name in names]
    return [PACKAGES[root] for root in roots if root in PACKAGES]


def _named(function: Callable[..., Any]) -> Iterator[Any]:
    """What a function's body names, from around it: `jnp`, `F`, a Function of the person's."""
    try:
        names = inspect.getclosurevars(function)
    except ValueError:  # a cell that is still empty
        return
    yield from names.nonlocals.values()
    yield from names.globals.values()
