"""A tile: rows × columns of lanes, sums that stay in registers from the first term to the last.

    s = tile(zero, ROWS, COLUMNS)
    for t in range(terms):
        s = outer(s, w, k[t], 1, x, n[t])   # s[r, c] += w[k[t] + r] · x[n[t] + c·LANES …]
    put(s, y, to, stride, rows)             # y[to + r·stride + c·LANES …] = s[r, c]

That is a product of matrices: each pass takes a column of w and a row of x. Each number of x that
is loaded is used ROWS times, and each of w COLUMNS times. With AVX-512 a processor has 32
registers, room for 8 × 3 sums and the few that they are made of. Others have 16, or 32 of half the
size: room for 4 × 3. Lanes of float64 are twice as large, and some sums leave their registers: it
is for checks. Numba would write all of them back to memory in each pass. Without a compiler
(`NUMBA_DISABLE_JIT`) a tile is an array (rows, columns, LANES).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba import config, types
from numba.core import cgutils
from numba.core.datamodel.models import PrimitiveModel
from numba.extending import intrinsic, register_model

from minise.arrays import Array
from minise.kernels.numba.lanes import (
    FLAGS,
    LANES,
    LanesType,
    address,
    load_lanes,
    spread,
    store_lanes,
)

ROWS = 8 if LANES == 16 else 4
COLUMNS = 3
FEW = 4  # rows of a tile for the last filters, where so few are left


class TileType(types.Type):
    """Numba's type of rows × columns lanes of one dtype."""

    def __init__(self, dtype: Any, rows: int, columns: int) -> None:
        self.dtype, self.rows, self.columns = dtype, rows, columns
        super().__init__(f"Tile({dtype}, {rows}, {columns})")

    @property
    def places(self) -> list[tuple[int, int, int]]:
        """Row, column and number of each of its lanes."""
        return [(r, c, r * self.columns + c) for r in range(self.rows) for c in range(self.columns)]


@register_model(TileType)
class _TileModel(PrimitiveModel):
    def __init__(self, manager: Any, tile: TileType) -> None:
        lanes = manager.lookup(LanesType(tile.dtype)).get_value_type()
        super().__init__(manager, tile, ir.ArrayType(lanes, len(tile.places)))


@intrinsic(prefer_literal=True)
def _tile(typing: Any, number: Any, rows: Any, columns: Any) -> Any:
    made = TileType(number, rows.literal_value, columns.literal_value)

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        s = ir.Constant(context.get_value_type(made), ir.Undefined)
        lanes = spread(builder, arguments[0], s.type.element)
        for _, _, k in made.places:
            s = builder.insert_value(s, lanes, k)
        return s

    return made(number, rows, columns), generate


@intrinsic
def _column(typing: Any, s: Any, w: Any, k: Any) -> Any:
    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        sums, weights, start = arguments
        of_w = address(context, builder, weights, w, start, s.rows)
        for r in range(s.rows):
            weight = builder.load(cgutils.gep_inbounds(builder, of_w, r))
            lanes = spread(builder, weight, sums.type.element)
            for c in range(s.columns):
                sums = builder.insert_value(sums, lanes, r * s.columns + c)
        return sums

    return s(s, w, k), generate


@intrinsic
def _width(typing: Any, s: Any) -> Any:
    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return context.get_constant(types.intp, s.columns * LANES)

    return types.intp(s), generate


def _add_product(builder: Any, s: Any, k: int, a: Any, b: Any) -> Any:
    product = builder.fmul(a, b, flags=FLAGS)
    return builder.insert_value(s, builder.fadd(builder.extract_value(s, k), product, FLAGS), k)


@intrinsic
def _outer(typing: Any, s: Any, w: Any, k: Any, stride: Any, x: Any, n: Any) -> Any:
    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        sums, weights, first, step, pixels, start = arguments
        of_x = address(context, builder, pixels, x, start, s.columns * LANES)
        row = [load_lanes(builder, of_x, c * LANES) for c in range(s.columns)]
        column = []
        for r in range(s.rows):
            at = builder.add(first, builder.mul(step, step.type(r)))
            weight = builder.load(address(context, builder, weights, w, at, 1))
            column.append(spread(builder, weight, row[0].type))
        for r, c, number in s.places:
            sums = _add_product(builder, sums, number, column[r], row[c])
        return sums

    return s(s, w, k, types.intp, x, n), generate


@intrinsic
def _dots(
    typing: Any, s: Any, dy: Any, m: Any, stride: Any, x: Any, at: Any, t: Any, n: Any
) -> Any:
    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        sums, above, first, step, below, places, term, moved = arguments
        of_at = address(context, builder, places, at, term, s.columns)
        row = []
        for c in range(s.columns):
            start = builder.add(builder.load(cgutils.gep_inbounds(builder, of_at, c)), moved)
            row.append(load_lanes(builder, address(context, builder, below, x, start, LANES)))
        for r in range(s.rows):
            start = builder.add(first, builder.mul(step, step.type(r)))
            lanes = load_lanes(builder, address(context, builder, above, dy, start, LANES))
            for c in range(s.columns):
                sums = _add_product(builder, sums, r * s.columns + c, lanes, row[c])
        return sums

    return s(s, dy, m, stride, x, at, t, n), generate


@intrinsic
def _put(typing: Any, s: Any, y: Any, to: Any, stride: Any, rows: Any) -> Any:
    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        sums, array, start, step, count = arguments
        for r in range(s.rows):
            with builder.if_then(builder.icmp_signed("<", count.type(r), count)):
                first = builder.add(start, builder.mul(step, step.type(r)))
                of_y = address(context, builder, array, y, first, s.columns * LANES)
                for c in range(s.columns):
                    lanes = builder.extract_value(sums, r * s.columns + c)
                    store_lanes(builder, lanes, of_y, c * LANES)
        return context.get_dummy_value()

    return types.void(s, y, to, stride, rows), generate


@intrinsic
def _keep(typing: Any, s: Any, total: Any, slot: Any, t: Any) -> Any:
    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        sums, array, slots, term = arguments
        of_slots = address(context, builder, slots, slot, term, s.columns)
        room = s.rows * LANES
        for c in range(s.columns):
            k = builder.load(cgutils.gep_inbounds(builder, of_slots, c))
            start = builder.mul(k, k.type(room))
            of_total = address(context, builder, array, total, start, room)
            for r in range(s.rows):
                lanes = builder.extract_value(sums, r * s.columns + c)
                before = load_lanes(builder, of_total, r * LANES)
                added = builder.fadd(before, lanes, flags=FLAGS)
                store_lanes(builder, added, of_total, r * LANES)
        return context.get_dummy_value()

    return types.void(s, total, slot, t), generate


def _plain_tile(number: Any, rows: int, columns: int) -> Array:
    return np.full((rows, columns, LANES), number)


def _plain_column(s: Array, w: Array, k: int) -> Array:
    rows, columns, _ = s.shape
    return np.tile(w[k : k + rows, None, None], (1, columns, LANES))


def _plain_width(s: Array) -> int:
    return int(s.shape[1]) * LANES


def _row(x: Array, start: int, columns: int) -> Array:
    if not 0 <= start <= x.size - columns * LANES:
        raise IndexError(f"a tile of {columns} lanes at {start} of {x.size}")
    row: Array = x[start : start + columns * LANES].reshape(columns, LANES)
    return row


def _plain_outer(s: Array, w: Array, k: int, stride: int, x: Array, n: int) -> Array:
    rows, columns, _ = s.shape
    added: Array = s + w[k + stride * np.arange(rows), None, None] * _row(x, n, columns)
    return added


def _plain_dots(
    s: Array, dy: Array, m: int, stride: int, x: Array, at: Array, t: int, n: int
) -> Array:
    rows, columns, _ = s.shape
    above = np.concatenate([_row(dy, m + r * stride, 1) for r in range(rows)])
    below = np.concatenate([_row(x, at[t + c] + n, 1) for c in range(columns)])
    added: Array = s + above[:, None] * below
    return added


def _plain_put(s: Array, y: Array, to: int, stride: int, rows: int) -> None:
    for r, row in enumerate(s[:rows]):
        _row(y, to + r * stride, len(row))[...] = row


def _plain_keep(s: Array, total: Array, slot: Array, t: int) -> None:
    rows, columns, _ = s.shape
    for c in range(columns):
        _row(total, slot[t + c] * rows * LANES, rows)[...] += s[:, c]


# tile(number, rows, columns): one whose sums are all that number; rows and columns are constants.
# column(s, w, k): a tile like s, with s[r, c] = w[k + r].
# width(s): of a row of it, in numbers.
# outer and put: see above, where the weights of a term are `1` apart; put does not store rows from
# `rows` on.
# dots(s, dy, m, stride, x, at, t, n): s[r, c] + dy[m + r·stride …] · x[at[t + c] + n …].
# keep(s, total, slot, t): total[(slot[t + c] · rows + r) · LANES …] += s[r, c].
tile: Any
column: Any
width: Any
outer: Any
dots: Any
put: Any
keep: Any
if config.DISABLE_JIT:  # type: ignore[attr-defined]
    tile, column, width = _plain_tile, _plain_column, _plain_width
    outer, dots, put, keep = _plain_outer, _plain_dots, _plain_put, _plain_keep
else:
    tile, column, width = _tile, _column, _width
    outer, dots, put, keep = _outer, _dots, _put, _keep
