"""exp in float32, of which the compiler makes instructions for a whole register at once.

The exponential of the system's library takes one number at a time, eight times as long. This one is
exact to 2 units in the last place. exp(v) = 2ⁿ · exp(r), where n is the whole number nearest to
v / ln 2, so that |r| <= ln 2 / 2: there a few terms of the series do, and 2ⁿ is put together from
its bits.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numba import types
from numba.extending import overload

from minise.kernels.numba.compile import FASTMATH, compiled

_BITS = np.int32(23)  # of the fraction of a float32; the exponent follows, with 127 added to it
_BIAS = np.int32(127 << 23)
# A sum with it has no bits below 1: it is rounded, and its last bits are those of a whole number.
_ROUND = np.float32(1.5 * 2**23)
_PER_LN2 = np.float32(1 / math.log(2))
_LN2 = np.float32(355 / 512)  # ln 2 in so few bits that its product with n is exact
_LN2_REST = np.float32(math.log(2) - 355 / 512)
_LEAST = np.float32(-87)  # below, a power of 2 has no such exponent: exp(v) < 2e-38 becomes 0
_0, _1 = np.float32(0), np.float32(1)
_2, _3, _4, _5, _6, _7 = (np.float32(1 / math.factorial(k)) for k in range(2, 8))


def exp_below(v: Any) -> Any:
    """exp(v) for v <= 0, in the dtype of v, float32 or float64. NaN stays NaN."""
    return math.exp(v)


def _one_by_one(v: Any) -> Any:
    return math.exp(v)


def _series(v: Any) -> Any:
    rounded = v * _PER_LN2 + _ROUND
    n = rounded - _ROUND
    r = v - n * _LN2 - n * _LN2_REST
    p = _1 + r * (_1 + r * (_2 + r * (_3 + r * (_4 + r * (_5 + r * (_6 + r * _7))))))
    power = np.int32((np.float32(rounded).view(np.int32) << _BITS) + _BIAS).view(np.float32)
    return _0 if v < _LEAST else p * power


@overload(exp_below, jit_options={"fastmath": FASTMATH})
def _of_type(v: Any) -> Any:
    if v != types.float32:
        return _one_by_one

    return _series


@compiled
def sigma(v: Any, one: Any) -> Any:
    """1 / (1 + exp(−v)); `one` is 1 in the dtype of v."""
    e = exp_below(-abs(v))  # in [0, 1]: never too large
    return (one if v >= 0 else e) / (one + e)
