"""3×3 convolution with stride 1 by fewer multiplications (Winograd 1980; Lavin & Gray 2016).

A patch of 4×4 outputs (here of LANES images at once) sees 6×6 pixels d. Each output is the sum of
9 products with the weights g, which makes 144. Shared cleverly, 36 are enough:

    y = Aᵀ [(G g Gᵀ) ⊙ (Bᵀ d B)] A

Polynomials are multiplied through their values at 0, ±r, ±2r and ∞, where r = 1/√2 (tutorial 8):

    ⎡ 1   0  −5/2  0   1  0 ⎤       ⎡  1     0     0  ⎤
    ⎢ 0 −2r   −2   r   1  0 ⎥       ⎢−2/3 −2r/3 −1/3 ⎥       ⎡ 1   1    1   1   1  0 ⎤
    ⎢ 0  2r   −2  −r   1  0 ⎥ = Bᵀ  ⎢−2/3  2r/3 −1/3 ⎥ = G   ⎢ 0   r   −r  2r −2r  0 ⎥ = Aᵀ
    ⎢ 0  −r  −1/2 2r   1  0 ⎥       ⎢ 1/6   r/3  1/3 ⎥       ⎢ 0  1/2  1/2  2   2  0 ⎥
    ⎢ 0   r  −1/2 −2r  1  0 ⎥       ⎢ 1/6  −r/3  1/3 ⎥       ⎣ 0  r/2 −r/2 4r −4r  1 ⎦
    ⎣ 0   1    0  −5/2 0  1 ⎦       ⎣  0     0     1  ⎦

The rounding error is about twice that of `stretches`; with the points 0, ±1, ±2 and ∞ it would be
four times. Summed over channels, each of the 36 products is a product of matrices, filters ×
channels times channels × patches. Besides, a patch costs 12 transforms of 14 operations for each
channel (6 columns, 6 rows) and 10 for each filter (6 columns, 4 rows). A pixel that is NaN or
infinite can make all outputs of its patches NaN, a weight all of its filter.
"""

from __future__ import annotations

import functools
from typing import Any, TypeAlias

import numpy as np

from minise.arrays import Array
from minise.cores import most_threads
from minise.kernels.numba.compile import compiled
from minise.kernels.numba.lanes import LANES, fetch, fill, load, store
from minise.kernels.numba.memory import empty
from minise.kernels.numba.stretches import pack
from minise.kernels.numba.taps import NONE
from minise.kernels.numba.tasks import invite, member, tasks
from minise.kernels.numba.team import compiled_parallel
from minise.kernels.numba.tiles import COLUMNS, ROWS, outer, put, tile
from minise.shapes import Pair, Sizes, Window

Lanes: TypeAlias = Any
Six: TypeAlias = tuple[Lanes, Lanes, Lanes, Lanes, Lanes, Lanes]

ENOUGH = 16  # channels, and filters, from which it pays if patches are at least half full
WIDE = COLUMNS * LANES
R = 0.5**0.5  # r
POINTS = np.array([0, R, -R, 2 * R, -2 * R])
SCALES = np.array([1, -2 / 3, -2 / 3, 1 / 6, 1 / 6])
G = np.vstack([SCALES[:, None] * POINTS[:, None] ** [0, 1, 2], [0, 0, 1]])
# (9, 36), and room as a tile may read beyond: g @ GG is G g Gᵀ, both written as one row
GG = np.pad(np.kron(G, G).T, ((0, 0), (0, ROWS)))


def suits(w: Array, window: Window, groups: int, output: Pair) -> bool:
    """Whether this form fits a convolution with w (F, C, KH, KW) of LANES images, and is faster."""
    OH, OW = output
    return (
        window.size == (3, 3)
        and min(w.shape[:2]) >= ENOUGH
        and window.stride == window.dilation == (1, 1)
        and max(window.padding) <= 2  # or the gradient's padding, 2 − padding, would be negative
        and groups == 1
        and 16 * -(-OH // 4) * -(-OW // 4) <= 2 * OH * OW
    )


def conv3x3(
    x: Array, w: Array, b: Array | None, padding: Pair, output: Pair, *, transposed: bool = False
) -> Array:
    """y (F, OH, OW, N) for x (C, H, W, N), w (F, C, 3, 3), b (F,); C is at least 2.

    `transposed` is the gradient of the input, the same convolution seen from dy: w, then
    (C, F, 3, 3), is turned round here.
    """
    packed = pack(w, b, 1, transposed=transposed, taps_first=True)[0]  # (blocks, 1 + 9·C, ROWS)
    C, N = len(x), x.shape[3]
    u = empty((36, len(packed), C * ROWS), w.dtype)  # G g Gᵀ
    _transform_weights(packed, _gg(w.dtype, transposed), u)
    y = empty((w.shape[1] if transposed else len(w), *output, N), x.dtype)
    threads = most_threads()
    # for each thread rows of Bᵀ d B (C, COLUMNS, LANES) and of the products (ROWS, COLUMNS, LANES),
    # with room for one patch; a little longer, or many would fall on the same place in the cache
    v = empty((threads, 36, C * WIDE + LANES), x.dtype)
    m = empty((threads, 36 + 3, ROWS * WIDE + LANES), x.dtype)
    _convolve(x, u, packed, y, padding, v, m)
    return y


@functools.cache
def _gg(dtype: np.dtype[Any], transposed: bool) -> Array:
    gg = (GG[::-1] if transposed else GG).astype(dtype, "C")  # turned round
    gg.flags.writeable = False
    return gg


@compiled_parallel
def _transform_weights(team: int, w: Array, gg: Array, u: Array) -> None:
    """u (36, blocks, C·ROWS): for each block of filters the product of ggᵀ and (9, C·ROWS).

    Not by NumPy: for a while after a product its threads keep processors that the next task needs.
    """
    blocks, length, zero = u.shape[1], u.shape[2], u.dtype.type(0)
    of_gg, to_u = gg.reshape(-1), u.reshape(-1)
    for block in tasks(invite(team), blocks):
        g = w[block, 1:].reshape(-1)
        for low in range(0, length, LANES):
            n = min(low, length - LANES)
            for i in range(0, 36, ROWS):
                s = tile(zero, ROWS, 1)
                for k in range(9):
                    s = outer(s, of_gg, k * gg.shape[1] + i, 1, g, k * length + n)
                put(s, to_u, (i * blocks + block) * length + n, blocks * length, 36 - i)


@compiled
def _six(x: Array, k: int, step: int) -> Six:
    """Six lanes, each a step after the last."""
    p, q, r = load(x, k), load(x, k + step), load(x, k + 2 * step)
    return p, q, r, load(x, k + 3 * step), load(x, k + 4 * step), load(x, k + 5 * step)


@compiled
def _times_b(d: Six, to: Array, n: int, step: int) -> None:
    """Bᵀ d, to six places of `to`."""
    d0, d1, d2, d3, d4, d5 = d
    store(to, n, d0 - 2.5 * d2 + d4)
    even, odd = d4 - 2.0 * d2, R * (d3 - 2.0 * d1)
    store(to, n + step, even + odd)
    store(to, n + 2 * step, even - odd)
    even, odd = d4 - 0.5 * d2, 2 * R * (d3 - 0.5 * d1)
    store(to, n + 3 * step, even + odd)
    store(to, n + 4 * step, even - odd)
    store(to, n + 5 * step, d1 - 2.5 * d3 + d5)


@compiled
def _times_a(m: Six, to: Array, n: int, step: int) -> None:
    """Aᵀ m, to four places of `to`."""
    m0, m1, m2, m3, m4, m5 = m
    even, odd = m1 + m2, R * (m1 - m2)
    even_2, odd_2 = m3 + m4, 2 * R * (m3 - m4)
    store(to, n, m0 + even + even_2)
    store(to, n + step, odd + odd_2)
    store(to, n + 2 * step, 0.5 * even + 2.0 * even_2)
    store(to, n + 3 * step, 0.5 * odd + 2.0 * odd_2 + m5)


@compiled
def _pixel(x: Array, at: int, moved: int) -> Lanes:
    return load(x, at + moved) if at != NONE else fill(x.dtype.type(0))


@compiled
def _transform(
    x: Array, at: Array, first: int, moved: int, t: Array, v: Array, to: int, pitch: int
) -> None:
    """Bᵀ d B to 36 places of v, for the pixels d that `at` lists; t is room for Bᵀ d."""
    for j in range(6):
        k = first + j
        p, q, r = _pixel(x, at[k], moved), _pixel(x, at[k + 6], moved), _pixel(x, at[k + 12], moved)
        s, u = _pixel(x, at[k + 18], moved), _pixel(x, at[k + 24], moved)
        six = p, q, r, s, u, _pixel(x, at[k + 30], moved)
        _times_b(six, t, j * LANES, 6 * LANES)
    for i in range(6):
        _times_b(_six(t, 6 * i * LANES, LANES), v, to + 6 * i * pitch, pitch)


@compiled
def _transform_back(
    m: Array, k: int, pitch: int, t: Array, b: float, y: Array, to: int, size: Pair, strides: Pair
) -> None:
    """Aᵀ m A + b of 36 places of m, to as many rows and columns of y as there are (`size`)."""
    bias = fill(b)
    for j in range(6):
        _times_a(_six(m, k + j * pitch, 6 * pitch), t, j * LANES, 6 * LANES)
    for i in range(size[0]):
        row = 6 * i * LANES
        _times_a(_six(t, row, LANES), t, row, LANES)
        for j in range(size[1]):
            store(y, to + i * strides[0] + j * strides[1], load(t, row + j * LANES) + bias)


@compiled
def _list_places(
    first: int, count: int, shape: Sizes, padding: Pair, output: Pair, at: Array, to: Array
) -> None:
    """Where some patches lie: their pixels, or NONE, in a channel of x; their outputs in y's."""
    _, H, W, N = shape
    OH, OW = output
    lanes, across = (N + LANES - 1) // LANES, (OW + 3) // 4
    for k in range(count):
        place, n = (first + k) // lanes, min((first + k) % lanes * LANES, N - LANES)
        oh, ow = 4 * (place // across), 4 * (place % across)
        to[k, 0], to[k, 1], to[k, 2] = (oh * OW + ow) * N + n, min(4, OH - oh), min(4, OW - ow)
        for i in range(36):
            h, w = oh - padding[0] + i // 6, ow - padding[1] + i % 6
            at[36 * k + i] = (h * W + w) * N + n if 0 <= h < H and 0 <= w < W else NONE


@compiled_parallel
def _convolve(
    team: int, x: Array, u: Array, w: Array, y: Array, padding: Pair, room_v: Array, room_m: Array
) -> None:
    """One task for COLUMNS patches, each of LANES images: they are the columns of a tile.

    Where N is no multiple of LANES some images are in two patches, perhaps of two tasks. Both store
    the same bits, so it does not matter which comes last. Of `w` only the biases are read.
    """
    C, N, F, OH, OW = x.shape[0], x.shape[3], y.shape[0], y.shape[1], y.shape[2]
    patches = (OH + 3) // 4 * ((OW + 3) // 4) * ((N + LANES - 1) // LANES)
    channel, map_, strides = x.shape[1] * x.shape[2] * N, OH * OW * N, (OW * N, N)
    from_x, to_y, zero = x.reshape(-1), y.reshape(-1), x.dtype.type(0)
    for task in tasks(invite(team), (patches + COLUMNS - 1) // COLUMNS):
        v, m = room_v[member(team)], room_m[member(team)]  # what they hold does not matter
        to_v, to_m, t = v.reshape(-1), m.reshape(-1), m[36:].reshape(-1)
        first = task * COLUMNS
        count = min(COLUMNS, patches - first)
        at, to = np.empty(36 * COLUMNS, np.intp), np.empty((COLUMNS, 3), np.intp)
        _list_places(first, count, x.shape, padding, (OH, OW), at, to)
        for c in range(C):
            for k in range(count):
                n = c * WIDE + k * LANES
                _transform(from_x, at, 36 * k, c * channel, t, to_v, n, v.shape[1])
        for f in range(0, F, ROWS):
            filters = min(ROWS, F - f)
            for i in range(36):
                s, weights, values = tile(zero, ROWS, COLUMNS), u[i, f // ROWS], v[i]
                for c in range(C):
                    s = outer(s, weights, c * ROWS, 1, values, c * WIDE)
                put(s, to_m, i * m.shape[1], WIDE, ROWS)
                # meanwhile one row of one filter of y is fetched, where the sums will be stored
                r, row = i % ROWS, i // ROWS
                for k in range(count):
                    if r < filters and row < to[k, 1]:
                        for column in range(to[k, 2]):
                            fetch(to_y, (f + r) * map_ + to[k, 0] + (row * OW + column) * N)
            for r in range(filters):
                for k in range(count):
                    n, size = (f + r) * map_ + to[k, 0], (to[k, 1], to[k, 2])
                    _transform_back(
                        to_m, r * WIDE + k * LANES, m.shape[1], t, w[f // ROWS, 0, r],
                        to_y, n, size, strides,
                    )  # fmt: skip
