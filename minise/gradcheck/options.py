"""Options, where they can be seen, whose values hide that the code leaves them out."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from minise.gradcheck.subject import Subject

# What hides each one; and what to try
HIDDEN = {"stride": (1, "2"), "padding": (0, "1"), "dilation": (1, "2"), "groups": (1, "2")}
OTHER_NAMES = {"strides": "stride", "pad": "padding"}
KERNELS = ("kernel_size", "pool_size", "kernel", ("pool_height", "pool_width"))


def seen(subject: Subject) -> dict[str, Any]:
    """Of a signature and its partial, of a layer's attributes, of dictionaries among inputs."""
    found: dict[str, Any] = {}
    forward = getattr(subject, "forward", None)
    while isinstance(forward, functools.partial):
        found = dict(forward.keywords) | found
        forward = forward.func
    if forward is not None:
        found = _defaults(forward) | found
    layer = getattr(subject, "layer", None)
    if layer is not None:
        found |= vars(layer)
    for name, value in subject.inputs.items():
        if isinstance(value, Mapping):
            found |= {str(key): option for key, option in value.items()}
        else:
            found[name] = value
    return {name: value for name, value in found.items() if _numbers(value) is not None}


def hiding(subject: Subject) -> Iterator[str]:
    """A line for options that hide something, and one for windows that leave no rest."""
    found = seen(subject)
    hidden = {
        name: HIDDEN[OTHER_NAMES.get(name, name)]
        for name in found
        if OTHER_NAMES.get(name, name) in HIDDEN
    }
    hidden = {
        name: (value, other)
        for name, (value, other) in hidden.items()
        if set(_numbers(found[name]) or ()) == {value}
    }
    if hidden:
        given = ", ".join(f"{name}={value}" for name, (value, _) in hidden.items())
        other = ", ".join(f"{name}={other}" for name, (_, other) in hidden.items())
        them = "this option" if len(hidden) == 1 else "one of these options"
        yield f"{given}: code that ignores {them} passes; try {other}"
    yield from _rest(subject, found)


def _rest(subject: Subject, found: Mapping[str, Any]) -> Iterator[str]:
    arrays = [(n, v) for n, v in subject.inputs.items() if isinstance(v, np.ndarray)]
    if not arrays or arrays[0][1].ndim != 4:
        return
    options = {OTHER_NAMES.get(n, n): v for n, v in found.items()}
    kernel = _kernel(found)
    if kernel is None and "stride" in options:
        kernel = next((a.shape[2:] for _, a in arrays[1:] if a.ndim == 4), None)
        weight = subject.variables.get("weight")
        if kernel is None and weight is not None and weight.ndim == 4:
            kernel = weight.shape[2:]
    if kernel is None:
        return
    stride = _pair(options.get("stride")) or kernel
    padding, dilation = _pair(options.get("padding", 0)), _pair(options.get("dilation", 1))
    name, x = arrays[0]
    if padding is None or dilation is None or max(stride) == 1 or min(stride) < 1:
        return
    rests = [
        (size + 2 * p - d * (k - 1) - 1) % s
        for size, p, d, k, s in zip(x.shape[2:], padding, dilation, kernel, stride, strict=True)
    ]
    if not any(rests):
        n, c, h, w = x.shape
        yield (
            f"{name} {x.shape}: the windows leave no rest, and whatever code makes of one passes; "
            f"try {name} {(n, c, h + (stride[0] > 1), w + (stride[1] > 1))}"
        )


def _kernel(found: Mapping[str, Any]) -> tuple[int, int] | None:
    for names in KERNELS:
        if isinstance(names, tuple) and all(name in found for name in names):
            return found[names[0]], found[names[1]]
        if isinstance(names, str) and names in found:
            return _pair(found[names])
    return None


def _defaults(function: Any) -> dict[str, Any]:
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):  # written in C
        return {}
    return {p.name: p.default for p in parameters if p.default is not p.empty}


def _numbers(value: Any) -> tuple[int, ...] | None:
    """One whole number, or several."""
    several = value if isinstance(value, tuple | list) else (value,)
    if several and all(
        isinstance(n, int | np.integer) and not isinstance(n, bool) for n in several
    ):
        return tuple(map(int, several))
    return None


def _pair(value: Any) -> tuple[int, int] | None:
    numbers = _numbers(value)
    if numbers is None or len(numbers) > 2:
        return None
    return (numbers[0], numbers[-1])
