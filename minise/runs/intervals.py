"""Student's t distribution for whole degrees of freedom, where its integral is a finite sum.

Abramowitz & Stegun, Handbook of Mathematical Functions, 26.7.3 and 26.7.4.
"""

from __future__ import annotations

import math


def student_t(confidence: float, df: int) -> float:
    """The t for which the variable lies between −t and t with this probability.

    `confidence` is above 0 and below 1, `df` (degrees of freedom) at least 1: see `Seeds.interval`.
    """
    low, high = 0.0, math.pi / 2  # of an angle θ, where t = √df tan θ
    while low < (middle := (low + high) / 2) < high:
        if within(middle, df) < confidence:
            low = middle
        else:
            high = middle
    return math.sqrt(df) * math.tan(high)


def within(angle: float, df: int) -> float:
    """The probability that the variable lies between −t and t, where t = √df tan θ."""
    sine, cosine = math.sin(angle), math.cos(angle)
    odd = df % 2
    # the terms: cos θ (1 + 2/3 cos² θ + 2·4/(3·5) cos⁴ θ + …), or 1 + 1/2 cos² θ + 1·3/(2·4) …
    term, total = (cosine if odd else 1.0), 0.0
    for k in range(2 + odd, df + 1, 2):
        total += term
        term *= (k - 1) / k * cosine**2
    return 2 / math.pi * (angle + sine * total) if odd else sine * total
