"""Learning rates over a training: functions of the step, from 0 to `steps` − 1."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TypeAlias

from minise.errors import InputError

Schedule: TypeAlias = Callable[[int], float]


def cosine(lr: float, steps: int, *, warmup: int = 0) -> Schedule:
    """Linearly up to `lr` over `warmup` steps, then down to 0 along half a cosine.

    (Loshchilov & Hutter 2017, eq. 5, without restarts.)
    """
    _check(steps, warmup)

    def at(step: int) -> float:
        if step < warmup:
            return lr * (step + 1) / warmup
        return lr * _half_cosine(step - warmup, steps - warmup)

    return at


def one_cycle(lr: float, steps: int, *, warmup: int | None = None) -> Schedule:
    """From lr / 25 up to `lr` over `warmup` steps, 30 % unless given, then down to nearly 0.

    Both ways along half a cosine (Smith & Topin 2018, in PyTorch's form).
    """
    warmup = int(0.3 * steps) if warmup is None else warmup
    _check(steps, warmup)
    start, end = lr / 25, lr / 25e4

    def at(step: int) -> float:
        if step < warmup:
            return lr - (lr - start) * _half_cosine(step, warmup)
        return end + (lr - end) * _half_cosine(step - warmup, max(1, steps - 1 - warmup))

    return at


def _half_cosine(step: int, steps: int) -> float:
    """From 1 at step 0 to 0 at `steps`."""
    return (1 + math.cos(math.pi * step / steps)) / 2


def _check(steps: int, warmup: int) -> None:
    if steps < 1 or not 0 <= warmup < steps:
        raise InputError(f"schedule: {steps} steps, warmup {warmup}: expected 0 <= warmup < steps")
