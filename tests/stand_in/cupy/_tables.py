"""The families of CuPy's functions, made from tables of NumPy's names.

They take CuPy arrays and numbers, nothing else; what has no axes left is an array of none.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from cupy._array import ndarray
from cupy._execute import array_operand, run
from cupy.stand_in import StandInError

UFUNCS = """
    abs absolute add arccos arcsin arctan arctan2 bitwise_and bitwise_or bitwise_xor cbrt ceil conj
    copysign cos cosh divide equal exp exp2 expm1 fabs floor floor_divide fmax fmin fmod greater
    greater_equal hypot invert isfinite isinf isnan less less_equal log log10 log1p log2 logaddexp
    logical_and logical_not logical_or logical_xor maximum minimum mod multiply negative not_equal
    positive power reciprocal remainder rint sign signbit sin sinh sqrt square subtract tan tanh
    true_divide trunc
"""
ARGUMENTS_OF_REDUCTIONS = {
    **dict.fromkeys(("sum", "prod"), ("axis", "dtype", "out", "keepdims")),
    "mean": ("axis", "dtype", "out", "keepdims"),
    **dict.fromkeys(("var", "std"), ("axis", "dtype", "out", "ddof", "keepdims")),
    **dict.fromkeys(("max", "min", "amax", "amin", "all", "any"), ("axis", "out", "keepdims")),
    **dict.fromkeys(("argmax", "argmin"), ("axis", "dtype", "out", "keepdims")),
    **dict.fromkeys(("cumsum", "cumprod"), ("axis", "dtype", "out")),
}
VIEWS = "broadcast_to expand_dims moveaxis ravel reshape rollaxis squeeze swapaxes transpose"


class ufunc:  # noqa: N801
    """One of NumPy's universal functions."""

    def __init__(self, function: np.ufunc) -> None:
        self._function = function
        self.__name__ = f"cupy_{function.__name__}"
        self.nin = function.nin

    def __repr__(self) -> str:
        return f"<ufunc '{self.__name__}'>"

    def __call__(
        self, *args: Any, out: Any = None, dtype: Any = None, casting: str = "same_kind"
    ) -> ndarray:
        if len(args) == self.nin + 1 and out is None:
            *args, out = args
        if len(args) != self.nin:
            raise TypeError(
                f"Wrong number of arguments for {self.__name__!r}. It must be either {self.nin} "
                f"or {self.nin + 1} (with outputs), but given {len(args)}."
            )
        return run(
            lambda *x, **to: self._function(*x, casting=casting, dtype=dtype, **to), args, out
        )

    def at(self, a: ndarray, indices: Any, b: Any = None) -> None:
        raise StandInError("CuPy adds with atomics here: the order, and with it the sum, changes")


def _reduction(name: str, arguments: tuple[str, ...]) -> Callable[..., ndarray]:
    function = getattr(np, name)

    def reduce(a: ndarray, *args: Any, **kwargs: Any) -> ndarray:
        array_operand(a, f"{name}: a")
        if len(args) > len(arguments):
            raise TypeError(f"{name}() takes at most {len(arguments) + 1} arguments")
        given = dict(zip(arguments, args, strict=False))
        if wrong := [key for key in kwargs if key not in arguments or key in given]:
            raise TypeError(f"{name}() got an unexpected keyword argument {wrong[0]!r}")
        given.update(kwargs)
        out, dtype = given.pop("out", None), given.get("dtype")
        if name.startswith("arg"):  # NumPy's have no dtype
            given.pop("dtype", None)
            cast = np.int64 if dtype is None else dtype
            return run(lambda x, **to: _cast(function(x, **given), cast, **to), (a,), out)
        return run(lambda x, **to: function(x, **given, **to), (a,), out)

    reduce.__name__ = name
    return reduce


def _cast(value: Any, dtype: Any, out: np.ndarray | None = None) -> np.ndarray:
    if out is None:
        return np.asarray(value, dtype)
    np.copyto(out, value, "same_kind")
    return out


def _view_function(name: str) -> Callable[..., ndarray]:
    function = getattr(np, name)

    def see(a: ndarray, *args: Any, **kwargs: Any) -> ndarray:
        array_operand(a, f"{name}: a")
        return a._view_or_copy(lambda host: function(host, *args, **kwargs))

    see.__name__ = name
    return see


def _table() -> dict[str, Callable[..., Any]]:
    functions: dict[str, Callable[..., Any]] = {}
    functions |= {name: ufunc(getattr(np, name)) for name in UFUNCS.split()}
    functions |= {name: _reduction(name, given) for name, given in ARGUMENTS_OF_REDUCTIONS.items()}
    functions |= {name: _view_function(name) for name in VIEWS.split()}
    return functions


TABLE = _table()
for _name in ARGUMENTS_OF_REDUCTIONS:
    setattr(ndarray, _name, TABLE[_name])
del ndarray.amax, ndarray.amin
