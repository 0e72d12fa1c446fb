"""CuPy's functions that no table makes: joining, products, choosing, comparing."""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import ModuleType
from typing import Any

import numpy as np

from cupy._array import ndarray
from cupy._execute import array_operand, is_array, operand, produce, run
from cupy.cuda import stream


def get_array_module(*args: Any) -> ModuleType:
    """`cupy` if any of the arguments is one of its arrays, else `numpy`."""
    return sys.modules["cupy"] if any(is_array(arg) for arg in args) else np


def clip(a: ndarray, a_min: Any, a_max: Any, out: ndarray | None = None) -> ndarray:
    array_operand(a, "clip: a")
    bounds = [bound for bound in (a_min, a_max) if bound is not None]
    if not bounds:
        raise ValueError("array_clip: must set either max or min")
    if len(bounds) == 2:
        return run(np.clip, (a, *bounds), out)
    return run(np.maximum if a_max is None else np.minimum, (a, *bounds), out)


def where(condition: ndarray, x: Any = None, y: Any = None) -> Any:
    array_operand(condition, "where: condition")
    if (x is None) != (y is None):
        raise ValueError("Must provide both 'x' and 'y' or neither.")
    if x is None:
        return condition.nonzero()
    return produce(np.where, condition, x, y)


def refuse_during_capture() -> None:
    """CuPy lets no product of matrices be captured: it does not trust cuBLAS with it."""
    if stream.recording_of(stream.get_current_stream()):
        raise NotImplementedError(
            "calling cuBLAS API during stream capture is currently unsupported"
        )


def _product(function: Callable[..., Any], a: Any, b: Any, out: Any) -> ndarray:
    for factor in (a, b):
        if not is_array(factor):
            raise TypeError(f"Unsupported type {type(factor)}")
    if np.result_type(a.dtype, b.dtype).kind in "fc":
        refuse_during_capture()
    return run(function, (a, b), out)


def matmul(a: ndarray, b: ndarray, out: ndarray | None = None) -> ndarray:
    return _product(np.matmul, a, b, out)


def dot(a: ndarray, b: ndarray, out: ndarray | None = None) -> ndarray:
    return _product(np.dot, a, b, out)


def tensordot(a: ndarray, b: ndarray, axes: Any = 2) -> ndarray:
    return _product(lambda a, b: np.tensordot(a, b, axes), a, b, None)


def outer(a: ndarray, b: ndarray, out: ndarray | None = None) -> ndarray:
    return run(np.multiply, (a.ravel()[:, None], b.ravel()[None, :]), out)


def einsum(*args: Any, **kwargs: Any) -> ndarray:
    raise NotImplementedError("einsum: the stand-in does not know how CuPy would compute it")


def pad(array: ndarray, pad_width: Any, mode: str = "constant", **kwargs: Any) -> ndarray:
    host = array_operand(array, "pad: array")
    order = "F" if host.flags.fnc else "C"
    return produce(lambda x: np.pad(x, pad_width, mode, **kwargs), array, order=order)


def _joined(function: Callable[..., Any], arrays: Any, axis: Any, out: Any, dtype: Any) -> ndarray:
    if not isinstance(arrays, list | tuple):
        raise TypeError(f"a list or a tuple of arrays is needed, not {type(arrays)}")
    for item in arrays:
        if not is_array(item):
            raise TypeError("Only cupy arrays can be concatenated")
    return run(lambda *x, **to: function(x, axis=axis, dtype=dtype, **to), arrays, out)


def concatenate(tup: Any, axis: Any = 0, out: Any = None, *, dtype: Any = None) -> ndarray:
    return _joined(np.concatenate, tup, axis, out, dtype)


def stack(tup: Any, axis: int = 0, out: Any = None, *, dtype: Any = None) -> ndarray:
    return _joined(np.stack, tup, axis, out, dtype)


def split(ary: ndarray, indices_or_sections: Any, axis: int = 0) -> list[ndarray]:
    return [ary._seen(part) for part in np.split(operand(ary), indices_or_sections, axis)]


def take(a: ndarray, indices: Any, axis: int | None = None, out: Any = None) -> ndarray:
    """Elements by their numbers, which wrap around."""
    from cupy._create import array

    length = array_operand(a, "take: a").size if axis is None else a.shape[axis]
    if not is_array(indices) and not np.isscalar(indices):
        indices = array(indices, dtype=int)
    if is_array(indices) and indices.dtype.kind not in "iu":
        raise TypeError("take: indices must be integers")

    def compute(host: np.ndarray, places: Any, **to: Any) -> Any:
        return np.take(host, np.asarray(places, np.int64) % max(length, 1), axis, **to)

    return run(compute, (a, indices), out)


def repeat(a: ndarray, repeats: int, axis: int | None = None) -> ndarray:
    array_operand(a, "repeat: a")
    return produce(lambda x: np.repeat(x, repeats, axis), a)


def flip(a: ndarray, axis: Any = None) -> ndarray:
    return a._seen(np.flip(array_operand(a, "flip: a"), axis))


def roll(a: ndarray, shift: Any, axis: Any = None) -> ndarray:
    array_operand(a, "roll: a")
    return produce(lambda x: np.roll(x, shift, axis), a)


def count_nonzero(a: ndarray, axis: Any = None) -> ndarray:
    array_operand(a, "count_nonzero: a")
    return produce(lambda x: np.count_nonzero(x, axis), a)


def nonzero(a: ndarray) -> tuple[ndarray, ...]:
    array_operand(a, "nonzero: a")
    return a.nonzero()


def flatnonzero(a: ndarray) -> ndarray:
    array_operand(a, "flatnonzero: a")
    return a.ravel().nonzero()[0]


def unique(ar: ndarray, **kwargs: Any) -> Any:
    array_operand(ar, "unique: ar")
    stream.wait()
    found = np.unique(ar._host, **kwargs)
    if isinstance(found, tuple):
        return tuple(produce(lambda part=part: part) for part in found)
    return produce(lambda: found)


def array_equal(a1: ndarray, a2: ndarray, equal_nan: bool = False) -> ndarray:
    """As an array of no axes: who asks `if` waits."""
    array_operand(a1, "array_equal: a1"), array_operand(a2, "array_equal: a2")
    return produce(lambda a, b: np.array_equal(a, b, equal_nan), a1, a2)


def isclose(
    a: Any, b: Any, rtol: float = 1e-5, atol: float = 1e-8, equal_nan: bool = False
) -> ndarray:
    return produce(lambda a, b: np.isclose(a, b, rtol, atol, equal_nan), a, b)


def allclose(
    a: Any, b: Any, rtol: float = 1e-5, atol: float = 1e-8, equal_nan: bool = False
) -> ndarray:
    return produce(lambda a, b: np.allclose(a, b, rtol, atol, equal_nan), a, b)


def may_share_memory(a: Any, b: Any, max_work: Any = None) -> bool:
    return is_array(a) and is_array(b) and np.may_share_memory(a._host, b._host)


def shares_memory(a: Any, b: Any, max_work: Any = None) -> bool:
    return is_array(a) and is_array(b) and np.shares_memory(a._host, b._host)


def result_type(*arrays_and_dtypes: Any) -> np.dtype:
    return np.result_type(*(a._host if is_array(a) else a for a in arrays_and_dtypes))


def ndim(a: Any) -> int:
    return a.ndim if is_array(a) else np.ndim(a)


def shape(a: Any) -> tuple[int, ...]:
    return a.shape if is_array(a) else np.shape(a)


def size(a: Any) -> int:
    return a.size if is_array(a) else np.size(a)


ndarray.clip = lambda self, min=None, max=None, out=None: clip(self, min, max, out)
ndarray.dot = dot
ndarray.repeat = repeat
