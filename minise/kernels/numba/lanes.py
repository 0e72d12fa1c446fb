"""Lanes: a handful of neighbouring numbers that the processor adds and multiplies at once.

    p = load(x, k)          # x[k], x[k + 1], …, x[k + LANES − 1]
    total = total + w * p   # for a number w, or other lanes: one instruction for all of them
    store(y, k, total)

Numba turns plain loops into such instructions as well. But it writes a sum that is carried from
pass to pass back to memory each time, while a convolution needs a dozen of them in registers.
Without a compiler (`NUMBA_DISABLE_JIT`) lanes are short NumPy arrays, and all of this means the
same.
"""

from __future__ import annotations

import operator
from typing import Any

import numpy as np
from llvmlite import binding, ir
from numba import config, types
from numba.core import cgutils
from numba.core.datamodel.models import PrimitiveModel
from numba.extending import (
    intrinsic,
    lower_builtin,
    register_model,
    type_callable,
)

from minise.arrays import Array


def _register_holds() -> int:
    """How many float32 are lanes: 16, a register of AVX-512; else 8, one of AVX or two of Arm."""
    features = config.CPU_FEATURES  # type: ignore[attr-defined]
    if features is None:
        features = binding.get_host_cpu_features().flatten()
    return 16 if "+avx512f" in features.split(",") else 8


LANES = _register_holds()


class LanesType(types.Type):
    """Numba's type of LANES numbers of one dtype."""

    def __init__(self, dtype: Any) -> None:
        self.dtype = dtype
        super().__init__(f"Lanes({dtype})")


@register_model(LanesType)
class _LanesModel(PrimitiveModel):
    def __init__(self, manager: Any, lanes: LanesType) -> None:
        number = manager.lookup(lanes.dtype).get_value_type()
        super().__init__(manager, lanes, ir.VectorType(number, LANES))


# A product that is added may become one instruction, which rounds once.
FLAGS = ("contract", "nsz")
ALIGN = 4  # bytes: lanes begin at any number


def _vector(context: Any, dtype: Any) -> ir.VectorType:
    return ir.VectorType(context.get_value_type(dtype), LANES)


def spread(builder: Any, number: Any, vector: ir.VectorType) -> Any:
    """The same number in all lanes."""
    undefined, index = ir.Constant(vector, ir.Undefined), ir.IntType(32)
    first = builder.insert_element(undefined, number, ir.Constant(index, 0))
    zeros = ir.Constant(ir.VectorType(index, LANES), None)
    return builder.shuffle_vector(first, undefined, zeros)


def address(context: Any, builder: Any, array: Any, of: Any, start: Any, length: Any) -> Any:
    """Of `length` numbers of an array of Numba's type `of`, the first of them x[start].

    As with Numba's own arrays, bounds are checked only with `NUMBA_BOUNDSCHECK`.
    """
    view = context.make_array(of)(context, builder, array)
    if config.BOUNDSCHECK:  # type: ignore[attr-defined]
        end = builder.add(start, length if isinstance(length, ir.Value) else start.type(length))
        before = builder.icmp_signed("<", start, start.type(0))
        behind = builder.icmp_signed(">", end, view.nitems)
        with builder.if_then(builder.or_(before, behind), likely=False):
            context.call_conv.return_user_exc(builder, IndexError, ("lanes: out of bounds",))
    return cgutils.gep_inbounds(builder, view.data, start)


def load_lanes(builder: Any, first: Any, k: int = 0) -> Any:
    """The lanes that begin k numbers after the address `first`."""
    return builder.load(_of_lanes(builder, first, k), align=ALIGN)


def store_lanes(builder: Any, lanes: Any, first: Any, k: Any = 0) -> None:
    """The reverse."""
    builder.store(lanes, _of_lanes(builder, first, k), align=ALIGN)


def _of_lanes(builder: Any, first: Any, k: Any) -> Any:
    at = cgutils.gep_inbounds(builder, first, k)
    return builder.bitcast(at, ir.VectorType(first.type.pointee, LANES).as_pointer())


@intrinsic
def _load(typing: Any, x: Any, start: Any) -> Any:
    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        array, start = arguments
        return load_lanes(builder, address(context, builder, array, x, start, LANES))

    return LanesType(x.dtype)(x, start), generate


@intrinsic
def _store(typing: Any, x: Any, start: Any, lanes: Any) -> Any:
    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        array, start, value = arguments
        store_lanes(builder, value, address(context, builder, array, x, start, LANES))
        return context.get_dummy_value()

    return types.void(x, start, lanes), generate


@intrinsic
def _fetch(typing: Any, x: Any, start: Any) -> Any:
    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        array, first = arguments
        at = address(context, builder, array, x, first, LANES)
        hint = ir.IntType(32)
        kind = ir.FunctionType(ir.VoidType(), [at.type, hint, hint, hint])
        prefetch = cgutils.get_or_insert_function(builder.module, kind, "llvm.prefetch.p0")
        builder.call(prefetch, [at, hint(1), hint(3), hint(1)])  # to write, to keep, of data
        return context.get_dummy_value()

    return types.void(x, start), generate


@intrinsic
def _copy(typing: Any, x: Any, at: Any, y: Any, to: Any, count: Any) -> Any:
    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        below, first, above, start, numbers = arguments
        source = address(context, builder, below, x, first, numbers)
        target = address(context, builder, above, y, start, numbers)
        size = context.get_abi_sizeof(source.type.pointee)
        cgutils.raw_memcpy(builder, target, source, numbers, size, align=size)
        return context.get_dummy_value()

    whole = types.intp
    return types.void(x, whole, y, whole, whole), generate


@intrinsic
def _fill(typing: Any, number: Any) -> Any:
    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return spread(builder, arguments[0], _vector(context, number))

    return LanesType(number)(number), generate


@intrinsic
def _positive(typing: Any, v: Any, p: Any) -> Any:
    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        v, p = arguments
        zero = ir.Constant(p.type, None)
        return builder.select(builder.fcmp_ordered(">", v, zero), p, zero)

    return p(v, p), generate


@intrinsic
def _sum_of(typing: Any, p: Any) -> Any:
    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        lanes, width, index = arguments[0], LANES, ir.IntType(32)
        while width > 1:
            width //= 2
            lower, upper = (
                ir.Constant(ir.VectorType(index, width), list(range(k, k + width)))
                for k in (0, width)
            )
            none = ir.Constant(lanes.type, ir.Undefined)
            halves = (builder.shuffle_vector(lanes, none, which) for which in (lower, upper))
            lanes = builder.fadd(*halves, flags=FLAGS)
        return builder.extract_element(lanes, ir.Constant(index, 0))

    return p.dtype(p), generate


@type_callable(operator.add)
@type_callable(operator.sub)
def _type_add(context: Any) -> Any:
    return lambda a, b: a if isinstance(a, LanesType) and a == b else None


@type_callable(operator.mul)
def _type_multiply(context: Any) -> Any:
    def of(a: Any, b: Any) -> Any:
        return b if isinstance(b, LanesType) and (a == b or isinstance(a, types.Float)) else None

    return of


@lower_builtin(operator.add, LanesType, LanesType)
def _add(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
    return builder.fadd(*arguments, flags=FLAGS)


@lower_builtin(operator.sub, LanesType, LanesType)
def _subtract(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
    return builder.fsub(*arguments, flags=FLAGS)


@lower_builtin(operator.mul, LanesType, LanesType)
def _multiply(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
    return builder.fmul(*arguments, flags=FLAGS)


@lower_builtin(operator.mul, types.Float, LanesType)
def _multiply_by_number(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
    (given, kind), (number, lanes) = signature.args, arguments
    number = context.cast(builder, number, given, kind.dtype)
    return builder.fmul(spread(builder, number, lanes.type), lanes, flags=FLAGS)


def _plain_load(x: Array, start: int) -> Array:
    if not 0 <= start <= x.size - LANES:
        raise IndexError(f"load: {start} of {x.size}")
    return x[start : start + LANES].copy()


def _plain_store(x: Array, start: int, lanes: Array) -> None:
    if not 0 <= start <= x.size - LANES:
        raise IndexError(f"store: {start} of {x.size}")
    x[start : start + LANES] = lanes


def _plain_fetch(x: Array, start: int) -> None:
    _plain_load(x, start)


def _plain_copy(x: Array, at: int, y: Array, to: int, count: int) -> None:
    if not (0 <= at <= x.size - count and 0 <= to <= y.size - count):
        raise IndexError(f"copy: {count} numbers from {at} of {x.size} to {to} of {y.size}")
    y[to : to + count] = x[at : at + count]


def _plain_sum_of(lanes: Array) -> Any:
    while len(lanes) > 1:
        lanes = lanes[: len(lanes) // 2] + lanes[len(lanes) // 2 :]
    return lanes[0]


def _plain_fill(number: Any) -> Array:
    return np.full(LANES, number)


def _plain_positive(v: Array, p: Array) -> Array:
    return np.where(v > 0, p, p.dtype.type(0))


# load(x, k): lanes from the one-dimensional, contiguous array x; store(x, k, lanes) is the reverse.
# fetch(x, k): lanes will soon be stored there, so the processor gets the place into its cache.
# fill(number): the number in every lane. positive(v, p): p where v > 0, else 0.
# copy(x, k, y, n, count): y[n …] = x[k …], so many numbers; quick for few, which fill no lanes.
# sum_of(p): the sum of all lanes, of which one half is added to the other, and so on.
load: Any
store: Any
fetch: Any
copy: Any
fill: Any
positive: Any
sum_of: Any
if config.DISABLE_JIT:  # type: ignore[attr-defined]
    load, store, fetch, copy, fill = (
        _plain_load,
        _plain_store,
        _plain_fetch,
        _plain_copy,
        _plain_fill,
    )
    positive, sum_of = _plain_positive, _plain_sum_of
else:
    load, store, fetch, copy, fill = _load, _store, _fetch, _copy, _fill
    positive, sum_of = _positive, _sum_of
