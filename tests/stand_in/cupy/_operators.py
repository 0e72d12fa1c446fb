"""The operators and views of `cupy.ndarray`, made from tables."""

from __future__ import annotations

import operator
from typing import Any

import numpy as np

from cupy._array import ndarray
from cupy._execute import change, operand, produce
from cupy._functions import matmul


def add_views() -> None:
    def method(name: str) -> Any:
        def see(self: ndarray, *args: Any, **kwargs: Any) -> ndarray:
            return self._seen(getattr(operand(self), name)(*args, **kwargs))

        return see

    for name in ("transpose", "swapaxes", "squeeze", "diagonal"):
        setattr(ndarray, name, method(name))
    for name in ("T", "mT", "real", "imag"):

        def see(self: ndarray, name: str = name) -> ndarray:
            return self._seen(getattr(self._host, name))

        setattr(ndarray, name, property(see))


def add_operators() -> None:
    def binary(function: np.ufunc) -> Any:
        return lambda self, other: produce(function, self, other)

    def reflected(function: np.ufunc) -> Any:
        return lambda self, other: produce(function, other, self)

    def in_place(function: np.ufunc) -> Any:
        def write(host: np.ndarray, other: Any) -> None:
            function(host, other, out=host)

        return lambda self, other: change(write, self, other)

    arithmetic = {
        "add": np.add,
        "sub": np.subtract,
        "mul": np.multiply,
        "truediv": np.true_divide,
        "floordiv": np.floor_divide,
        "mod": np.remainder,
        "pow": np.power,
        "lshift": np.left_shift,
        "rshift": np.right_shift,
        "and": np.bitwise_and,
        "or": np.bitwise_or,
        "xor": np.bitwise_xor,
    }
    for name, function in arithmetic.items():
        setattr(ndarray, f"__{name}__", binary(function))
        setattr(ndarray, f"__r{name}__", reflected(function))
        setattr(ndarray, f"__i{name}__", in_place(function))
    for name, function in {
        "eq": np.equal,
        "ne": np.not_equal,
        "lt": np.less,
        "le": np.less_equal,
        "gt": np.greater,
        "ge": np.greater_equal,
    }.items():
        setattr(ndarray, f"__{name}__", binary(function))
    for name in ("neg", "pos", "abs", "invert"):
        function = getattr(operator, name)
        setattr(ndarray, f"__{name}__", lambda self, function=function: produce(function, self))
    ndarray.__matmul__ = lambda self, other: matmul(self, other)
    ndarray.__rmatmul__ = lambda self, other: matmul(other, self)
