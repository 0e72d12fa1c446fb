"""Scale: each map times its gate, alone and as the tail of an SE residual block.

The gradients of all factors and terms are computed in one pass. Those of the gates are summed row
by row first, since threads divide the work by rows, and then over the rows.
"""

from __future__ import annotations

from minise.arrays import Array
from minise.kernels.numba.layout import batch_first, batch_last, parts
from minise.kernels.numba.memory import empty
from minise.kernels.numba.sums import sum_of_rows
from minise.kernels.numba.tasks import invite, tasks
from minise.kernels.numba.team import compiled_parallel


def channel_scale(x: Array, s: Array) -> Array:
    """y (N, C, H, W) = s · x."""
    x = batch_last(x)
    y = empty(x.shape, x.dtype)
    if x.shape[3] == 1:
        _scale_one(_maps(x), batch_last(s), _maps(y))
    else:
        _scale(x, batch_last(s), y, parts(x.shape[1]))
    return batch_first(y)


def channel_scale_backward(dy: Array, x: Array, s: Array) -> tuple[Array, Array]:
    """(dx, ds): dx = s · dy, and ds (N, C) the sum of dy · x over each map."""
    dy, x, s = batch_last(dy), batch_last(x), batch_last(s)
    dx, ds_of_rows = empty(x.shape, x.dtype), _of_rows(x)
    _scale_backward(dy, x, s, dx, ds_of_rows, parts(x.shape[1]))
    return batch_first(dx), batch_first(sum_of_rows(ds_of_rows))


def gates_gradient(dy: Array, x: Array) -> Array:
    """ds (N, C), the sum of dy · x over each map."""
    dy, x = batch_last(dy), batch_last(x)
    ds_of_rows = _of_rows(x)
    _gates_gradient(dy, x, ds_of_rows, parts(x.shape[1]))
    return batch_first(sum_of_rows(ds_of_rows))


def scale_add_relu(x: Array, s: Array, r: Array) -> Array:
    """y (N, C, H, W) = max(s · x + r, 0)."""
    x = batch_last(x)
    y, r = empty(x.shape, x.dtype), batch_last(r)
    if x.shape[3] == 1:
        _scale_add_relu_one(_maps(x), batch_last(s), _maps(r), _maps(y))
    else:
        _scale_add_relu(x, batch_last(s), r, y, parts(x.shape[1]))
    return batch_first(y)


def scale_add_relu_backward(dy: Array, x: Array, s: Array, y: Array) -> tuple[Array, Array, Array]:
    """(dx, ds, dr): dr is dy where y > 0, else 0; dx and ds as those of `channel_scale`, of dr."""
    dy, x, s, y = map(batch_last, (dy, x, s, y))
    dx, dr, ds_of_rows = empty(x.shape, x.dtype), empty(x.shape, x.dtype), _of_rows(x)
    _scale_add_relu_backward(dy, x, s, y, dx, ds_of_rows, dr, parts(x.shape[1]))
    return batch_first(dx), batch_first(sum_of_rows(ds_of_rows)), batch_first(dr)


def _maps(x: Array) -> Array:
    """(C, H, W, 1) -> (C, H·W)."""
    return x.reshape(len(x), x.shape[1] * x.shape[2])


def _of_rows(x: Array) -> Array:
    """(H, C, N): what each row adds to the gradients of the gates."""
    C, H, _, N = x.shape
    return empty((H, C, N), x.dtype)


@compiled_parallel
def _scale(team: int, x: Array, s: Array, y: Array, parts: int) -> None:
    C, H, W, _ = x.shape
    for task in tasks(invite(team), H * parts):
        h, part = task // parts, task % parts
        for c in range(part * C // parts, (part + 1) * C // parts):
            gate = s[c]
            for w in range(W):
                source, target = x[c, h, w], y[c, h, w]
                for n in range(target.size):
                    target[n] = gate[n] * source[n]


@compiled_parallel
def _scale_one(team: int, x: Array, s: Array, y: Array) -> None:
    """The same for one image (C, H·W), whose maps have one gate each."""
    for c in tasks(invite(team), len(x)):
        gate, source, target = s[c, 0], x[c], y[c]
        for k in range(target.size):
            target[k] = gate * source[k]


@compiled_parallel
def _scale_backward(
    team: int, dy: Array, x: Array, s: Array, dx: Array, ds_of_rows: Array, parts: int
) -> None:
    C, H, W, _ = x.shape
    for task in tasks(invite(team), H * parts):
        h, part = task // parts, task % parts
        for c in range(part * C // parts, (part + 1) * C // parts):
            gate, total = s[c], ds_of_rows[h, c]
            total[:] = 0
            for w in range(W):
                above, source, target = dy[c, h, w], x[c, h, w], dx[c, h, w]
                for n in range(target.size):
                    target[n] = gate[n] * above[n]
                    total[n] += above[n] * source[n]


@compiled_parallel
def _gates_gradient(team: int, dy: Array, x: Array, ds_of_rows: Array, parts: int) -> None:
    C, H, W, _ = x.shape
    for task in tasks(invite(team), H * parts):
        h, part = task // parts, task % parts
        for c in range(part * C // parts, (part + 1) * C // parts):
            total = ds_of_rows[h, c]
            total[:] = 0
            for w in range(W):
                above, source = dy[c, h, w], x[c, h, w]
                for n in range(total.size):
                    total[n] += above[n] * source[n]


@compiled_parallel
def _scale_add_relu(team: int, x: Array, s: Array, r: Array, y: Array, parts: int) -> None:
    C, H, W, _ = x.shape
    zero = x.dtype.type(0)
    for task in tasks(invite(team), H * parts):
        h, part = task // parts, task % parts
        for c in range(part * C // parts, (part + 1) * C // parts):
            gate = s[c]
            for w in range(W):
                source, shortcut, target = x[c, h, w], r[c, h, w], y[c, h, w]
                for n in range(target.size):
                    v = gate[n] * source[n] + shortcut[n]
                    target[n] = zero if v <= zero else v  # a comparison with NaN is never true


@compiled_parallel
def _scale_add_relu_one(team: int, x: Array, s: Array, r: Array, y: Array) -> None:
    """The same for one image."""
    zero = x.dtype.type(0)
    for c in tasks(invite(team), len(x)):
        gate, source, shortcut, target = s[c, 0], x[c], r[c], y[c]
        for k in range(target.size):
            v = gate * source[k] + shortcut[k]
            target[k] = zero if v <= zero else v


@compiled_parallel
def _scale_add_relu_backward(
    team: int,
    dy: Array,
    x: Array,
    s: Array,
    y: Array,
    dx: Array,
    ds_of_rows: Array,
    dr: Array,
    parts: int,
) -> None:
    C, H, W, _ = x.shape
    zero = x.dtype.type(0)
    for task in tasks(invite(team), H * parts):
        h, part = task // parts, task % parts
        for c in range(part * C // parts, (part + 1) * C // parts):
            gate, total = s[c], ds_of_rows[h, c]
            total[:] = 0
            for w in range(W):
                above, source, output = dy[c, h, w], x[c, h, w], y[c, h, w]
                branch, shortcut = dx[c, h, w], dr[c, h, w]
                for n in range(branch.size):
                    passed = above[n] if output[n] > zero else zero
                    shortcut[n] = passed
                    branch[n] = gate[n] * passed
                    total[n] += passed * source[n]
