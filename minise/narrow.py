"""Floating-point numbers of 16 bits: rounded once, to the nearest, ties to even.

A bfloat16 is the upper half of a float32: the same sign and exponent, 7 bits of the fraction. NumPy
has no such dtype; here they are uint16 arrays of their bits.
"""

from __future__ import annotations

import numpy as np

from minise.arrays import Array

__all__ = ["from_bfloat16", "to_bfloat16"]


def from_bfloat16(bits: Array) -> Array:
    """uint16 -> float32 of the same shape, exactly: 16 zeros are what was cut off."""
    return (bits.astype(np.uint32) << 16).view(np.float32)


def to_bfloat16(x: Array) -> Array:
    """Floating point -> uint16 of the same shape. NaN stays NaN; what is too large is infinite."""
    kept = _to_odd(x).view(np.uint32)
    # half of the last bit that stays; ties go to the even neighbour
    rounded = (kept + 0x7FFF + (kept >> 16 & 1)) >> 16
    quiet = kept >> 16 | 0x40  # adding could turn a NaN into an infinity or a zero
    return np.where(np.isnan(x), quiet, rounded).astype(np.uint16)


def _to_odd(x: Array) -> Array:
    """Float32 in which the last bit says that something was cut off.

    Rounding to the nearest twice is not rounding once: a float64 just above the middle of two
    bfloat16 would become that middle, and then the even one.
    """
    with np.errstate(over="ignore", invalid="ignore"):
        near = np.array(x, np.float32)
    if x.dtype != np.float64:
        return near
    wide = near.astype(np.float64)
    bits = near.view(np.uint32)
    bits -= abs(wide) > abs(x)  # towards 0, from infinity as well
    bits |= (wide != x) & ~np.isnan(x)
    return near
