"""A user's own function or layer, named on the command line as path/to/file.py:name."""

from __future__ import annotations

import importlib.util
import inspect
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from minise.errors import InputError
from minise.gradcheck.examples import Example
from minise.gradcheck.own_errors import in_short, place, told
from minise.nn.layer import Layer


def own_example(
    target: str, shapes: Sequence[tuple[int, ...]], rng: np.random.Generator
) -> Example:
    """What `target` names, on normal random arrays of these shapes, or on the file's own inputs.

    In the file, `f` or `f_forward` with an `f_backward` is a pair of functions; a `Layer`, or a
    class or function without arguments that makes one, is a layer. `f_inputs`, a tuple of arrays or
    a function from a generator to one, is used where no shapes are given.

    Raises `InputError` where the file cannot be run, or has no such thing.
    """
    path, _, name = target.rpartition(":")
    if not path or not name:
        raise InputError(f"{target!r}: expected a file and a name in it, as in layers.py:my_layer")
    module = _load(Path(path))
    if not hasattr(module, name):
        raise InputError(f"{path} has no {name!r}")
    with errors_in(path):
        subject = _subject(module, name, path)
        return Example(subject, _inputs(module, name, path, shapes, rng))


def _load(path: Path) -> ModuleType:
    if not path.is_file():
        raise InputError(f"{path}: there is no such file")
    specification = importlib.util.spec_from_file_location(f"checked_{path.stem}", path)
    if specification is None or specification.loader is None:
        raise InputError(f"{path} is not a Python file")
    module = importlib.util.module_from_spec(specification)
    sys.modules[specification.name] = module  # where dataclasses look for it
    folder = str(path.resolve().parent)
    if folder not in sys.path:
        sys.path.insert(0, folder)  # for what it imports from beside it, now or later
    with errors_in(str(path)):
        specification.loader.exec_module(module)
    return module


def _subject(module: ModuleType, name: str, path: str) -> Any:
    found = getattr(module, name)
    beside = [f"{name}_backward", f"{name.removesuffix('_forward')}_backward"]
    backward = next((getattr(module, each) for each in beside if hasattr(module, each)), None)
    if isinstance(found, Layer | tuple):
        return found
    if callable(found) and callable(backward):
        return found, backward
    if isinstance(found, type) and issubclass(found, Layer) and not _takes_nothing(found):
        raise InputError(
            f"{path}:{name} needs arguments: name a function without arguments that makes the layer"
        )
    if callable(found) and _takes_nothing(found) and isinstance(layer := found(), Layer):
        return layer
    raise InputError(f"{path}:{name} is not a layer, nor a function with a {beside[-1]} beside it")


def _takes_nothing(function: Callable[..., Any]) -> bool:
    try:
        parameters = inspect.signature(function).parameters.values()
    except ValueError:  # written in C, and does not tell
        return False
    return not any(
        parameter.default is parameter.empty
        for parameter in parameters
        if parameter.kind not in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD)
    )


def _inputs(
    module: ModuleType,
    name: str,
    path: str,
    shapes: Sequence[tuple[int, ...]],
    rng: np.random.Generator,
) -> tuple[Any, ...]:
    if shapes:
        return tuple(rng.standard_normal(shape) for shape in shapes)
    given: Any = getattr(module, f"{name}_inputs", None)
    if given is None:
        raise InputError(
            f"{path}:{name} needs inputs: type --input 2,3,4,4 for each array, or put "
            f"{name}_inputs into the file, a tuple of arrays or a function from a generator to one"
        )
    if callable(given):
        given = given() if _takes_nothing(given) else given(rng)
    if isinstance(given, np.ndarray):
        return (given,)
    return tuple(given)  # a list, or what a generator function yields


@contextmanager
def errors_in(path: str) -> Iterator[None]:
    """Report what the code in this file raises in one line, with its place in the file."""
    try:
        yield
    except InputError:
        raise
    except SystemExit as error:
        raise InputError(
            f"{path} exits when imported: put what it runs under if __name__ == '__main__'"
        ) from error
    except SyntaxError as error:
        raise InputError(
            f"{place(error.filename or path, error.lineno or 1)}: {in_short(error)}"
        ) from error
    except Exception as error:  # any: it is the person's own code
        text = told(error) or f"{path}: {in_short(error)}"
        raise InputError(text) from error
