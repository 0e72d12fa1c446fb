"""Sums over rows: threads divide their work by rows, and leave a sum for each."""

from __future__ import annotations

from minise.arrays import Array
from minise.kernels.numba.memory import empty
from minise.kernels.numba.tasks import invite, tasks
from minise.kernels.numba.team import compiled_parallel


def sum_of_rows(of_rows: Array) -> Array:
    """(H, C, N) -> (C, N), row after row."""
    total = empty(of_rows.shape[1:], of_rows.dtype)
    _add_rows(of_rows, total)
    return total


@compiled_parallel
def _add_rows(team: int, of_rows: Array, total: Array) -> None:
    H, C, N = of_rows.shape
    for c in tasks(invite(team), C):
        for n in range(N):
            total[c, n] = 0
        for h in range(H):
            for n in range(N):
                total[c, n] += of_rows[h, c, n]
