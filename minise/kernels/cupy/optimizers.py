"""Optimisers: all parameters move in one kernel, by tables that say where in memory they are."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

import cupy
import numpy as np

from minise.arrays import Array
from minise.kernels.cupy.launch import address, start

NUMBERS = 65536  # of a parameter, for each block


def sgd(
    values: Sequence[Array],
    grads: Sequence[Array],
    velocities: Sequence[Array],
    decays: Sequence[float],
    lr: Array,
    momentum: float,
    nesterov: bool,
    finite: Array | None,
) -> None:
    """Move every parameter in place, or none; see `train.SGD`."""
    arguments = (decays, lr, momentum, nesterov)
    _step("sgd", (values, grads, velocities), arguments, finite)


def adamw(
    values: Sequence[Array],
    grads: Sequence[Array],
    ms: Sequence[Array],
    vs: Sequence[Array],
    decays: Sequence[float],
    lr: Array,
    steps: Array,
    betas: tuple[float, float],
    eps: float,
    finite: Array | None,
) -> None:
    """Move every parameter in place, or none; see `train.AdamW`."""
    _step("adamw", (values, grads, ms, vs), (decays, lr, steps, *betas, eps), finite)


def _step(
    kernel: str,
    arrays: Sequence[Sequence[Array]],
    arguments: tuple[Any, ...],
    finite: Array | None,
) -> None:
    values = arrays[0]
    for of_parameter in zip(*arrays, strict=True):
        if len({(a.shape, a.dtype, a.flags.c_contiguous) for a in of_parameter}) > 1 or (
            of_parameter[0].dtype != values[0].dtype or not of_parameter[0].flags.c_contiguous
        ):
            listed = ", ".join(f"{a.dtype} {a.shape}" for a in of_parameter)
            raise TypeError(
                f"{kernel}: parameters, their gradients and what is remembered of them are "
                f"C-contiguous, of one shape, and all of one dtype; got {listed}"
            )
    dtype, (decays, *others) = values[0].dtype, arguments
    sizes = tuple(value.size for value in values)
    tables = [_addresses(tuple(address(array) for array in each)) for each in arrays]
    counts, pulls = _on_gpu(sizes, np.dtype(np.int32)), _on_gpu(tuple(decays), dtype)
    blocks = (-(-max(sizes) // NUMBERS), len(sizes))
    guard = np.uintp(0) if finite is None else finite
    if finite is not None:
        start("optimizers.cu", "check_finite", blocks, 256, tables[1], counts, finite, dtype=dtype)
    start("optimizers.cu", kernel, blocks, 256, *tables, counts, guard, pulls, *others, dtype=dtype)


# Tables are looked up by what is in them, so one that is found is never out of date.


def _addresses(pointers: tuple[int, ...]) -> Array:
    return _on_gpu(pointers, np.dtype(np.uint64))


def _on_gpu(numbers: tuple[float, ...], dtype: np.dtype[Any]) -> Array:
    return _on_device(cupy.cuda.runtime.getDevice(), numbers, dtype)


@functools.lru_cache(maxsize=256)
def _on_device(device: int, numbers: tuple[float, ...], dtype: np.dtype[Any]) -> Array:
    return cupy.asarray(np.array(numbers, dtype))
