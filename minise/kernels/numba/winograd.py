"""3×3 convolution with stride 1 by fewer multiplications (Winograd 1980; Lavin & Gray 2016).

Four neighbouring outputs, a tile of 2×2, need 36 products of a pixel and a weight. Shared
cleverly, 16 are enough:

    Y = Aᵀ [(G g Gᵀ) ⊙ (Bᵀ d B)] A

for the 4×4 pixels d that the tile sees and the 3×3 weights g. Bᵀ, G and Aᵀ only add and halve:

    Bᵀ d = (d₀ − d₂, d₁ + d₂, d₂ − d₁, d₁ − d₃)          for rows, then the same for columns
    G g  = (g₀, (g₀ + g₁ + g₂)/2, (g₀ − g₁ + g₂)/2, g₂)
    Aᵀ m = (m₀ + m₁ + m₂, m₁ − m₂ − m₃)

Summed over channels, each of the 16 products is a matrix product, filters × channels times
channels × pixels, and with many channels and filters that is where the time goes. Rounding differs
from that of `conv`, and an infinite pixel makes its whole tile infinite or NaN.
"""

from __future__ import annotations

import numpy as np

from minise.arrays import Array
from minise.cores import most_threads
from minise.kernels.numba.compile import compiled
from minise.kernels.numba.lanes import LANES, fill, load, store
from minise.kernels.numba.memory import empty
from minise.kernels.numba.tasks import invite, member, tasks
from minise.kernels.numba.team import compiled_parallel
from minise.shapes import Pair, Window

FILTERS = 4  # whose sums are in registers at once
IN_CACHE = 1_600_000  # bytes: transformed pixels and products of some tiles stay in the cache
MUCH = 2**20  # products of channels, filters and pixels of one image, from which it pays


def suits(w: Array, window: Window, groups: int, N: int, output: Pair) -> bool:
    """Whether a convolution of N images with w (F, C, KH, KW) can and had better be done so."""
    return (
        window.size == (3, 3)
        and window.stride == window.dilation == (1, 1)
        and max(window.padding) <= 2  # so that the gradient's padding, what is left of 2, is none
        and groups == 1
        and N >= LANES
        and w.shape[0] * w.shape[1] * output[0] * output[1] >= MUCH
    )


def conv3x3(x: Array, w: Array, b: Array | None, padding: Pair, output: Pair) -> Array:
    """y (F, OH, OW, N) for x (C, H, W, N), w (F, C, 3, 3), b (F,)."""
    F, C, N = len(w), len(x), x.shape[3]
    u = _transformed(w)
    y = empty((F, *output, N), x.dtype)
    b = np.zeros(F, x.dtype) if b is None else np.require(b, requirements=["C", "W"])
    tiles = max(1, IN_CACHE // (16 * (C + F) * N * x.itemsize))
    # a little room between rows, or many of them would share one place in the cache
    stride = tiles * N + LANES
    room = empty((most_threads(), 16, (C + u.shape[1]) * stride + LANES), x.dtype)
    _tile_rows(x, u, b, y, padding, tiles, stride, room)
    return y


def _transformed(w: Array) -> Array:
    """G g Gᵀ of all weights: (F, C, 3, 3) -> (16, F, C), F filled up to whole FILTERS."""
    F, C = w.shape[:2]
    g = np.zeros((3, 3, -(-F // FILTERS) * FILTERS, C), w.dtype)
    g[:, :, :F] = w.transpose(2, 3, 0, 1)
    for axis in (0, 1):
        g0, g1, g2 = np.moveaxis(g, axis, 0)
        g = np.stack([g0, (g0 + g1 + g2) / 2, (g0 - g1 + g2) / 2, g2], axis=axis)
    return g.reshape(16, -1, C)


@compiled
def _differences(
    x: Array, c: int, top: int, left: int, tiles: int, rows: Array, v: Array, stride: int
) -> None:
    """Bᵀ d B of channel c, for tiles whose pixels begin at row `top` and column `left`.

    `rows` (4, columns · N) is room for Bᵀ d; the result goes to row c of each of the 16 of v.
    """
    H, W, N = x.shape[1], x.shape[2], x.shape[3]
    number, columns = x.dtype.type, 2 * tiles + 2
    zero = number(0)
    low, high = max(0, -left), min(columns, W - left)  # the columns that lie in the image
    for i in range(4):
        # d₀ − d₂, d₁ + d₂, d₂ − d₁, d₁ − d₃
        first, second = top + (0, 1, 2, 1)[i], top + (2, 2, 1, 3)[i]
        row = rows[i]
        row[: low * N], row[high * N : columns * N] = zero, zero
        target, here = row[low * N : high * N], slice((left + low) * N, (left + high) * N)
        # a row outside the image is all zeros
        one = number(1 if 0 <= first < H else 0)
        other = number((1 if i == 1 else -1) if 0 <= second < H else 0)
        minuend = x[c, min(max(first, 0), H - 1)].reshape(-1)[here]
        subtrahend = x[c, min(max(second, 0), H - 1)].reshape(-1)[here]
        for k in range(target.size):
            target[k] = one * minuend[k] + other * subtrahend[k]
        v0, v1, v2, v3 = v[4 * i], v[4 * i + 1], v[4 * i + 2], v[4 * i + 3]
        for tile in range(tiles):
            for begin in range(0, N, LANES):
                n = min(begin, N - LANES)  # the last lanes may be computed twice
                k, to = 2 * tile * N + n, c * stride + tile * N + n
                d0, d1 = load(row, k), load(row, k + N)
                d2, d3 = load(row, k + 2 * N), load(row, k + 3 * N)
                store(v0, to, d0 - d2)
                store(v1, to, d1 + d2)
                store(v2, to, d2 - d1)
                store(v3, to, d1 - d3)


@compiled
def _product(u: Array, v: Array, m: Array, stride: int, f: int, length: int) -> None:
    """Row f of m = Σ over c of u[f, c] · row c of v, for four filters f … at once."""
    u0, u1, u2, u3 = u[f], u[f + 1], u[f + 2], u[f + 3]
    zero = fill(v.dtype.type(0))
    threes = length // (3 * LANES) * 3 * LANES
    for n in range(0, threes, 3 * LANES):
        a0 = a1 = a2 = b0 = b1 = b2 = c0 = c1 = c2 = d0 = d1 = d2 = zero
        for c in range(np.uintp(u.shape[1])):
            at = c * np.uintp(stride) + np.uintp(n)
            p, q = load(v, at), load(v, at + np.uintp(LANES))
            r = load(v, at + np.uintp(2 * LANES))
            a0, a1, a2 = a0 + u0[c] * p, a1 + u0[c] * q, a2 + u0[c] * r
            b0, b1, b2 = b0 + u1[c] * p, b1 + u1[c] * q, b2 + u1[c] * r
            c0, c1, c2 = c0 + u2[c] * p, c1 + u2[c] * q, c2 + u2[c] * r
            d0, d1, d2 = d0 + u3[c] * p, d1 + u3[c] * q, d2 + u3[c] * r
        _store_three(m, f * stride + n, a0, a1, a2)
        _store_three(m, (f + 1) * stride + n, b0, b1, b2)
        _store_three(m, (f + 2) * stride + n, c0, c1, c2)
        _store_three(m, (f + 3) * stride + n, d0, d1, d2)
    for low in range(threes, length, LANES):
        n = min(low, length - LANES)  # the last lanes may be computed twice
        a0 = b0 = c0 = d0 = zero
        for c in range(np.uintp(u.shape[1])):
            p = load(v, c * np.uintp(stride) + np.uintp(n))
            a0, b0, c0, d0 = a0 + u0[c] * p, b0 + u1[c] * p, c0 + u2[c] * p, d0 + u3[c] * p
        store(m, f * stride + n, a0)
        store(m, (f + 1) * stride + n, b0)
        store(m, (f + 2) * stride + n, c0)
        store(m, (f + 3) * stride + n, d0)


@compiled
def _store_three(m: Array, to: int, p: Array, q: Array, r: Array) -> None:
    store(m, to, p)
    store(m, to + LANES, q)
    store(m, to + 2 * LANES, r)


@compiled
def _sums(m: Array, stride: int, f: int, b: float, y: Array, oh: int, ow: int, tiles: int) -> None:
    """Aᵀ m A plus b, for row f of each of the 16 of m: y from row oh and column ow on."""
    OH, OW, N = y.shape[1], y.shape[2], y.shape[3]
    to_y, bias = y[f].reshape(-1), fill(b)
    for tile in range(tiles):
        for low in range(0, N, LANES):
            n = min(low, N - LANES)
            k = f * stride + tile * N + n
            at = (oh * OW + ow + 2 * tile) * N + n
            right = ow + 2 * tile + 1 < OW
            a0, a1 = _sum_columns(m, 0, k)
            b0, b1 = _sum_columns(m, 1, k)
            c0, c1 = _sum_columns(m, 2, k)
            store(to_y, at, a0 + b0 + c0 + bias)
            if right:
                store(to_y, at + N, a1 + b1 + c1 + bias)
            if oh + 1 < OH:
                d0, d1 = _sum_columns(m, 3, k)
                store(to_y, at + OW * N, b0 - c0 - d0 + bias)
                if right:
                    store(to_y, at + OW * N + N, b1 - c1 - d1 + bias)


@compiled
def _sum_columns(m: Array, i: int, k: int) -> tuple[Array, Array]:
    """Aᵀ along the columns of row i."""
    m0, m1 = load(m[4 * i], k), load(m[4 * i + 1], k)
    m2, m3 = load(m[4 * i + 2], k), load(m[4 * i + 3], k)
    return m0 + m1 + m2, m1 - m2 - m3


@compiled_parallel
def _tile_rows(
    team: int,
    x: Array,
    u: Array,
    b: Array,
    y: Array,
    padding: Pair,
    tiles: int,
    stride: int,
    room: Array,
) -> None:
    """One owner for the left or right half of a row of tiles."""
    C, N, F, OH, OW = x.shape[0], x.shape[3], y.shape[0], y.shape[1], y.shape[2]
    per_row = (OW + 1) // 2
    for task in tasks(invite(team), (OH + 1) // 2 * 2):
        oh, half = task // 2 * 2, task % 2
        mine = room[member(team)]  # room to work in: what it holds does not matter
        v, m = mine[:, : C * stride], mine[:, C * stride :]
        rows = np.empty((4, (2 * tiles + 2) * N), x.dtype)
        first, last = half * per_row // 2, (half + 1) * per_row // 2
        for tile in range(first, last, tiles):
            count = min(tiles, last - tile)
            for c in range(C):
                _differences(x, c, oh - padding[0], 2 * tile - padding[1], count, rows, v, stride)
            for k in range(16):
                for f in range(0, u.shape[1], FILTERS):
                    _product(u[k], v[k], m[k], stride, f, count * N)
            for f in range(F):
                _sums(m, stride, f, b[f], y, oh, 2 * tile, count)
