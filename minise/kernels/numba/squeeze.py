"""The squeeze: one number for each map, its mean or its largest pixel; one pass over x.

Threads divide the work by rows, so each row is squeezed first, and then the rows.
"""

from __future__ import annotations

import numpy as np

from minise.arrays import Array
from minise.kernels.numba.lanes import LANES, fill, load, sum_of
from minise.kernels.numba.layout import batch_first, batch_last, parts
from minise.kernels.numba.memory import empty, zeros
from minise.kernels.numba.sums import sum_of_rows
from minise.kernels.numba.tasks import invite, tasks
from minise.kernels.numba.team import compiled_parallel
from minise.kernels.numba.watch import by_numpy


def global_avg_pool(x: Array) -> Array:
    """z (N, C), the mean of each map."""
    x = batch_last(x)
    C, H, W, N = x.shape
    if N == 1:
        z = empty((C, 1), x.dtype)
        _means(x.reshape(C, H * W), z)
        return batch_first(z)
    of_rows = empty((H, C, N), x.dtype)
    _row_shares(x, of_rows, parts(H))
    return batch_first(sum_of_rows(of_rows))


def global_avg_pool_backward(
    dz: Array, x: Array, add_to: Array | None, scaled_by: Array | None
) -> Array:
    """dx, shaped as x (N, C, H, W): each pixel a share of 1/HW, added to `add_to`."""
    N, C, H, W = x.shape
    share = by_numpy(np.divide, batch_last(dz), H * W)
    if add_to is not None and scaled_by is not None:
        dx = empty((C, H, W, N), dz.dtype)
        _scale_and_share(batch_last(add_to), batch_last(scaled_by), share, dx, parts(H))
    else:
        dx = zeros((C, H, W, N), dz.dtype) if add_to is None else batch_last(add_to)
        _share(share, dx, parts(H))
    return batch_first(dx)


def global_max_pool(x: Array) -> tuple[Array, Array]:
    """(z, winner), both (N, C): the largest pixel of each map, and its number h·W + w."""
    x = batch_last(x)
    C, H, _, N = x.shape
    largest, winners = empty((H, C, N), x.dtype), empty((H, C, N), np.int32)
    _row_winners(x, largest, winners, parts(H))
    z, winner = empty((C, N), x.dtype), empty((C, N), np.int32)
    _best_row(largest, winners, z, winner)
    return batch_first(z), batch_first(winner)


def global_max_pool_backward(dz: Array, x: Array, winner: Array, add_to: Array | None) -> Array:
    """dx, shaped as x (N, C, H, W): dz where a pixel won, added to `add_to`."""
    N, C, H, W = x.shape
    dx = zeros((C, H, W, N), dz.dtype) if add_to is None else batch_last(add_to)
    _to_winner(batch_last(dz), batch_last(winner), dx.reshape(C, H * W, N))
    return batch_first(dx)


@compiled_parallel
def _means(team: int, x: Array, z: Array) -> None:
    """z (C, 1) of one image (C, H·W): LANES sums side by side, and what is left."""
    C, pixels = x.shape
    whole = pixels // LANES * LANES
    for c in tasks(invite(team), C):
        s = fill(x.dtype.type(0))
        for k in range(0, whole, LANES):
            s = s + load(x[c], k)
        total = sum_of(s)
        for k in range(whole, pixels):
            total += x[c, k]
        z[c, 0] = total / pixels


@compiled_parallel
def _row_shares(team: int, x: Array, of_rows: Array, parts: int) -> None:
    C, H, W, _ = x.shape
    pixels = x.dtype.type(H * W)
    for task in tasks(invite(team), H * parts):
        h, part = task // parts, task % parts
        for c in range(part * C // parts, (part + 1) * C // parts):
            total = of_rows[h, c]
            total[:] = 0
            for w in range(W):
                pixel = x[c, h, w]
                for n in range(total.size):
                    total[n] += pixel[n]
            for n in range(total.size):
                total[n] /= pixels


@compiled_parallel
def _share(team: int, dz: Array, dx: Array, parts: int) -> None:
    C, H, W, _ = dx.shape
    for task in tasks(invite(team), H * parts):
        h, part = task // parts, task % parts
        for c in range(part * C // parts, (part + 1) * C // parts):
            share = dz[c]
            for w in range(W):
                target = dx[c, h, w]
                for n in range(target.size):
                    target[n] += share[n]


@compiled_parallel
def _scale_and_share(team: int, dy: Array, s: Array, share: Array, dx: Array, parts: int) -> None:
    C, H, W, _ = dx.shape
    for task in tasks(invite(team), H * parts):
        h, part = task // parts, task % parts
        for c in range(part * C // parts, (part + 1) * C // parts):
            gate, more = s[c], share[c]
            for w in range(W):
                above, target = dy[c, h, w], dx[c, h, w]
                for n in range(target.size):
                    target[n] = gate[n] * above[n] + more[n]


@compiled_parallel
def _row_winners(team: int, x: Array, largest: Array, winners: Array, parts: int) -> None:
    C, H, W, _ = x.shape
    for task in tasks(invite(team), H * parts):
        h, part = task // parts, task % parts
        for c in range(part * C // parts, (part + 1) * C // parts):
            best, won, first = largest[h, c], winners[h, c], x[c, h, 0]
            for n in range(best.size):
                best[n] = first[n]
                won[n] = h * W
            for w in range(1, W):
                pixel = x[c, h, w]
                for n in range(best.size):
                    v = pixel[n]
                    # a tie stays with the first; NaN, alone unequal to itself, is never given up
                    if v > best[n] or (v != v and best[n] == best[n]):
                        best[n] = v
                        won[n] = h * W + w


@compiled_parallel
def _best_row(team: int, largest: Array, winners: Array, z: Array, winner: Array) -> None:
    H, C, N = largest.shape
    for c in tasks(invite(team), C):
        for n in range(N):
            best, won = largest[0, c, n], winners[0, c, n]
            for h in range(1, H):
                v = largest[h, c, n]
                if v > best or (v != v and best == best):
                    best, won = v, winners[h, c, n]
            z[c, n], winner[c, n] = best, won


@compiled_parallel
def _to_winner(team: int, dz: Array, winner: Array, dx: Array) -> None:
    for c in tasks(invite(team), dx.shape[0]):
        for n in range(dx.shape[2]):
            dx[c, winner[c, n], n] += dz[c, n]
