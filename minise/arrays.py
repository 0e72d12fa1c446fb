"""Arrays, NumPy's or CuPy's, which the rest of minise need not tell apart.

Below everything else: it imports neither kernels nor CuPy.
"""

from __future__ import annotations

import importlib
import types
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

Array: TypeAlias = npt.NDArray[Any]


def on_gpu(x: object) -> bool:
    """Whether x is an array of CuPy."""
    kind = type(x)  # by its name, since asking CuPy would import it
    return kind.__module__.partition(".")[0] == "cupy" and kind.__name__ == "ndarray"


def asnumpy(x: npt.ArrayLike) -> Array:
    """x as a NumPy array: fetched from the GPU if it is there, which waits for it."""
    if on_gpu(x):
        return x.get()  # type: ignore[union-attr, no-any-return]
    return np.asarray(x)


def array_module(*arrays: object) -> types.ModuleType:
    """The module that the arrays belong to, `numpy` or `cupy`; `None` among them is skipped.

    Raises `TypeError` for arrays of two kinds, and for anything that is not an array.
    """
    for array in arrays:
        if type(array) is not np.ndarray:
            break
    else:
        return np  # the common case, asked for by every operation
    modules = {_module_of(array) for array in arrays if array is not None}
    if len(modules) > 1:
        raise TypeError(
            "NumPy and CuPy arrays in one call: move them to one side, with "
            "minise.backend.asarray(x) to the GPU or minise.backend.asnumpy(x) from it"
        )
    return importlib.import_module(modules.pop() if modules else "numpy")


def _module_of(array: object) -> str:
    if isinstance(array, np.ndarray | np.generic):  # NumPy gives scalars for arrays without axes
        return "numpy"
    if on_gpu(array):
        return "cupy"
    raise TypeError(f"expected a NumPy or CuPy array, got {type(array).__name__}")
