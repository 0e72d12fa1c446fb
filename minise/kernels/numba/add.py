"""A sum of two images, in one pass over memory."""

from __future__ import annotations

from minise.arrays import Array
from minise.kernels.numba.layout import batch_first, batch_last, maps, parts
from minise.kernels.numba.memory import empty
from minise.kernels.numba.tasks import invite, tasks
from minise.kernels.numba.team import compiled_parallel


def add(x: Array, r: Array) -> Array:
    """y = x + r, both (N, C, H, W)."""
    x, r = batch_last(x), batch_last(r)
    y = empty(x.shape, x.dtype)
    _add(maps(x), maps(r), maps(y), parts(maps(x).shape[1]))
    return batch_first(y)


@compiled_parallel
def _add(team: int, x: Array, r: Array, y: Array, parts: int) -> None:
    C, H, _ = x.shape
    for task in tasks(invite(team), H * parts):
        h, part = task // parts, task % parts
        for c in range(part * C // parts, (part + 1) * C // parts):
            source, other, target = x[c, h], r[c, h], y[c, h]
            for k in range(target.size):
                target[k] = source[k] + other[k]
