"""Functions that make arrays."""

from __future__ import annotations

from typing import Any

import numpy as np

from cupy import _transfer
from cupy._array import allocate, checked_dtype, ndarray
from cupy._execute import change, is_array, produce


def array(
    obj: Any,
    dtype: Any = None,
    copy: bool | None = True,
    order: str | None = "K",
    subok: bool = False,
    ndmin: int = 0,
    *,
    blocking: bool = False,
) -> ndarray:
    """A copy on the GPU of an array, a number or nested lists of them."""
    if subok:
        raise NotImplementedError("subok is not supported")
    order = order or "K"
    if is_array(obj):
        result = _from_gpu(obj, dtype, copy, order)
    elif isinstance(obj, list | tuple) and _holds_arrays(obj):
        from cupy._functions import stack

        result = stack([array(item, copy=None) for item in obj])
        result = result if dtype is None else result.astype(dtype)
    else:
        source = np.asarray(obj, dtype=dtype)
        checked_dtype(source.dtype)
        if copy is False:
            raise ValueError("Unable to avoid copy while creating an array as requested.")
        kept = "F" if order in "AKF" and source.flags.fnc else "C"
        target = allocate(source, order if order in "CF" else kept)
        result = _transfer.from_host(target, source, blocking)
    if result.ndim < ndmin:
        result = result.reshape((1,) * (ndmin - result.ndim) + result.shape)
    return result


def _from_gpu(source: ndarray, dtype: Any, copy: bool | None, order: str) -> ndarray:
    fits = {"C": source.flags.c_contiguous, "F": source.flags.f_contiguous}.get(order, True)
    if not copy and fits and (dtype is None or np.dtype(dtype) == source.dtype):
        return source
    if copy is False:
        raise ValueError("Unable to avoid copy while creating an array as requested.")
    return source.astype(source.dtype if dtype is None else dtype, order)


def _holds_arrays(items: Any) -> bool:
    return any(
        is_array(item) or (isinstance(item, list | tuple) and _holds_arrays(item)) for item in items
    )


def asarray(
    a: Any,
    dtype: Any = None,
    order: str | None = None,
    *,
    copy: bool | None = None,
    blocking: bool = False,
) -> ndarray:
    """The array itself where it is on the GPU, else a copy there."""
    return array(a, dtype, copy, order, blocking=blocking)


asanyarray = asarray


def ascontiguousarray(a: Any, dtype: Any = None) -> ndarray:
    return array(a, dtype, None, "C", ndmin=1)


def asfortranarray(a: Any, dtype: Any = None) -> ndarray:
    return array(a, dtype, None, "F", ndmin=1)


def copy(a: ndarray, order: str = "K") -> ndarray:
    return a.copy(order)


def asnumpy(
    a: Any, stream: Any = None, order: str = "C", out: Any = None, *, blocking: bool = True
) -> np.ndarray:
    """A copy in the processor's memory; a NumPy array is itself."""
    if is_array(a):
        return a.get(stream, order, out, blocking)
    if out is None:
        return np.asarray(a, order=order)
    np.copyto(out, a)
    return out


def empty(shape: Any, dtype: Any = float, order: str = "C") -> ndarray:
    """Memory as it comes: NaN, or a number that nobody would choose."""
    return ndarray(shape, dtype, order=order)


def full(shape: Any, fill_value: Any, dtype: Any = None, order: str = "C") -> ndarray:
    if dtype is None:
        dtype = fill_value.dtype if is_array(fill_value) else np.array(fill_value).dtype
    filled = empty(shape, dtype, order)
    filled[...] = fill_value
    return filled


def zeros(shape: Any, dtype: Any = float, order: str = "C") -> ndarray:
    return full(shape, 0, dtype, order)


def ones(shape: Any, dtype: Any = float, order: str = "C") -> ndarray:
    return full(shape, 1, dtype, order)


def empty_like(
    a: ndarray, dtype: Any = None, order: str = "K", subok: None = None, shape: Any = None
) -> ndarray:
    """An array of the same layout. `a` has to be CuPy's; for NumPy's, CuPy would copy its layout
    too, but code that takes its module from its arrays never asks for it."""
    if not is_array(a):
        raise TypeError(f"Unsupported type {type(a)}")
    like = np.empty_like(a._host, dtype=dtype, order=order, shape=shape)
    return allocate(like, "K")


def full_like(
    a: ndarray,
    fill_value: Any,
    dtype: Any = None,
    order: str = "K",
    subok: None = None,
    shape: Any = None,
) -> ndarray:
    filled = empty_like(a, dtype, order, subok, shape)
    filled[...] = fill_value
    return filled


def zeros_like(
    a: ndarray, dtype: Any = None, order: str = "K", subok: None = None, shape: Any = None
) -> ndarray:
    return full_like(a, 0, dtype, order, subok, shape)


def ones_like(
    a: ndarray, dtype: Any = None, order: str = "K", subok: None = None, shape: Any = None
) -> ndarray:
    return full_like(a, 1, dtype, order, subok, shape)


def arange(start: Any, stop: Any = None, step: Any = 1, dtype: Any = None) -> ndarray:
    start, stop = (0, start) if stop is None else (start, stop)
    return produce(lambda: np.arange(start, stop, step, dtype))


def linspace(
    start: float,
    stop: float,
    num: int = 50,
    endpoint: bool = True,
    retstep: bool = False,
    dtype: Any = None,
    axis: int = 0,
) -> ndarray:
    return produce(lambda: np.linspace(start, stop, num, endpoint, False, dtype, axis))


def eye(N: int, M: int | None = None, k: int = 0, dtype: Any = float, order: str = "C") -> ndarray:
    return produce(lambda: np.eye(N, M, k, dtype), order=order)


def identity(n: int, dtype: Any = float) -> ndarray:
    return eye(n, dtype=dtype)


def copyto(dst: ndarray, src: Any, casting: str = "same_kind", where: Any = None) -> None:
    """Copy onto an array, where `where` is true if it is given."""

    def write(host: np.ndarray, value: Any, mask: Any) -> None:
        np.copyto(host, value, casting, mask)

    change(write, dst, src, True if where is None else where)
