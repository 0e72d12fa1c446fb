"""`cupyx`: pinned memory, and what adds with atomics, which the stand-in refuses."""

from __future__ import annotations

from typing import Any

import numpy as np
from cupy.cuda import alloc_pinned_memory
from cupy.stand_in import StandInError


def empty_pinned(shape: Any, dtype: Any = float, order: str = "C") -> np.ndarray:
    """A NumPy array in pinned memory, with what was there before."""
    layout = np.broadcast_to(np.empty((), dtype), shape)
    memory = alloc_pinned_memory(layout.nbytes)
    array = np.ndarray(layout.shape, layout.dtype, buffer=memory, order=order)
    array.reshape(-1, order=order).view(np.uint8).fill(0xFF)
    return array


def zeros_pinned(shape: Any, dtype: Any = float, order: str = "C") -> np.ndarray:
    """A NumPy array of zeros in pinned memory."""
    array = empty_pinned(shape, dtype, order)
    array.fill(0)
    return array


def scatter_add(a: Any, slices: Any, value: Any) -> None:
    raise StandInError("scatter_add: atomics add in an order that changes, and the sum with it")


scatter_max = scatter_min = scatter_add
