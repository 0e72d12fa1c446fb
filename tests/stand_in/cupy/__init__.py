"""A strict stand-in for CuPy: NumPy inside, and kernels of CUDA C compiled for the processor.

Tests that have no GPU run the GPU's code on it. What CuPy refuses is refused, what a GPU would get
wrong in silence is an error. Nothing that runs here has run on a GPU.
"""

from types import ModuleType as _ModuleType
from typing import Any as _Any

import numpy as _np

from cupy import _create, _functions, _operators, _tables, cuda, stand_in
from cupy._array import ndarray
from cupy._kernels import RawKernel, RawModule
from cupy._tables import ufunc
from cupy.cuda import is_available
from cupy.cuda.memory import get_default_memory_pool
from cupy.cuda.pinned import get_default_pinned_memory_pool

__version__ = "14.0.0"
__all__ = [
    "RawKernel",
    "RawModule",
    "cuda",
    "get_default_memory_pool",
    "get_default_pinned_memory_pool",
    "is_available",
    "ndarray",
    "stand_in",
    "ufunc",
]

_NUMPYS = """
    bool_ can_cast complex64 complex128 dtype e finfo float16 float32 float64 floating iinfo inexact
    inf int8 int16 int32 int64 integer intp isscalar issubdtype nan newaxis number pi promote_types
    uint8 uint16 uint32 uint64 uintp
"""


def _made_in(module: _ModuleType) -> dict[str, _Any]:
    return {
        name: value
        for name, value in vars(module).items()
        if getattr(value, "__module__", None) == module.__name__ and not name.startswith("_")
    }


_operators.add_views()
_operators.add_operators()
globals().update({name: getattr(_np, name) for name in _NUMPYS.split()})
globals().update(_made_in(_create) | _made_in(_functions) | _tables.TABLE)
