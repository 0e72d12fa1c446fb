"""The lines of source that computed what is shown."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterator
from pathlib import Path, PurePath
from typing import Any

from minise import data, ops
from minise.gradcheck.differences import Line
from minise.lessons import PACKAGE
from minise.nn import Layer, Residual
from minise.play import checking
from minise.play.steps import Steps

Function = Callable[..., Any]

PANELS: dict[str, tuple[Function, ...]] = {
    "input": (data.fit_digit, data.place_digit, data.to_input),
    "scores": (ops.softmax_cross_entropy,),
    "loss": (ops.softmax_cross_entropy, ops.softmax_cross_entropy_backward),
    "step": (Steps.step,),
    "check": (checking.check, Line.central, Line.slopes),
}


def of_panel(panel: str) -> list[dict[str, Any]]:
    """The functions behind a panel."""
    return _shown(with_helpers(PANELS[panel]))


def of_layer(layer: Layer, *, joined: bool = False) -> list[dict[str, Any]]:
    """A layer's forward, with its backward in it, and the operations that it calls.

    Of an SE block also those of the layers it consists of; `joined` is one whose gates are
    multiplied in where a residual block's branch meets the shortcut.
    """
    own = [getattr(type(layer), name, None) for name in ("forward", "gates", "join")]
    methods = [method for method in own if method is not None]
    if joined:
        methods = [Residual.join, *methods[1:]]
    parts = [child for _, child in layer.children()] if layer.is_se else []
    inner = [type(part).forward for part in parts if not part.is_se]
    written = list(with_helpers(methods))
    called = [function for method in (*written, *inner) for function in _ops_in(method)]
    return _shown([*written, *with_helpers(called)])


def with_helpers(functions: Any) -> Iterator[Function]:
    """Each function, followed by those of its file that it calls: the specification."""
    for function in functions:
        plain = inspect.unwrap(function)
        yield plain
        for name in re.findall(r"(?<![\w.])(_\w+)\(", _text(plain)):
            helper = inspect.unwrap(getattr(inspect.getmodule(plain), name, None) or plain)
            if inspect.isfunction(helper):
                yield helper


def _ops_in(method: Function) -> Iterator[Function]:
    for name in re.findall(r"\bops\.(?!masked)(\w+)", _text(method)):  # no mask is given here
        if inspect.isfunction(function := getattr(ops, name, None)):
            yield function


def _shown(functions: Any) -> list[dict[str, Any]]:
    """Where each is and its text, once; those whose text is not there are left out."""
    found: dict[tuple[str, int], dict[str, Any]] = {}
    for function in functions:
        text = _text(function)
        if text:
            line = inspect.getsourcelines(function)[1]
            file = _short(inspect.getsourcefile(function) or "")
            found.setdefault(
                (file, line),
                {"file": file, "line": line, "name": function.__qualname__, "code": text},
            )
    return list(found.values())


def _text(function: Any) -> str:
    try:
        return inspect.cleandoc("\n" + inspect.getsource(function))
    except (OSError, TypeError):  # typed into a terminal, or compiled
        return ""


def _short(file: str) -> str:
    """As in minise/nn/se.py; of a file elsewhere its name alone."""
    try:
        return Path(file).relative_to(PACKAGE.parent).as_posix()
    except ValueError:
        return PurePath(file).name
