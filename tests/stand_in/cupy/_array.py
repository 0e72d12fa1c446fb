"""`cupy.ndarray`: a NumPy array that nobody outside may see, with CuPy's manners."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from cupy import _index
from cupy._execute import change, is_array, operand, produce
from cupy.cuda import memory, runtime, stream
from cupy.cuda.device import Device
from cupy.stand_in import StandInError

DTYPES = "biufc"
UNWRITTEN = 0xA5  # each byte of an integer that was not written


class Flags:
    """How the elements lie in memory."""

    def __init__(self, flags: np.flagsobj, owndata: bool) -> None:
        self.c_contiguous = flags.c_contiguous
        self.f_contiguous = flags.f_contiguous
        self.owndata = owndata
        self.fnc = flags.fnc
        self.forc = flags.forc

    def __getitem__(self, name: str) -> bool:
        return getattr(self, name.lower())


class ndarray:  # noqa: N801
    """An array on "the GPU"."""

    __slots__ = ("__weakref__", "_base", "_device", "_host", "_memory")
    __module__ = "cupy"
    __array_ufunc__ = None  # np.sqrt(x) fails, and np.float32(2) * x comes to x.__rmul__
    __array_priority__ = 100
    __hash__ = None

    def __init__(
        self,
        shape: Any,
        dtype: Any = float,
        memptr: memory.MemoryPointer | None = None,
        strides: tuple[int, ...] | None = None,
        order: str = "C",
    ) -> None:
        dtype = checked_dtype(dtype)
        layout = np.broadcast_to(np.empty((), dtype), shape)  # takes no memory
        self._base: ndarray | None = None
        self._device = runtime.getDevice()
        if layout.size == 0:
            self._memory = memory.MemoryPointer(None, 0)
            self._host = np.empty(layout.shape, dtype, order)
            return
        self._memory = memptr or memory.alloc(layout.nbytes)
        block = self._memory.mem.block
        self._host = np.ndarray(
            layout.shape,
            dtype,
            buffer=block.buffer,
            offset=block.start + self._memory.ptr - block.address,
            strides=strides,
            order=order,
        )
        if memptr is None:
            poison(self._host)
        elif np.lib.array_utils.byte_bounds(self._host)[1] > block.address + memptr.mem.size:
            raise StandInError("the array reaches over the end of its memory")

    # What an array is

    shape = property(lambda self: self._host.shape)
    dtype = property(lambda self: self._host.dtype)
    ndim = property(lambda self: self._host.ndim)
    size = property(lambda self: self._host.size)
    nbytes = property(lambda self: self._host.nbytes)
    itemsize = property(lambda self: self._host.itemsize)
    strides = property(lambda self: self._host.strides)
    base = property(lambda self: self._base)
    flags = property(lambda self: Flags(self._host.flags, self._base is None))
    device = property(lambda self: Device(self._device))

    @property
    def data(self) -> memory.MemoryPointer:
        mem = self._memory.mem
        if mem is None:
            return self._memory
        return memory.MemoryPointer(mem, self._host.__array_interface__["data"][0] - mem.ptr)

    def __len__(self) -> int:
        return len(self._host)

    def __repr__(self) -> str:
        return repr(self.get())

    def __str__(self) -> str:
        return str(self.get())

    def __format__(self, spec: str) -> str:
        return format(self.get()[()], spec)

    # The ways to the processor, all of which wait

    def __array__(self, *args: Any, **kwargs: Any) -> Any:
        raise TypeError(
            "Implicit conversion to a NumPy array is not allowed. "
            "Please use `.get()` to construct a NumPy array explicitly."
        )

    def get(
        self, stream: Any = None, order: str = "C", out: Any = None, blocking: bool = True
    ) -> np.ndarray:
        from cupy import _transfer

        return _transfer.get(self, stream, order, out, blocking)

    def set(self, arr: np.ndarray, stream: Any = None) -> None:
        from cupy import _transfer

        _transfer.put(self, arr, stream)

    def item(self) -> Any:
        if self.size != 1:
            raise ValueError("can only convert an array of size 1 to a Python scalar")
        return self.get().item()

    def tolist(self) -> Any:
        return self.get().tolist()

    def tobytes(self, order: str = "C") -> bytes:
        return self.get().tobytes(order)

    def __bool__(self) -> bool:
        return bool(self.get())

    def __int__(self) -> int:
        return int(self.item())

    def __float__(self) -> float:
        return float(self.item())

    def __complex__(self) -> complex:
        return complex(self.item())

    def nonzero(self) -> tuple[ndarray, ...]:
        stream.wait()
        found = np.nonzero(np.atleast_1d(operand(self)))
        return tuple(produce(lambda places=places: places) for places in found)

    def __reduce__(self) -> tuple:
        from cupy._create import array

        return array, (self.get(),)

    # Elements

    def __iter__(self) -> Iterator[ndarray]:
        if self.ndim == 0:
            raise TypeError("iteration over a 0-d array")
        return (self[row] for row in range(len(self)))

    def __getitem__(self, key: Any) -> ndarray:
        index, take = _index.get(operand(self), key)
        if not index.arrays:
            return self._seen(take(self._host))
        # The arrays of the index are read when the graph runs, so they count as operands.
        return produce(lambda host, *_: take(host), self, *index.arrays, needs_wait=index.has_mask)

    def __setitem__(self, key: Any, value: Any) -> None:
        if is_array(value) and np.may_share_memory(value._host, self._host):
            if not _index.Index(key).arrays:
                target = _index.get(self._host, key)[1](self._host)
                if same_place(target, value._host):
                    return  # what `x[1:] += 1` ends with
            value = value.copy()
        change(_index.setter(self._host, key), self, value)

    def take(self, indices: Any, axis: int | None = None, out: Any = None) -> ndarray:
        from cupy._functions import take

        return take(self, indices, axis, out)

    def fill(self, value: Any) -> None:
        change(lambda host, value: host.fill(value), self, value)

    # Copies and views

    def _seen(self, host: np.ndarray) -> ndarray:
        """The same memory, seen as `host`."""
        view = ndarray.__new__(ndarray)
        view._host, view._memory, view._device = host, self._memory, self._device
        view._base = self if self._base is None else self._base
        return view

    def _view_or_copy(self, reshaped: Any) -> ndarray:
        result = reshaped(operand(self))
        if self.size == 0 or np.may_share_memory(result, self._host):
            return self._seen(result)
        return produce(reshaped, self)

    def reshape(self, *shape: Any, order: str = "C") -> ndarray:
        return self._view_or_copy(lambda host: host.reshape(*shape, order=order))

    def ravel(self, order: str = "C") -> ndarray:
        return self._view_or_copy(lambda host: host.ravel(order))

    def flatten(self, order: str = "C") -> ndarray:
        return produce(lambda host: host.flatten(order), self)

    def view(self, dtype: Any = None, type: Any = None) -> ndarray:
        return self._seen(self._host.view() if dtype is None else self._host.view(dtype))

    def astype(
        self,
        dtype: Any,
        order: str = "K",
        casting: Any = None,
        subok: Any = None,
        copy: bool = True,
    ) -> ndarray:
        if casting is not None or subok is not None:
            raise TypeError("casting and subok are not supported")
        if not copy and self.dtype == np.dtype(dtype):
            return self
        return produce(lambda host: host.astype(checked_dtype(dtype), order), self, order=order)

    def copy(self, order: str = "C") -> ndarray:
        return produce(lambda host: host.copy(order), self, order=order)

    def __copy__(self) -> ndarray:
        return self.copy()

    def __deepcopy__(self, memo: Any) -> ndarray:
        return self.copy()


def checked_dtype(dtype: Any) -> np.dtype:
    dtype = np.dtype(dtype)
    if dtype.kind not in DTYPES:
        raise ValueError(f"Unsupported dtype {dtype}")
    return dtype


def allocate(like: np.ndarray, order: str = "C") -> ndarray:
    """An array of the shape and dtype of `like`, not written. Order K is that of `like`, too."""
    if order == "C" or (order in "AK" and like.flags.c_contiguous):
        return ndarray(like.shape, like.dtype)
    if order == "F" or like.flags.f_contiguous:
        return ndarray(like.shape, like.dtype, order="F")
    if order == "A":
        return ndarray(like.shape, like.dtype)
    axes = sorted(range(like.ndim), key=lambda axis: -abs(like.strides[axis]))
    dense = ndarray([like.shape[axis] for axis in axes], like.dtype)
    dense._host = dense._host.transpose(np.argsort(axes))
    return dense


def poison(host: np.ndarray) -> None:
    """Mark what was not written: with NaN, or with a number that nobody would choose."""
    if host.dtype.kind in "fc":
        host.fill(np.nan)
    elif host.dtype.kind == "b":
        host.fill(True)
    else:
        host.ravel(order="K").view(np.uint8).fill(UNWRITTEN)


def same_place(a: np.ndarray, b: np.ndarray) -> bool:
    place = a.__array_interface__["data"][0] == b.__array_interface__["data"][0]
    return place and a.shape == b.shape and a.strides == b.strides
