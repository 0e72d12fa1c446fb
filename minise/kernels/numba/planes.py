"""Convolution of a batch too small for lanes of images: lanes are pixels.

x is copied once, with its padding, and split by the remainder of a division by the stride s: plane
(p, q) holds the pixels (p + s·u, q + s·v) of the padded image. In its plane a tap (i, j) then meets
every output pixel at the same distance, so that the whole output is one stretch:

    y[f, n] = b[f] + Σ over c, i, j of w[f, c, i, j] · plane_ij[c, n + distance_ij]

where n counts the output's pixels in rows as wide as those of the planes. What y gets beyond OW is
dropped, and is 0 in dy. So the kernels in `stretches` and `conv_weights` serve here as well. A
weight that is infinite or NaN makes the edges NaN, where it meets zeros.
"""

from __future__ import annotations

import functools
from typing import NamedTuple

import numpy as np

from minise.arrays import Array
from minise.kernels.numba.compile import compiled
from minise.kernels.numba.conv_weights import Meetings, dots_of_stretches
from minise.kernels.numba.depthwise import sum_taps
from minise.kernels.numba.lanes import LANES, copy
from minise.kernels.numba.layout import TASKS, rows
from minise.kernels.numba.memory import empty, zeros
from minise.kernels.numba.stretches import sum_of_stretches
from minise.kernels.numba.taps import NONE, Integers, Taps
from minise.kernels.numba.tasks import invite, tasks
from minise.kernels.numba.team import compiled_parallel
from minise.kernels.numba.watch import by_numpy
from minise.shapes import Pair, Window


class _Axis(NamedTuple):
    """One axis of the planes: what each tap meets, and where the pixels of x lie."""

    plane: Integers  # (kernel,): in which plane the tap meets x
    step: Integers  # (kernel,): how far from the output's place
    length: int  # of the planes
    pixels: list[tuple[slice, slice]]  # for each plane: these of its pixels are those of x


class _Plan(NamedTuple):
    """How images of one shape lie in planes. Lengths are in numbers, N for a pixel."""

    shape: tuple[int, int, int, int]  # planes down and across, rows and columns of each
    pixels: list[tuple[tuple[int, slice, slice], tuple[slice, slice]]]  # of a plane, and of x
    inside: list[Integers]  # down and across (planes, 3): first pixel, how many, first of x
    stride: Pair
    length: int  # of the stretch, the output
    farthest: int  # of the distances
    forward: Taps
    backward: Taps
    meetings: Meetings


def conv2d(x: Array, w: Array, b: Array | None, groups: int, window: Window, output: Pair) -> Array:
    """y (F, OH, OW, N) for x (C, H, W, N), w (F, C/G, KH, KW), b (F,)."""
    N = x.shape[3]
    plan = _plan(window, (x.shape[1], x.shape[2]), output, N)
    planes = _to_planes(x, plan)
    y = sum_of_stretches(planes[:, None, :, None], w, b, groups, plan.forward)  # (F, 1, length, 1)
    wide, y = y.reshape(len(y), -1), empty((len(y), *output, N), x.dtype)
    _take(wide, plan.shape[3] * N, rows(y))
    return y


def depthwise(x: Array, w: Array, b: Array | None, window: Window, output: Pair) -> Array:
    """The same where each filter sees one channel, its own: w (C, 1, KH, KW)."""
    C, N = len(x), x.shape[3]
    plan = _plan(window, (x.shape[1], x.shape[2]), output, N)
    b = empty((0,), x.dtype) if b is None else np.require(b, requirements=["C", "W"])
    w = np.require(w, requirements=["C", "W"]).reshape(C, -1)
    y, at = empty((C, *output, N), x.dtype), plan.forward.source.reshape(-1)
    (down, across), (step_down, step_across) = plan.inside, plan.stride
    planes = plan.shape[0] * plan.shape[1] * (plan.farthest + plan.length)
    room = empty((TASKS, plan.length + planes), x.dtype)
    _each_channel(
        rows(x), N, down, across, step_down, step_across, plan.shape[3] * N, w, b, at,
        np.arange(at.size), plan.length, room, rows(y),
    )  # fmt: skip
    return y


def conv2d_backward(
    dy: Array, x: Array, w: Array, groups: int, window: Window
) -> tuple[Array, Array]:
    """(dx, dw) for dy (F, OH, OW, N), x (C, H, W, N), w (F, C/G, KH, KW)."""
    output, N = (dy.shape[1], dy.shape[2]), x.shape[3]
    plan = _plan(window, (x.shape[1], x.shape[2]), output, N)
    pitch = plan.farthest + plan.length
    wide = zeros((len(dy), plan.farthest + pitch), dy.dtype)  # room for every distance before dy
    inner = wide[:, plan.farthest :][:, : output[0] * plan.shape[3] * N]
    by_numpy(np.copyto, inner.reshape(len(dy), output[0], plan.shape[3], N)[:, :, : output[1]], dy)
    wide = wide[:, None, :, None]
    dx = sum_of_stretches(wide, w, None, groups, plan.backward, transposed=True)
    dx = _from_planes(dx, plan, x.shape)
    planes = _to_planes(x, plan)
    return dx, dots_of_stretches(wide, planes[:, :, None, None], w.shape, plan.meetings)


def _to_planes(x: Array, plan: _Plan) -> Array:
    """(C, H, W, N) -> (C, planes · pitch)."""
    down, across, _, W = plan.shape
    planes = empty((len(x), down * across * (plan.farthest + plan.length)), x.dtype)
    (rows_of, columns_of), (step_down, step_across) = plan.inside, plan.stride
    pitch = W * x.shape[3]
    _fill(rows(x), x.shape[3], rows_of, columns_of, step_down, step_across, pitch, planes)
    return planes


def _from_planes(planes: Array, plan: _Plan, shape: tuple[int, ...]) -> Array:
    """(C, planes, pitch, 1) -> (C, H, W, N): the pixels of x, 0 where no tap met one."""
    down, across, H, W = plan.shape
    inner = planes[:, :, : H * W * shape[3], 0].reshape(shape[0], down * across, H, W, shape[3])
    x = zeros(shape, planes.dtype)
    for here, there in plan.pixels:
        by_numpy(np.copyto, x[:, *there], inner[:, *here])
    return x


@functools.lru_cache(maxsize=1024)
def _plan(window: Window, size: Pair, output: Pair, N: int) -> _Plan:
    down, across = (_axis(window, axis, size[axis], output[axis]) for axis in (0, 1))
    planes_down, planes_across = len(down.pixels), len(across.pixels)
    width = across.length
    length = max(output[0] * width * N, LANES)
    farthest = (int(down.step.max()) * width + int(across.step.max())) * N
    pitch = farthest + length
    # where tap (i, j) meets x is a sum of two: one for i, one for j
    at_row = down.plane * planes_across * pitch + down.step * width * N
    at_column = across.plane * pitch + across.step * N
    distance = ((down.step * width)[:, None] + across.step).reshape(-1) * N  # (KH·KW,)
    plane = ((down.plane * planes_across)[:, None] + across.plane).reshape(-1)  # (KH·KW,)
    met_by = plane == np.arange(planes_down * planes_across)[:, None]  # (planes, KH·KW)
    back = np.where(met_by, farthest - distance, NONE)
    return _Plan(
        shape=(planes_down, planes_across, down.length, width),
        pixels=[
            ((k * planes_across + m, *here), there)
            for k, (h, h_x) in enumerate(down.pixels)
            for m, (w, w_x) in enumerate(across.pixels)
            for here, there in [((h, w), (h_x, w_x))]
        ],
        inside=[
            np.array([(a.start, a.stop - a.start, b.start) for a, b in axis.pixels], np.intp)
            for axis in (down, across)
        ],
        stride=window.stride,
        length=length,
        farthest=farthest,
        forward=Taps((at_row[:, None] + at_column).reshape(1, 1, -1), _one_run(length)),
        backward=Taps(back[:, None, :], _one_run(pitch)),
        meetings=Meetings(
            np.stack([np.zeros_like(at_row), at_row, np.ones_like(at_row)], axis=1),
            np.stack(
                [
                    np.full_like(at_column, farthest),
                    at_column,
                    np.full_like(at_column, output[0] * width * N),
                ],
                axis=1,
            ),
            (1, 1),
        ),
    )


def _axis(window: Window, axis: int, source: int, target: int) -> _Axis:
    kernel, stride, padding, dilation = (field[axis] for field in window)
    step, rest = np.divmod(np.arange(kernel) * dilation, stride)
    rests, plane = np.unique(rest, return_inverse=True)
    length = target + int(step.max())
    pixels = []
    for first in rests.tolist():
        begin = max(0, -((first - padding) // stride))  # rounded up
        at = first + begin * stride - padding
        count = max(0, min(length - begin, (source - 1 - at) // stride + 1))
        pixels.append((slice(begin, begin + count), slice(at, at + count * stride, stride)))
    return _Axis(plane, step, length, pixels)


@compiled_parallel
def _fill(
    team: int,
    x: Array,
    N: int,
    down: Array,
    across: Array,
    step_down: int,
    step_across: int,
    pitch: int,
    planes: Array,
) -> None:
    """One owner for the planes of a channel: (C, H, W·N) -> (C, planes · numbers)."""
    length = x.shape[2]
    x = x.reshape(len(x), -1)
    for c in tasks(invite(team), len(x)):
        planes[c] = 0
        _fill_planes(x[c], N, length, down, across, step_down, step_across, pitch, planes[c])


@compiled
def _fill_planes(
    x: Array,
    N: int,
    length: int,
    down: Array,
    across: Array,
    step_down: int,
    step_across: int,
    pitch: int,
    planes: Array,
) -> None:
    """(H·W·N,) -> (planes · numbers,), their rows `pitch` numbers; what lies outside x stays."""
    count = len(down) * len(across)
    size = planes.size // count
    for number in range(count):
        begin, height, top = down[number // len(across)]
        column, width, left = across[number % len(across)]
        for h in range(height):
            to = number * size + (begin + h) * pitch + column * N
            at = (top + h * step_down) * length + left * N
            if step_across == 1:
                copy(x, at, planes, to, width * N)
                continue
            source, target = x[at:], planes[to : to + width * N]
            if step_across == 2 and N == 1:  # as a constant, so that the loop is vectorised
                for k in range(target.size):
                    target[k] = source[2 * k]
            else:
                for n in range(N):
                    for w in range(width):
                        target[w * N + n] = source[w * step_across * N + n]


@compiled_parallel
def _each_channel(
    team: int,
    x: Array,
    N: int,
    down: Array,
    across: Array,
    step_down: int,
    step_across: int,
    pitch: int,
    w: Array,
    b: Array,
    at: Array,
    tap: Array,
    length: int,
    room: Array,
    y: Array,
) -> None:
    """One owner for some channels: the planes of one, and its output, stay in the first cache."""
    (C, OH, OW), (_, H, W), zero = y.shape, x.shape, y.dtype.type(0)
    from_x, to_y = x.reshape(C, H * W), y.reshape(C, OH * OW)
    for part in tasks(invite(team), len(room)):
        planes, wide = room[part, length:], room[part, :length]
        planes[:] = 0
        for c in range(part * C // len(room), (part + 1) * C // len(room)):
            _fill_planes(from_x[c], N, W, down, across, step_down, step_across, pitch, planes)
            bias = b[c] if b.size else zero
            sum_taps(planes, at, tap, tap.size, 0, w[c], bias, wide, 0, length)
            for h in range(OH):
                copy(wide, h * pitch, to_y[c], h * OW, OW)


@compiled_parallel
def _take(team: int, wide: Array, pitch: int, y: Array) -> None:
    """The output's pixels (F, OH, OW·N) of rows of `pitch` numbers, (F, numbers)."""
    F, OH, _ = y.shape
    for f in tasks(invite(team), F):
        for h in range(OH):
            source, target = wide[f, h * pitch :], y[f, h]
            for k in range(target.size):
                target[k] = source[k]


def _one_run(length: int) -> Integers:
    return np.array([[0, 1, 1, length]], np.intp)
