"""A user's own function or layer, named on the command line as path/to/file.py:name."""

from __future__ import annotations

import difflib
import importlib.util
import inspect
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import BuiltinFunctionType, ModuleType
from typing import Any, NamedTuple

import numpy as np

from minise.errors import InputError
from minise.gradcheck.forms.foreign import package_of
from minise.gradcheck.forms.objects import methods_of, takes_nothing
from minise.gradcheck.own_errors import in_short, place, told
from minise.nn.layer import Layer


class Own(NamedTuple):
    """What `check` takes: `check(own.subject, *own.inputs, **own.told)`."""

    subject: Any
    inputs: tuple[Any, ...]
    told: dict[str, Any]  # names, returns and outputs
    training: bool = True


def own_example(target: str, shapes: Sequence[tuple[int, ...]], rng: np.random.Generator) -> Own:
    """What `target` names, on normal random arrays of these shapes, or on the file's own inputs.

    In the file, `f` or `f_forward` with an `f_backward` is a pair of functions; an object with
    forward and backward, a class or function without arguments that makes one, and a loss that
    returns its gradients are taken as they are. `f_inputs`, a tuple of arrays or a function from a
    generator to one, is used where no shapes are given; `f_names`, `f_returns` and `f_outputs` are
    those of `gradcheck.check`.

    Raises `InputError` where the file cannot be run, or has no such thing.
    """
    path, _, name = target.rpartition(":")
    if not path or not name:
        raise InputError(f"{target!r}: expected a file and a name in it, as in layers.py:my_layer")
    module = _load(Path(path))
    if not hasattr(module, name):
        close = [each for each in vars(module) if each.startswith(name + "_")]
        close += difflib.get_close_matches(name, vars(module), 1)
        did = f"; did you mean {close[0]}?" if close else ""
        raise InputError(f"{path} has no {name!r}{did}")
    with errors_in(path):
        subject = _subject(module, name, path)
        told = {what: _beside(module, name, what) for what in ("names", "returns", "outputs")}
        return Own(subject, _inputs(module, name, path, shapes, rng), told)


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
    backward = next((getattr(module, n) for n in _backwards(name) if hasattr(module, n)), None)
    if package_of(found) and not callable(backward):
        return _of_a_package(found, f"{path}:{name}")
    if callable(found) and not isinstance(found, type) and callable(backward):
        return found, backward
    if isinstance(found, type) and not takes_nothing(found):
        raise InputError(
            f"{path}:{name} needs arguments: name a function without arguments that makes one"
        )
    if isinstance(found, Layer | tuple | type) or methods_of(found):
        return found
    if callable(found) and takes_nothing(found):
        made = found()
        if isinstance(made, Layer | tuple) or methods_of(made) or inspect.ismethod(made):
            return made
    elif callable(found) and not isinstance(found, BuiltinFunctionType):
        return found  # a loss that returns its gradients at once
    raise InputError(
        f"{path}:{name} is not a layer, an object with forward and backward, a loss that returns "
        f"its gradients, nor a function with a {_backwards(name)[-1]} beside it"
    )


def _of_a_package(found: Any, place: str) -> Any:
    """Code of PyTorch or JAX as it is; a module from the class or the function that makes it."""
    module_class = isinstance(found, type) and hasattr(found, "named_parameters")
    if module_class and not takes_nothing(found):
        raise InputError(
            f"{place} needs arguments: name a function without arguments that makes the module"
        )
    makes = inspect.isfunction(found) and not inspect.signature(found).parameters
    return found() if module_class or makes else found


def _backwards(name: str) -> list[str]:
    """affine_backward for affine_forward or affine; conv_backward_naive for conv_forward_naive."""
    renamed = [name.replace("forward", "backward")] if "forward" in name else []
    return [f"{name}_backward", *renamed]


def _beside(module: ModuleType, name: str, what: str) -> Any:
    """affine_forward_inputs, or affine_inputs; None where there is neither."""
    for stem in (name, name.replace("_forward", "")):
        if hasattr(module, f"{stem}_{what}"):
            return getattr(module, f"{stem}_{what}")
    return None


def _inputs(
    module: ModuleType,
    name: str,
    path: str,
    shapes: Sequence[tuple[int, ...]],
    rng: np.random.Generator,
) -> tuple[Any, ...]:
    if shapes:
        return tuple(rng.standard_normal(shape) for shape in shapes)
    given = _beside(module, name, "inputs")
    if given is None:
        raise InputError(
            f"{path}:{name} needs inputs: type --input 2,3,4,4 for each array, or put "
            f"{name}_inputs into the file, a tuple of arrays or a function from a generator to one"
        )
    if callable(given):
        given = given() if takes_nothing(given) else given(rng)
    if hasattr(given, "__array__"):  # also a tensor of PyTorch, an Array of JAX
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
