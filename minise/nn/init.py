"""Initial weights: normal, with a variance that keeps signals at their size from layer to layer."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from numbers import Integral
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from minise.arrays import Array
from minise.errors import InputError

__all__ = ["he_normal", "lecun_normal", "unfilled"]

Initialiser: TypeAlias = Callable[[np.random.Generator, tuple[int, ...], npt.DTypeLike], Array]


def he_normal(
    rng: np.random.Generator, shape: tuple[int, ...], dtype: npt.DTypeLike = np.float32
) -> Array:
    """Variance 2 / fan_in, for weights (out, in, …) before a relu (He et al. 2015, eq. 10)."""
    return _normal(rng, shape, 2.0, dtype)


def lecun_normal(
    rng: np.random.Generator, shape: tuple[int, ...], dtype: npt.DTypeLike = np.float32
) -> Array:
    """Variance 1 / fan_in, for weights (out, in, …) before anything but a relu."""
    return _normal(rng, shape, 1.0, dtype)


_unfilled: ContextVar[bool] = ContextVar("minise_unfilled", default=False)


@contextmanager
def unfilled() -> Iterator[None]:
    """Layers made inside have arbitrary weights, for a state that is loaded next."""
    token = _unfilled.set(True)
    try:
        yield
    finally:
        _unfilled.reset(token)


def _normal(
    rng: np.random.Generator, shape: tuple[int, ...], gain: float, dtype: npt.DTypeLike
) -> Array:
    if not all(isinstance(size, Integral) and size > 0 for size in shape):
        raise InputError(f"weights of shape {shape}, expected whole numbers of at least 1")
    if _unfilled.get():
        return np.empty(shape, dtype)
    # drawn in float64 whatever the dtype, so that float32 and float64 nets start alike
    fan_in = math.prod(shape[1:])
    return (rng.standard_normal(shape) * math.sqrt(gain / fan_in)).astype(dtype)


def generator(rng: np.random.Generator | None) -> np.random.Generator:
    """`rng`, or where none was passed a new generator with seed 0, never the global state."""
    return np.random.default_rng(0) if rng is None else rng
