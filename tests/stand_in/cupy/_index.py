"""Indices as CuPy takes them: integer arrays wrap around, and no place may be written twice."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from cupy import stand_in
from cupy._execute import is_array, operand
from cupy.cuda import stream


class Index:
    """An index, taken apart. `arrays` are those in it; `at(shape)` is NumPy's index now."""

    def __init__(self, key: Any) -> None:
        parts = key if isinstance(key, tuple) else (key,)
        self.parts = [_part(part) for part in parts]
        self.arrays = [part for part in self.parts if is_array(part)]
        self.has_mask = any(array.dtype.kind == "b" for array in self.arrays)
        if not any(part is Ellipsis for part in self.parts):
            self.parts.append(Ellipsis)  # a single element is then a view, too
        for array in self.arrays:
            if array.dtype.kind not in "biu":
                raise IndexError(
                    "arrays used as indices must be of integer or boolean type. "
                    f"(actual: {array.dtype.type})"
                )

    def resolver(self, shape: tuple[int, ...]) -> Callable[[], tuple]:
        """A function that makes NumPy's index of what is in the arrays when it is called."""
        parts = [operand(part) if is_array(part) else part for part in self.parts]
        axes = _axes(parts, len(shape))

        def at() -> tuple:
            return tuple(
                _wrapped(part, shape[axis]) if isinstance(part, np.ndarray) else part
                for part, axis in zip(parts, axes, strict=True)
            )

        return at


def _part(part: Any) -> Any:
    if part is None or part is Ellipsis or is_array(part):
        return part
    if isinstance(part, slice):
        for number in (part.start, part.stop, part.step):
            if is_array(number):
                raise TypeError("slice indices must be integers, not cupy arrays")
        return part
    if np.isscalar(part) and not isinstance(part, bool | np.bool_ | str | bytes):
        return part
    from cupy._create import array

    return array(part)  # a list or a NumPy array: it is copied to the GPU


def _axes(parts: list, ndim: int) -> list[int]:
    """The first axis of the array that each part stands at."""
    widths = [
        0
        if part is None or part is Ellipsis
        else part.ndim
        if isinstance(part, np.ndarray) and part.dtype.kind == "b"
        else 1
        for part in parts
    ]
    if sum(widths) > ndim:
        raise IndexError(
            f"too many indices for array: array is {ndim}-dimensional, "
            f"but {sum(widths)} were indexed"
        )
    axes, axis = [], 0
    for part, width in zip(parts, widths, strict=True):
        axes.append(axis)
        axis += ndim - sum(widths) if part is Ellipsis else width
    return axes


def _wrapped(index: np.ndarray, length: int) -> np.ndarray:
    if index.dtype.kind == "b" or length == 0:
        return index
    return index.astype(np.int64) % length


def get(host: np.ndarray, key: Any) -> tuple[Index, Callable[[np.ndarray], np.ndarray]]:
    """The index, and the function that takes it out of `host`."""
    index = Index(key)
    at = index.resolver(host.shape)
    return index, lambda host: host[at()]


def setter(host: np.ndarray, key: Any) -> Callable[[np.ndarray, Any], None]:
    """The function that writes a value to where the index is, checked for doubles."""
    index = Index(key)
    at = index.resolver(host.shape)
    if index.has_mask:
        stream.wait()  # CuPy counts how many elements there are

    def write(host: np.ndarray, value: Any) -> None:
        where = at()
        if index.arrays and not index.has_mask and not _is_recording():
            places = np.arange(host.size).reshape(host.shape)[where]
            if np.unique(places).size != places.size:
                raise stand_in.StandInError(
                    "an assignment names the same place twice: which value stays is undefined"
                )
        host[where] = value

    return write


def _is_recording() -> bool:
    """Whether this is a trial, in which the indices are not what they will be."""
    return stream.recording_of(stream.get_current_stream()) is not None
